"""Who writes a finding does not sign it: what a second reader has checked, and signatures that a change makes void."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from surveykit.record import Day, Record

if TYPE_CHECKING:
    from surveykit.catalog.load import Catalog


class SecondReading(Record):
    """A finding that somebody who did not write it has checked against the survey's text, running its query again."""

    identity = ("finding",)

    finding: str
    """A name of `signable`."""
    date: Day
    """Day on which it was signed."""
    digest: str = Field(pattern=r"^[0-9a-f]{12}$")
    """Of the finding's texts, figures and queries as they were signed."""
    outcome: Literal["as_it_was", "reworded", "made_a_remark"]
    """What had to change before it was signed."""


def signable(catalog: Catalog) -> dict[str, Record]:
    """Every finding by name: statements and data checks by id, explanations of Table 5 as `ROW on BACKBONE ...`."""
    explained: dict[str, Record] = {
        f"{e.row} on {' '.join(e.backbones)}": e for method in catalog.methods.values() for e in method.explanations
    }
    statements = {s.id: s for s in catalog.survey.statements}
    return {**explained, **statements, **{check.id: check for check in catalog.survey.data_checks}}


def digest(finding: Record) -> str:
    """12 hexadecimal digits that change with any field that is set; a field that a later version adds changes nothing."""
    text = json.dumps(finding.model_dump(mode="json", exclude_defaults=True), sort_keys=True, ensure_ascii=False)
    return sha256(text.encode()).hexdigest()[:12]
