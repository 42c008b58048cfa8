"""Who writes a finding does not sign it: what a second reader has checked, and signatures that a change makes void."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from surveykit.record import Day, Record

if TYPE_CHECKING:
    from surveykit.catalog.source_folder import SourceFolder


class SecondReading(Record):
    """A finding that somebody who did not write it has checked against the source's text, running its query again."""

    identity: ClassVar[tuple[str, ...]] = ("finding",)

    finding: str
    """A name of `signable`."""
    date: Day
    """Day on which it was signed."""
    digest: str = Field(pattern=r"^[0-9a-f]{12}$")
    """Digest of the finding's texts, figures and queries when it was signed."""
    outcome: Literal["as_it_was", "reworded", "made_a_remark"]
    """What had to change before signing."""


def signable(folder: SourceFolder) -> dict[str, Record]:
    """Every finding of a source by name: statements and data checks by id, explanations as `ROW on MODEL ...`."""
    explained: dict[str, Record] = {explanation.name: explanation for explanation in folder.explanations}
    statements = {statement.id: statement for statement in folder.statements}
    return {**explained, **statements, **{check.id: check for check in folder.data_checks}}


def digest(finding: Record) -> str:
    """12 hexadecimal digits that change with any field that is set; a field that a later version adds changes nothing."""
    text = json.dumps(finding.model_dump(mode="json", exclude_defaults=True), sort_keys=True, ensure_ascii=False)
    return sha256(text.encode()).hexdigest()[:12]
