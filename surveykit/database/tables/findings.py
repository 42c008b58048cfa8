"""Tables of findings: what explanations, statements and data checks come to, once for each, ranked over all sources."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from surveykit.catalog.findings import Reported
from surveykit.database.rows import Row
from surveykit.database.tables.claims import SourceKey
from surveykit.record import InDatabase


class Finding(Row):
    """Findings in sources, ranked by weight over all sources."""

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
    """Ratio of the two numbers; NULL without two numbers with a meaningful ratio."""
    cells: int = Field(ge=0)
    """Number of printed cells, rows or sentences concerned."""
    against_itself: bool
    """Whether the source's own text, formula or data settle it."""
    is_open: bool
    """Whether it is still open what gives the printed figure."""
    remark: str | None
    """What makes it small or uncertain, so that it gets a quarter of the weight; NULL if nothing does."""
    locator: str
    """Where it is in its source."""
    printed: str
    """What is printed there: figures, a sentence in our words, or what a data check looks for."""
    first_says: str | None
    """What the first of the two numbers is; NULL without two numbers."""
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
    """An innocent explanation."""
    correction: str | None
    """A suggested replacement; NULL if there is none."""
    status: Reported
    """not_reported to the authors of the source, reported, confirmed, corrected or rejected by them."""
    reported: str | None
    """Where and when it was reported to them; NULL if it was not."""
    fault: str | None
    """Why the headline of findings.yaml could not be filled, which fails `surveykit audit`; NULL if it could."""


class FindingPart(Row):
    """Parts of findings: explanations, statements and data checks."""

    rules = ("FOREIGN KEY (source, finding) REFERENCES finding",)

    source: Annotated[str, InDatabase(comment="Key of the source, as in source.key")]
    finding: str
    """Id of the finding."""
    kind: Literal["explanation", "unexplained", "statement", "data_check"]
    """Table that contains it; unexplained: printed figures that nobody has looked into yet."""
    explanation: int | None
    """Position of the explanation, as in explanation.position."""
    name: str | None
    """Id of the statement or data check, or label of the unexplained row."""
