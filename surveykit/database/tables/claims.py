"""Tables of what the survey prints: its claims cell by cell, our explanations of them, and its other tables."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import Field

from surveykit.catalog import records
from surveykit.catalog.figures import parse_figure
from surveykit.catalog.load import Catalog
from surveykit.catalog.records import Method
from surveykit.database.rows import Row
from surveykit.record import BackboneId, ConfigurationId, InDatabase, MethodId

Printed = Annotated[Decimal, Field(max_digits=18, decimal_places=6)]


class SurveyRow(Row):
    """Which configuration each row of the survey's Table 5 is read as."""

    identity = ("row_label",)

    row_label: str
    """First cell of the row, as printed."""
    configuration: ConfigurationId
    evidence: str
    """Why the row is read so."""

    @classmethod
    def of_catalog(cls, catalog: Catalog) -> Iterator[Self]:
        for name, _, c in catalog.configurations():
            yield from (cls.of(claimed, row_label=claimed.row, configuration=name) for claimed in c.survey_rows)


class Claim(Row):
    """What the survey prints in its tables, one cell per row."""

    identity = ("locator", "method")
    rules = (
        "CHECK ((status = 'printed') = (printed IS NOT NULL))",
        "CHECK ((table_number = 5) = (configuration IS NOT NULL))",
        "CHECK ((table_number = 5) = (backbone IS NOT NULL))",
        "CHECK (value_min <= value_max)",
    )

    locator: str
    """Table, row and column, in words."""
    method: MethodId
    """Method that the row is read as."""
    table_number: Literal[1, 2, 5]
    """1, 2 or 5: which table of the survey."""
    row_label: str
    """First cell of the row, as printed."""
    column_name: str
    """Which cell of the row: the column of the survey's table."""
    configuration: ConfigurationId | None
    """Configuration that the row of Table 5 is read as; NULL for other tables."""
    backbone: BackboneId | None
    """Table 5: the base model; NULL for other tables."""
    printed: str | None
    """The cell, as printed."""
    status: Literal["printed", "dash", "missing_in_source"]
    """Whether the cell has text; dash and missing_in_source are not the same."""
    value_min: Printed | None
    """Lower end of a printed figure."""
    value_max: Printed | None
    """Upper end of a printed figure."""
    decimals: int | None = Field(ge=0)
    """Digits after the point, as printed."""
    bound: Literal["exact", "above", "below"] | None
    """Whether the figure is exact, or a bound such as >0.5 (above)."""

    @classmethod
    def of_catalog(cls, catalog: Catalog) -> Iterator[Self]:
        for method in catalog.methods.values():
            yield from cls._of_method(method)
        owners = {r.row: (m.id, name) for name, m, c in catalog.configurations() for r in c.survey_rows}
        backbones = {b.survey_label: b.id for b in catalog.backbones.values() if b.survey_label}
        for cell in catalog.table5:
            method_id, configuration = owners[cell.row]
            yield cls.of(
                locator=f"Table 5, {cell.backbone_label}, {cell.row}, {cell.column}", method=method_id, table_number=5,
                row_label=cell.row, column_name=cell.column, configuration=configuration,
                backbone=backbones[cell.backbone_label], printed=cell.printed, status=cell.status, **_figure(cell.printed),
            )  # fmt: skip

    @classmethod
    def _of_method(cls, method: Method) -> Iterator[Self]:
        """Tables 1 and 2 speak of methods; their ticks have no number."""
        for number, row in ((1, method.survey.table1), (2, method.survey.table2)):
            if row is None:
                continue
            for column, printed in row.model_dump(exclude={"row", "note"}).items():
                yield cls.of(
                    locator=f"Table {number}, row {row.row}, {column}", method=method.id, table_number=number,
                    row_label=row.row, column_name=column, configuration=None, backbone=None, printed=printed,
                    status="printed", **_figure(printed if column.endswith("_percent") else None),
                )  # fmt: skip


class Explanation(Row):
    """Reviewed reasons why printed figures and ours differ."""

    identity = ("method", "position")
    rules = ("CHECK (cause <> 'unresolved' OR fits_setup IS NULL)",)

    method: MethodId
    position: int = Field(ge=0)
    """Order in its file, from 0."""
    row_label: Annotated[str, InDatabase(refers_to="survey_row")]
    """Row of Table 5."""
    cause: str
    """Kind of cause, or unresolved."""
    text: str
    """The reason, worded as what was found."""
    fits_setup: ConfigurationId | None
    """A configuration that gives the printed figures exactly."""
    correction: str | None
    """What could be printed instead; NULL where nothing is suggested."""
    innocent: str
    """How the figures can have come about without anybody's fault."""
    evidence: str | None
    """A SELECT of one row whose values are the figures that the text derives."""
    remark: str | None
    """Why figures that contradict each other are a mere remark and no erratum; NULL where they are one."""

    @classmethod
    def of_catalog(cls, catalog: Catalog) -> Iterator[Self]:
        for m in catalog.methods.values():
            yield from (cls.of(e, method=m.id, position=i, row_label=e.row) for i, e in enumerate(m.explanations))


class ExplanationFigure(Row):
    """The printed figures that an explanation speaks of."""

    identity = ("method", "position", "backbone", "column_name")
    rules = ("FOREIGN KEY (method, position) REFERENCES explanation",)

    method: str
    """Method of the explanation."""
    position: int
    """Position of the explanation."""
    backbone: BackboneId
    column_name: Literal["params_millions", "params_percent"]
    """Column of Table 5."""
    printed: str
    """The figure, as printed."""

    @classmethod
    def of_catalog(cls, catalog: Catalog) -> Iterator[Self]:
        for m, i, e in _explanations(catalog):
            for quoted in e.figures:
                for column, printed in quoted.printed().items():
                    yield cls(method=m, position=i, backbone=quoted.backbone, column_name=column, printed=printed)


class ExplanationTried(Row):
    """Configurations that were tried and do not give the printed figures."""

    identity = ("method", "position", "configuration")
    rules = ("FOREIGN KEY (method, position) REFERENCES explanation",)

    method: str
    """Method of the explanation."""
    position: int
    """Position of the explanation."""
    configuration: ConfigurationId

    @classmethod
    def of_catalog(cls, catalog: Catalog) -> Iterator[Self]:
        for m, i, e in _explanations(catalog):
            yield from (cls(method=m, position=i, configuration=name) for name in sorted(set(e.tried)))


class CellExplanation(Row):
    """Reviewed reasons why a cell of Tables 1 and 2 and what we measure differ."""

    identity = ("method", "table_number", "column_name")

    method: MethodId
    table_number: Literal[1, 2]
    """Which table of the survey the cell is in."""
    column_name: str
    """Which cell of the row: the column of the survey's table."""
    printed: str
    """The cell, as printed."""
    cause: str
    """Kind of cause, or unresolved."""
    text: str
    """The reason, worded as what was found."""
    innocent: str | None
    """How the cell can have come about without anybody's fault."""
    evidence: str | None
    """A SELECT of one row whose values are the figures that the text derives."""

    @classmethod
    def of_catalog(cls, catalog: Catalog) -> Iterator[Self]:
        for m in catalog.methods.values():
            yield from (cls.of(e, method=m.id, table_number=e.table, column_name=e.column) for e in m.cell_explanations)


class PrintedName(Row):
    """Names under which tables of the survey speak of methods."""

    identity = ("table_label", "printed")

    table_label: str
    """Table or appendix."""
    printed: str
    """Name as printed there."""
    method: MethodId
    """Method that it is read as."""
    configuration: ConfigurationId | None
    """Configuration that it is read as, where one is meant."""
    evidence: str
    """Why it is read so."""

    @classmethod
    def of_catalog(cls, catalog: Catalog) -> Iterator[Self]:
        return (cls.of(name, table_label=name.table) for name in catalog.survey.names)


class Microbatch(Row):
    """The survey's Table 3."""

    identity = ("backbone", "dataset")

    backbone: BackboneId
    backbone_label: str
    """Label of the base model in Table 5."""
    dataset: str
    """Name of the dataset in the survey."""
    microbatch: int = Field(gt=0)
    """Examples processed at once."""

    @classmethod
    def of_catalog(cls, catalog: Catalog) -> Iterator[Self]:
        backbones = {b.survey_label: b.id for b in catalog.backbones.values() if b.survey_label}
        return (cls.of(m, backbone=backbones[m.backbone_label]) for m in catalog.survey.table3)


class CategoryCell(Row):
    """The cells of the survey's Table 6."""

    identity = ("position",)

    position: int
    """Order, from 1."""
    aspect: str
    """Group of rows, as printed."""
    detail: str | None
    """Row within the group; NULL where it has one row."""
    category: str
    """Category of methods."""
    subcategory: str | None
    """Column within the category; NULL where it has one."""
    printed: str | None
    """The cell, as printed; a cell that spans columns stands in each."""
    status: str
    """printed, blank or missing_in_source."""

    @classmethod
    def of_catalog(cls, catalog: Catalog) -> Iterator[Self]:
        return (cls.of(cell, position=i) for i, cell in enumerate(catalog.survey.table6, start=1))


class RawScore(Row):
    """The survey's Appendix B, as printed."""

    identity = ("position",)

    position: int
    """Order, from 1."""
    backbone: BackboneId
    model: str
    """Name of the base model, as printed in Appendix B."""
    method: str
    """Name of the method, as printed in Appendix B."""
    dataset: str
    """Name of the dataset in the survey."""
    seed_printed: str | None
    """Random seed, as printed; NULL where the cell is blank."""
    score_printed: str | None
    """Accuracy in percent, or ROUGE-L on CNN, as printed; NULL where the cell is blank."""

    @classmethod
    def of_catalog(cls, catalog: Catalog) -> Iterator[Self]:
        labels = catalog.appendix_b_labels()
        for s in catalog.survey.appendix_b:
            yield cls.of(s, backbone=labels[s.model], seed_printed=s.seed, score_printed=s.score)


class Prompt(Row):
    """Task descriptions of the survey's Appendix A."""

    identity = ("dataset",)

    dataset: str
    """Name of the dataset in the survey."""
    prompt: str
    """Text put before each example."""

    @classmethod
    def of_catalog(cls, catalog: Catalog) -> Iterator[Self]:
        return map(cls.of, catalog.survey.prompts)


def _explanations(catalog: Catalog) -> Iterator[tuple[str, int, records.Explanation]]:
    for m in catalog.methods.values():
        yield from ((m.id, i, e) for i, e in enumerate(m.explanations))


def _figure(printed: str | None) -> dict[str, Any]:
    if printed is None:
        return dict.fromkeys(("value_min", "value_max", "decimals", "bound"))
    figure = parse_figure(printed)
    return {"value_min": figure.low, "value_max": figure.high, "decimals": figure.decimals, "bound": figure.bound}
