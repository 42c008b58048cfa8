"""Tables of findings: what explanations, statements and data checks come to, once for each, ranked over all sources."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from surveykit.catalog.findings import Reported
from surveykit.database.rows import Row
from surveykit.database.tables.claims import SourceKey
from surveykit.record import InDatabase


class Finding(Row):
    """What was found in sources, ranked by weight over all of them."""

    identity = ("source", "id")

    source: SourceKey
    id: str
    """Identifier, which is also its anchor on the page of its source's findings."""
    rank: int = Field(ge=1)
    """Place among the findings of all sources, from 1."""
    weight: float = Field(ge=0)
    """How much it matters, by the formula that the page of findings states."""
    headline: str
    """The finding in one sentence."""
    kind: Literal["figures", "sentence", "data"]
    """figures (printed figures that are not our count), sentence (a sentence that is contradicted) or data (something odd in a table)."""
    factor: float | None
    """How many times one of the two numbers is the other; NULL without two numbers whose ratio says something."""
    cells: int = Field(ge=0)
    """Printed cells, rows or sentences that it is about."""
    against_itself: bool
    """Whether the source's own text, formula or data decide it."""
    is_open: bool
    """Whether nobody has found what gives the printed figure."""
    remark: str | None
    """What makes it small or uncertain, so that it counts a quarter; NULL where nothing does."""
    locator: str
    """Where it stands in its source."""
    printed: str
    """What stands there: figures as printed, a sentence in our words, or what a data check looks for."""
    first_says: str | None
    """What the first of the two numbers is; NULL where two numbers do not tell it."""
    first_value: float | None
    """The first number."""
    first_text: str | None
    """The first number as it is shown, with its unit."""
    second_says: str | None
    """What the second number is."""
    second_value: float | None
    """The second number, in the unit of the first."""
    second_text: str | None
    """The second number as it is shown, with its unit."""
    found: str
    """What was found, in full."""
    innocent: str | None
    """How it can have come about without anybody's fault."""
    correction: str | None
    """What could stand there instead; NULL where nothing is suggested."""
    status: Reported
    """not_reported to the authors of the source, reported, confirmed, corrected or rejected by them."""
    reported: str | None
    """Where and when they were told; NULL where they were not."""
    fault: str | None
    """Why the headline of findings.yaml could not be filled, which fails `surveykit audit`; NULL where it could."""


class FindingPart(Row):
    """What findings are made of: explanations, statements and data checks."""

    rules = ("FOREIGN KEY (source, finding) REFERENCES finding",)

    source: Annotated[str, InDatabase(comment="Key of the source, as in source.key")]
    finding: str
    """Id of the finding."""
    kind: Literal["explanation", "unexplained", "statement", "data_check"]
    """Which table has it; unexplained: printed figures that nobody has looked into yet."""
    explanation: int | None
    """Position of the explanation, as in explanation.position."""
    name: str | None
    """Id of the statement or data check, or label of the unexplained row."""
