"""What findings.yaml says of its source: it names what is there, each part once, and its headlines have their numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from surveykit.catalog.findings import AUTOMATIC, Telling
from surveykit.catalog.loading import Loading
from surveykit.catalog.source_folder import SourceFolder
from surveykit.catalog.sources import Explanation
from surveykit.catalog.statements import DataCheck, Statement

Part = Explanation | Statement | DataCheck


def check_findings(folder: SourceFolder, path: Path, loading: Loading) -> None:
    """Report all that is wrong with the findings.yaml of a source."""
    taken: dict[int, str] = {}
    loading.once(path, ("findings",), [told.id for told in folder.tellings])
    for i, told in enumerate(folder.tellings):
        parts = list(_parts(folder, told, path, loading, i))
        for part in parts:
            if taken.setdefault(id(part), told.id) != told.id:
                message = f"what '{told.id}' is made of belongs to '{taken[id(part)]}' already"
                loading.problem(path, message, ("findings", i))
        sql = " ".join([told.figures or "", *(text for part in parts for text in _queries(part))])
        for name in sorted(told.names):
            if not re.search(rf"\b{re.escape(name)}\b", sql):
                columns = ", ".join(sorted({*re.findall(r"(?i)\bAS (\w+)", sql), *AUTOMATIC}))
                loading.problem(path, f"no query has a column '{name}'; there are {columns}", ("findings", i))


def _parts(folder: SourceFolder, told: Telling, path: Path, loading: Loading, i: int) -> Iterator[Part]:
    """What a finding is made of, as far as it is there."""
    for j, chosen in enumerate(told.explanations):
        fitting = [e for e in folder.explanations if chosen.fits(e)]
        if not fitting:
            loading.problem(path, "no explanation of this source fits", ("findings", i, "explanations", j))
        yield from fitting
    statements: Mapping[str, Part] = {s.id: s for s in folder.statements}
    checks: Mapping[str, Part] = {c.id: c for c in folder.data_checks}
    for field, what, listed, known in (
        ("statements", "statement", told.statements, statements),
        ("data_checks", "data check", told.data_checks, checks),
    ):
        for j, name in enumerate(listed):
            if loading.known(path, ("findings", i, field, j), f"no {what}", name, known):
                yield known[name]


def _queries(part: Part) -> list[str]:
    """The queries whose columns are numbers of a finding."""
    own = [part.evidence or ""]
    if isinstance(part, Statement):
        return own + [reading.sql for reading in part.readings]
    return own
