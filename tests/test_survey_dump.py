"""Nothing that the database says of the survey is lost or altered unseen: each fact is a line of a kept file.

After a wanted change of the catalog, or new measurements, write it anew and read the difference before it is committed:

    SURVEYKIT_UPDATE_GOLDEN=1 python -m pytest tests/test_survey_dump.py
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

from extract.dump_survey import facts

GOLDEN = Path(__file__).parent / "golden" / "survey.jsonl"
SHOWN = 10


def test_what_is_said_of_the_survey_stays(database: Path) -> None:
    found = facts(database)
    if os.environ.get("SURVEYKIT_UPDATE_GOLDEN"):
        GOLDEN.write_text("".join(f"{line}\n" for line in found), encoding="utf-8")
    kept = GOLDEN.read_text(encoding="utf-8").splitlines()
    lost, new = Counter(kept) - Counter(found), Counter(found) - Counter(kept)
    differing = sorted([*((line, "-") for line in lost.elements()), *((line, "+") for line in new.elements())])
    shown = "\n".join(f"{sign} {line}" for line, sign in differing[:SHOWN])
    assert not differing, f"{lost.total()} facts lost, {new.total()} new (see the head of this file):\n{shown}"
