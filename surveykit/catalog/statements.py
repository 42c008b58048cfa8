"""What a source says besides its tables: sentences that can be checked, facts in its text, what the text we used lacks."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from surveykit.record import ID_PATTERN, MOST, InDatabase, PaperKey, Record


class Citation(Record):
    """How often a section of the source cites a paper."""

    identity: ClassVar[tuple[str, ...]] = ("key", "section")

    key: PaperKey
    """Key of the paper, as in paper.key."""
    section: str
    """Section of the source, as numbered there."""
    times: int = Field(ge=1, le=MOST)
    """Number of citations in that section."""


class Said(Record):
    """A fact that stands in the text rather than in a table."""

    identity: ClassVar[tuple[str, ...]] = ("topic", "locator", "printed")

    topic: str
    """Subject of the fact; places about the same thing share a topic."""
    locator: str
    """Where it stands."""  # a place may have several lines of one topic, like the rates of a sweep
    printed: str
    """As printed: a figure, or a few words."""
    value: Annotated[str | None, Field(pattern=r"^[0-9]{1,15}(\.[0-9]{1,15})?$"), InDatabase(type="DOUBLE")]
    """A figure as a number, in units; NULL for words."""


class Missing(Record):
    """Something the source has and the text we used lacks."""

    identity: ClassVar[tuple[str, ...]] = ("what",)

    what: str
    """The part that is missing."""
    locator: str
    """Where it would be."""
    reason: str = Field(min_length=10)
    """What the text we used has instead."""


class Reading(Record):
    """One fair way to read a sentence, as a query of one row with a column `holds`."""

    reading: str
    sql: str


AuditStatus = Literal["holds", "contradicted", "depends_on_reading", "not_checkable"]


class Statement(Record):
    """A sentence of the source that its own tables can confirm or contradict."""

    id: str = Field(pattern=ID_PATTERN)
    """Short name, unique among statements."""
    locator: str = Field(min_length=5)
    """Place of the sentence."""
    says: str = Field(min_length=10)
    """What the sentence says, in our words."""
    headline: str = Field(min_length=15, max_length=160, pattern=r"^[^\n]*\.$")
    """The result in one plain sentence: the heading of its entry, and the reason for its status."""
    readings: tuple[Reading, ...] = ()
    status: AuditStatus
    """Status as reviewed; the check fails if the readings give another."""
    note: str | None = None
    """Reviewed note with the figures; needed unless the statement holds."""
    reason: str | None = None
    """Why it cannot be checked; NULL if it can."""
    correction: str | None = None
    """What the sentence could say instead: a suggestion to its authors."""
    innocent: str | None = Field(default=None, min_length=20)
    """An innocent explanation of the sentence; needed if it is contradicted."""
    evidence: str | None = None
    """A SELECT of one row whose values are the figures that the note derives beyond those of the readings."""
    remark: str | None = Field(default=None, min_length=10)
    """Why a contradiction is only a remark, not an erratum: what makes it small or uncertain."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.innocent is None) == (self.status == "contradicted"):
            raise ValueError("a contradicted statement, and no other, must give an innocent explanation in `innocent`")
        if self.remark is not None and self.status != "contradicted":
            raise ValueError("only a contradicted statement can be a mere remark")
        if self.correction is not None and self.status != "contradicted":
            raise ValueError("only a contradicted statement can have a suggested correction")
        if (self.status == "not_checkable") != (not self.readings) or (self.reason is None) != bool(self.readings):
            raise ValueError("a statement needs readings, or the status not_checkable with a reason")
        if self.status in ("contradicted", "depends_on_reading") and not self.note:
            raise ValueError(f"the status {self.status} needs a note with the figures")
        return self


class Statements(Record):
    statements: tuple[Statement, ...]


class DataCheck(Record):
    """A query that looks for suspicious data."""

    id: str = Field(pattern=ID_PATTERN)
    """Short name, unique among data checks."""
    looks_for: str = Field(min_length=10)
    """What the query looks for."""
    sql: str
    """A SELECT that returns the rows it finds."""
    found: int = Field(ge=0, le=MOST)
    """Rows that the query finds, as reviewed."""
    note: str = Field(min_length=10)
    """What the rows are."""
    innocent: str | None = Field(default=None, min_length=20)
    """An innocent explanation of the rows; needed if there are any."""
    evidence: str | None = None
    """A SELECT of one row whose values are the figures that the texts derive beyond the check's own rows."""

    @model_validator(mode="after")
    def _is_fair(self) -> Self:
        if self.found and self.innocent is None:
            raise ValueError("give an innocent explanation of the rows in `innocent`")
        return self


class DataChecks(Record):
    checks: tuple[DataCheck, ...]
