"""Tables of what sources say beyond their claims: citations, facts in its text, sentences and data that are checked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Self

from pydantic import Field

from surveykit.catalog import second_reading
from surveykit.catalog import statements as said
from surveykit.catalog.load import Catalog
from surveykit.database.rows import Row
from surveykit.database.tables.claims import SourceKey
from surveykit.record import InDatabase

StatementId = Annotated[str, InDatabase(refers_to="statement", comment="Id of the statement, as in statement.id")]
DataCheckId = Annotated[str, InDatabase(refers_to="data_check", comment="Id of the data check, as in data_check.id")]
Position = Annotated[int, Field(ge=1), InDatabase(comment="Order, from 1")]


class _OfSource(Row):
    # Records that a source lists: its key comes before their fields.
    listed: ClassVar[str] = ""
    """The list of a `SourceFolder`."""

    source: SourceKey

    @classmethod
    def of_catalog(cls, catalog: Catalog) -> Iterator[Self]:
        for folder in catalog.sources.values():
            for position, record in enumerate(getattr(folder, cls.listed), start=1):
                yield cls.of(record, source=folder.key, position=position)


class Citation(said.Citation, _OfSource):
    """How often each section of a source cites a paper."""

    identity = ("source", "key", "section")
    listed = "citations"


class MissingInSource(said.Missing, _OfSource):
    """Parts of a source that the text we used lacks."""

    identity = ("source", "what")
    listed = "missing"


class Said(said.Said, _OfSource):
    """Facts in a source's text rather than in a table."""

    identity = ("source", "topic", "locator", "printed")
    listed = "said"


class _Numbered(_OfSource):
    position: Position


class Statement(said.Statement, _Numbered):
    """Sentences of a source that its own tables can confirm or contradict."""

    identity = ("id",)
    left_out = ("readings",)
    listed = "statements"


class StatementReading(Row):
    """Fair readings of a statement, each with its query."""

    identity = ("statement", "position")

    statement: StatementId
    position: Position
    reading: str
    """How the sentence is read, in words."""
    sql: str
    """A SELECT of one row with a column holds."""

    @classmethod
    def of_catalog(cls, catalog: Catalog) -> Iterator[Self]:
        for s in (s for folder in catalog.sources.values() for s in folder.statements):
            yield from (cls.of(reading, statement=s.id, position=i) for i, reading in enumerate(s.readings, start=1))


class StatementResult(Row):
    """What each reading gave when the database was built."""

    identity = ("statement", "position")
    rules = ("FOREIGN KEY (statement, position) REFERENCES statement_reading",)

    statement: Annotated[str, InDatabase(comment="Id of the statement, as in statement.id")]
    position: int
    """Position of the reading."""
    holds: bool | None = None
    """Whether the reading holds; NULL when its query failed."""
    figures: str | None = None
    """The other columns of its row, as a JSON object."""
    error: str | None = None
    """Why the query failed; NULL when it did not."""


class SecondReading(second_reading.SecondReading, _OfSource):
    """Findings that a second reader, not their author, has checked and signed."""

    identity = ("source", "finding")

    digest_now: str
    """Digest of the current finding."""
    stands: bool
    """Whether the two digests are equal; a changed finding must be signed again."""

    @classmethod
    def of_catalog(cls, catalog: Catalog) -> Iterator[Self]:
        for folder in catalog.sources.values():
            findings = second_reading.signable(folder)
            for signed in folder.second_readings:
                now = second_reading.digest(findings[signed.finding])
                yield cls.of(signed, source=folder.key, digest_now=now, stands=now == signed.digest)


class DataCheck(said.DataCheck, _Numbered):
    """Queries that look for suspicious data in a source's tables."""

    identity = ("id",)
    listed = "data_checks"


class DataCheckResult(Row):
    """What each data check found when the database was built."""

    identity = ("data_check",)

    data_check: DataCheckId
    found: int | None = None
    """Rows that the query finds; NULL when it failed."""
    rows: str | None = None
    """The rows, as a JSON list of objects."""
    error: str | None = None
    """Why the query failed; NULL when it did not."""
