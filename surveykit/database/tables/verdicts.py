"""Tables of verdicts: claims beside what is recorded."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import Field

from surveykit.catalog.load import Catalog
from surveykit.database.rows import Row
from surveykit.database.tables.claims import Printed
from surveykit.record import BackboneId, ConfigurationId, MethodId
from surveykit.verify.cells import judge_cells
from surveykit.verify.evidence import Evidence
from surveykit.verify.memory import predictions, settings
from surveykit.verify.verdicts import judge

_PLACES = Decimal(1).scaleb(-10)
Measured = Annotated[Decimal, Field(max_digits=24, decimal_places=10)]


class Verdict(Row):
    """Every printed parameter figure of Table 5 beside ours."""

    identity = ("locator", "method")
    rules = ("FOREIGN KEY (locator, method) REFERENCES claim",)

    locator: str
    """Table, backbone, row and column, in words."""
    method: str
    """Id of the method, as in method.id."""
    row_label: str
    """First cell of the row, as printed."""
    configuration: ConfigurationId
    """Configuration that the row is read as."""
    backbone: BackboneId
    column_name: Literal["params_millions", "params_percent"]
    """Column: parameters in millions, or in percent of the base model's."""
    printed: str
    """The figure, as printed."""
    measured: Measured | None
    """Our figure in the column's unit; NULL when nothing was measured."""
    verdict: str
    """match, differs or not_measured, at the printed rounding."""
    outcome: str
    """Verdict and its explanation: match, fits_another_setup, inconsistent, unresolved, unexplained or not_measured."""
    cause: str | None
    """Kind of cause of a difference."""
    explanation: str | None
    """The reason of a difference."""
    fits_setup: ConfigurationId | None
    """A configuration that gives the printed figure exactly."""

    @classmethod
    def of_catalog(cls, catalog: Catalog) -> Iterator[Self]:
        for v in judge(catalog, catalog.measurements):
            measured = None if v.measured is None else v.measured.quantize(_PLACES)
            yield cls.of(v, row_label=v.row, column_name=v.column, measured=measured)


class CellVerdict(Row):
    """Every cell of Tables 1 and 2 beside what we measure."""

    identity = ("locator", "method")

    locator: str
    """Table, row and column, in words."""
    method: MethodId
    table_number: Literal[1, 2]
    """1 or 2: which table of the survey."""
    row_label: str
    """First cell of the row, as printed."""
    column_name: str
    """Which cell of the row: the column of the survey's table."""
    printed: str
    """The cell, as printed."""
    configuration: ConfigurationId | None
    """The configuration that was looked at."""
    backbone: BackboneId | None
    """The base model that was looked at."""
    measured: str | None
    """Our figure or word; NULL when nothing was measured."""
    verdict: Literal[
        "match", "within_range", "outside_range", "partly", "differs", "predicted", "not_comparable", "not_measured"
    ]
    """match, within_range, outside_range, partly, differs, not_comparable or not_measured."""
    sense: str | None
    """What our figure counts, or which state of the edits it speaks of."""
    reason: str
    """What was looked at, or why there is nothing to compare."""
    found_by: Literal["default", "search"] | None
    """default: the default configuration agrees, compared before any other; search: another configuration, base model or sense does; NULL where none does."""
    candidates: int | None
    """How many figures of ours were compared with the printed one."""
    fitting: int | None
    """How many of them agree with it."""
    cause: str | None
    """Kind of cause of a difference."""
    explanation: str | None
    """The reviewed reason of a difference."""
    fits_setup: ConfigurationId | None
    """Another configuration, which gives the printed cell; NULL where none is known."""

    @classmethod
    def of_catalog(cls, catalog: Catalog) -> Iterator[Self]:
        for v in judge_cells(Evidence(catalog, catalog.measurements, catalog.costs, catalog.memory)):
            yield cls.of(v, table_number=v.table, row_label=v.row, column_name=v.column)


class MemoryPrediction(Row):
    """Memory of the survey's Table 5 beside the predicted peak, in each traced setting; nothing is judged."""

    identity = ("backbone", "row_label", "length", "dtype")

    backbone: BackboneId
    row_label: str
    """First cell of the row, as printed."""
    method: MethodId
    configuration: ConfigurationId
    """Configuration that the row is read as."""
    batch: int
    """Examples at once: the microbatch of Table 3 for RTE."""
    length: int
    """Tokens of the encoder's input."""
    dtype: str
    """Number format of weights, gradients, activations and optimizer state."""
    printed_gb: Printed
    """Memory in GB, as printed in Table 5."""
    predicted_gb: Measured
    """Predicted peak of the stage that needs most, in GB of 10^9 bytes."""
    error_percent: float
    """How far the prediction lies above the printed figure, in percent."""
    is_best_setting: bool
    """Whether length and width are those that fit all rows best."""
    read_as: ConfigurationId | None
    """Configuration of another method whose parameter count the row prints; NULL where there is none."""
    read_as_gb: Measured | None
    """Predicted peak of that configuration, in GB of 10^9 bytes; NULL where it was not traced in this setting."""

    @classmethod
    def of_catalog(cls, catalog: Catalog) -> Iterator[Self]:
        found = predictions(catalog)
        best = next((s for s in settings(found) if s.sample == "all" and s.backbone is None and s.is_chosen), None)
        for p in found:
            yield cls.of(
                p, row_label=p.row, printed_gb=Decimal(p.printed), predicted_gb=p.predicted_gb.quantize(_PLACES),
                error_percent=float(p.error_percent),
                is_best_setting=best is not None and (p.length, p.dtype) == (best.length, best.dtype),
                read_as_gb=None if p.read_as_gb is None else p.read_as_gb.quantize(_PLACES),
            )  # fmt: skip


class MemorySetting(Row):
    """Errors of predicted memory against the survey's Table 5, by setting, sample of rows, and base model."""

    sample: str
    """all: each row predicted as the configuration it names; left_out: without rows that print another method's count; as_read: with these predicted as that method."""
    backbone: BackboneId | None
    """Base model of the rows; NULL: all base models together."""
    length: int
    """Tokens of the encoder's input."""
    dtype: str
    """Number format of weights, gradients, activations and optimizer state."""
    rows: int
    """Printed figures compared."""
    mean_error_percent: float
    """Mean error with its sign, in percent of the printed figure: below 0 where predictions are too low."""
    mean_absolute_error_percent: float
    """Mean of the absolute errors, in percent."""
    least_error_percent: float
    """Error of the row that is predicted lowest, in percent."""
    greatest_error_percent: float
    """Error of the row that is predicted highest, in percent."""
    rank_correlation: float | None
    """Spearman's rank correlation of printed and predicted figures, equal values sharing their mean rank; NULL where there is none."""
    is_chosen: bool
    """Whether the setting has the smallest mean absolute error on all rows or, for one base model, on the rows of the others: its errors are then out of sample."""

    @classmethod
    def of_catalog(cls, catalog: Catalog) -> Iterator[Self]:
        percents = [name for name in cls.model_fields if name.endswith("_percent")]
        for s in settings(predictions(catalog)):
            yield cls.of(s, **{name: float(getattr(s, name)) for name in percents})
