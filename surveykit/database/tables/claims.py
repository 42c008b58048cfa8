"""Tables of sources: what they are, how their labels are read, and every printed cell as a claim."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import Field

from surveykit.catalog import claims, sources
from surveykit.catalog.figures import parse_figure
from surveykit.catalog.load import Catalog
from surveykit.catalog.sources import Tier
from surveykit.database.rows import Row
from surveykit.record import BackboneId, ConfigurationId, InDatabase, MethodId, PaperKey

Printed = Annotated[Decimal, Field(max_digits=24, decimal_places=6)]
SourceKey = Annotated[str, InDatabase(refers_to="source", comment="Key of the source, as in source.key")]
TableName = Annotated[str, InDatabase(comment="Name of the table in its source, such as table5")]
RowLabel = Annotated[str, InDatabase(comment="Label of the row in its table, as printed")]
ColumnName = Annotated[str, InDatabase(comment="Column of the cell in the source's table")]


class Source(Row, sources.Source):
    """Documents and data sets that make claims."""

    identity = ("key",)
    shown = ("key", "name", "kind", "paper", "repository", "date", "read", "tier")

    key: str
    """Name of its folder in catalog/sources."""
    paper: PaperKey | None
    repository: str | None  # type: ignore[assignment]
    """Repository, revision and file that were read; NULL for a paper."""
    date: str
    """Date of the version that we read."""

    @classmethod
    def of_catalog(cls, catalog: Catalog) -> Iterator[Self]:
        for folder in catalog.sources.values():
            at = folder.source.repository
            repository = f"{at.name}@{at.revision}{f':{at.file}' if at.file else ''}" if at else None
            yield cls.of(folder.source, key=folder.key, repository=repository)


class SourceTable(Row):
    """Tables of sources."""

    identity = ("source", "table_name")

    source: SourceKey
    table_name: TableName
    locator: str
    """Place of the table in its source."""
    says: str
    """What the table shows."""
    rows: int
    """How many rows it has, as printed."""
    as_printed: str
    """Table of this database that holds its cells as printed."""

    @classmethod
    def of_catalog(cls, catalog: Catalog) -> Iterator[Self]:
        for folder in catalog.sources.values():
            for t in folder.tables.values():
                yield cls.of(
                    t.meaning,
                    source=folder.key,
                    table_name=t.id,
                    rows=len(t.rows),
                    as_printed=as_printed(folder.key, t.id),
                )


def as_printed(source: str, table: str) -> str:
    """The name of the database's table with the cells of a source's table."""
    return f"{source.replace('-', '_')}_{table}"


class PrintedName(Row):
    """Labels of methods in sources' tables, and how we read each."""

    source: SourceKey
    table_name: TableName
    printed: RowLabel
    method: MethodId | None
    """Method that the label means; NULL where the catalog has no entry for it."""
    configuration: ConfigurationId | None
    """Configuration that the label means; NULL where the table names none."""
    evidence: str
    """Why we read the label so."""

    @classmethod
    def of_catalog(cls, catalog: Catalog) -> Iterator[Self]:
        for folder in catalog.sources.values():
            for name in folder.names.methods:
                for table in name.tables or folder.tables:
                    yield cls.of(
                        name, source=folder.key, table_name=table,
                        configuration=claims.configuration_of(name),
                    )  # fmt: skip


class PrintedModel(Row):
    """Labels of models in sources' tables, and the model that each means."""

    source: SourceKey
    table_name: TableName
    printed: str
    """Label of the model in the table, as printed."""
    backbone: BackboneId | None
    """Model that the label means; NULL if the catalog lacks it."""
    reason: str | None
    """Why the catalog lacks it, or why we read the label so."""

    @classmethod
    def of_catalog(cls, catalog: Catalog) -> Iterator[Self]:
        for folder in catalog.sources.values():
            for name in folder.names.models:
                for table in name.tables or folder.tables:
                    yield cls.of(name, source=folder.key, table_name=table, backbone=name.model)


class DescribedIn(Row):
    """Where sources describe methods."""

    identity = ("source", "method")

    source: SourceKey
    method: MethodId
    section: str
    """Section of the source, as numbered there."""

    @classmethod
    def of_catalog(cls, catalog: Catalog) -> Iterator[Self]:
        for folder in catalog.sources.values():
            for method, section in folder.source.sections.items():
                yield cls(source=folder.key, method=method, section=section)


class _Cell(Row):
    # What tells claims apart, and verdicts with them.
    identity = ("source", "table_name", "position", "column_name")

    source: SourceKey
    table_name: TableName
    position: int = Field(ge=1)
    """Number of the row in its table, from 1."""
    column_name: ColumnName
    row_label: RowLabel
    locator: str
    """Table, row and column, in words."""
    quantity: Annotated[str, InDatabase(refers_to="quantity")]
    """What the cell is about, as in quantity.id."""
    printed: str | None
    """The cell, as printed."""


class Claim(_Cell):
    """What sources print in their tables: one cell per row."""

    rules = ("CHECK ((status = 'printed') = (printed IS NOT NULL))", "CHECK (value_min <= value_max)")

    status: claims.CellStatus
    """Whether the cell has text, and if not, why: a dash, a blank cell, or missing in the text we used."""
    unit: str | None
    """Unit of the printed figure; NULL where there is none."""
    method: MethodId | None
    """Method that we read the row as; NULL if the row names none or the catalog has no entry."""
    configuration: ConfigurationId | None
    """Configuration that we read the row as; NULL if it names none."""
    backbone: BackboneId | None
    """Model of the row; NULL if it names none or the catalog lacks it."""
    model_label: str | None
    """Label of the model in the table, as printed."""
    means: str | None
    """How a printed word is read, if the table says so."""
    tier: Tier
    """printed: the figure is a claim; measured_elsewhere: the source measured it itself."""
    value_min: Printed | None
    """Lower end of a printed figure, in its unit."""
    value_max: Printed | None
    """Upper end of a printed figure, in its unit."""
    decimals: int | None = Field(ge=0)
    """Digits after the point, as printed."""
    bound: Literal["exact", "above", "below"] | None
    """Whether the figure is exact, or a bound such as >0.5 (above)."""

    @classmethod
    def of_catalog(cls, catalog: Catalog) -> Iterator[Self]:
        figures = {q.id for q in catalog.quantities.quantities if q.compare in ("rounding", "predicted")}
        for claim in catalog.claims:
            word = claim.means is not None
            figure = parse_figure(claim.printed) if claim.printed and claim.quantity in figures and not word else None
            yield cls.of(
                claim, table_name=claim.table, column_name=claim.column, row_label=claim.row, backbone=claim.model,
                value_min=figure and figure.low * figure.scale, value_max=figure and figure.high * figure.scale,
                decimals=figure and figure.decimals, bound=figure and figure.bound,
            )  # fmt: skip


class Explanation(Row, sources.Explanation):
    """Reviewed reasons why printed figures and ours differ."""

    identity = ("source", "position")
    shown = ("source", "position", "name", "table_name", "row_label", "cause", "text", "innocent", "evidence",
             "fits_setup", "fits_setup_backbone", "correction", "remark")  # fmt: skip

    source: SourceKey
    position: int = Field(ge=1)
    """Order in its file, from 1."""
    table_name: TableName
    row_label: RowLabel
    fits_setup: ConfigurationId | None  # type: ignore[assignment]
    """A configuration that gives the printed figures exactly."""
    fits_setup_backbone: BackboneId | None
    """Model on which it gives them, if not the row's own."""

    @classmethod
    def of_catalog(cls, catalog: Catalog) -> Iterator[Self]:
        for source, position, e in explanations(catalog):
            yield cls.of(
                e, source=source, position=position, table_name=e.table, row_label=e.row,
                fits_setup=e.fits_setup and e.fits_setup.configuration,
                fits_setup_backbone=e.fits_setup and e.fits_setup.model,
            )  # fmt: skip


class ExplanationFigure(Row):
    """The printed figures that an explanation covers."""

    rules = ("FOREIGN KEY (source, explanation) REFERENCES explanation",)

    source: Annotated[str, InDatabase(comment="Key of the source, as in source.key")]
    explanation: int
    """Position of the explanation."""
    backbone: BackboneId | None
    """Model of the row; NULL where it names none."""
    column_name: ColumnName
    printed: str
    """The figure, as printed."""

    @classmethod
    def of_catalog(cls, catalog: Catalog) -> Iterator[Self]:
        for source, position, e in explanations(catalog):
            for quoted in e.figures:
                for column, printed in quoted.printed.items():
                    yield cls(
                        source=source, explanation=position, backbone=quoted.model, column_name=column, printed=printed
                    )


class ExplanationTried(Row):
    """Configurations that were tried and do not give the printed figures."""

    identity = ("source", "explanation", "configuration")
    rules = ("FOREIGN KEY (source, explanation) REFERENCES explanation",)

    source: Annotated[str, InDatabase(comment="Key of the source, as in source.key")]
    explanation: int
    """Position of the explanation."""
    configuration: ConfigurationId

    @classmethod
    def of_catalog(cls, catalog: Catalog) -> Iterator[Self]:
        for source, position, e in explanations(catalog):
            for name in sorted(set(e.tried)):
                yield cls(source=source, explanation=position, configuration=name)


def explanations(catalog: Catalog) -> Iterator[tuple[str, int, sources.Explanation]]:
    """Every explanation with its source and position."""
    for folder in catalog.sources.values():
        for position, explanation in enumerate(folder.explanations, start=1):
            yield folder.key, position, explanation
