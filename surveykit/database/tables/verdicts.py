"""Tables of verdicts: claims beside what is recorded."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Self

from pydantic import Field

from surveykit.catalog.load import Catalog
from surveykit.catalog.sources import Cause
from surveykit.database.rows import Row
from surveykit.database.tables.claims import Printed, RowLabel, SourceKey, TableName, _Cell, explanations
from surveykit.record import BackboneId, ConfigurationId, MethodId
from surveykit.verify import verdicts
from surveykit.verify.evidence import Evidence
from surveykit.verify.judge import judge
from surveykit.verify.memory import Memory

PLACES = Decimal(1).scaleb(-10)
Measured = Annotated[Decimal, Field(max_digits=34, decimal_places=10)]


class Verdict(_Cell):
    """Every printed cell beside our measurement."""

    rules = ("FOREIGN KEY (source, table_name, position, column_name) REFERENCES claim",)

    method: MethodId | None
    """Method that we read the row as; NULL if the row names none or the catalog has no entry."""
    configuration: ConfigurationId | None
    """The configuration that was compared."""
    backbone: BackboneId | None
    """The model that was compared."""
    verdict: verdicts.Word
    """match, within_range, outside_range, partly, differs, predicted, not_comparable or not_measured."""
    outcome: verdicts.Outcome
    """The verdict together with its explanation."""
    measured: str | None
    """Our figure or word; NULL when nothing was measured."""
    value: Measured | None
    """Our figure as a number in the unit of the claim, unrounded; NULL for words."""
    sense: str | None
    """What our figure counts, or the state of the edits that it describes."""
    reason: str
    """What was compared, or why there is nothing to compare."""
    found_by: verdicts.FoundBy | None
    """named: the source names the configuration and the model; default: the default configuration agrees, compared before any other; search: another configuration, model or sense does; NULL where none does."""
    candidates: int | None
    """How many figures of ours were compared with the printed one."""
    fitting: int | None
    """How many of them agree with it."""
    explanation: int | None
    """Position of the reviewed explanation, as in explanation.position; NULL where there is none."""
    cause: Cause | None
    """Kind of cause of a difference."""
    explained: str | None
    """The reviewed reason of a difference."""
    fits_setup: ConfigurationId | None
    """Another configuration, which gives the printed figure; NULL where none is known."""

    @classmethod
    def of_catalog(cls, catalog: Catalog) -> Iterator[Self]:
        positions = {id(e): position for _, position, e in explanations(catalog)}
        for v in judge(catalog.claims, evidence(catalog)):
            found, e = v.found, v.explanation
            yield cls.of(
                v.claim, table_name=v.claim.table, column_name=v.claim.column, row_label=v.claim.row,
                configuration=found.configuration, backbone=found.model, verdict=v.word, outcome=v.outcome,
                measured=found.measured, value=None if found.value is None else found.value.quantize(PLACES),
                sense=found.sense, reason=found.reason, found_by=found.found_by, candidates=found.candidates,
                fitting=found.fitting, explanation=positions[id(e)] if e else None, cause=v.cause,
                explained=e.text if e else None, fits_setup=v.fits_setup,
            )  # fmt: skip


@lru_cache(maxsize=1)
def evidence(catalog: Catalog) -> Evidence:
    """What is recorded."""
    return Evidence(
        catalog, catalog.measurements, catalog.costs, catalog.memory, catalog.predictions, files=catalog.files
    )


class MemoryTried(Row):
    """Printed memory of a table that does not state its setting beside the predicted peak, in each setting that was tried."""

    identity = ("source", "table_name", "backbone", "row_label", "length", "dtype")

    source: SourceKey
    table_name: TableName
    backbone: BackboneId
    row_label: RowLabel
    method: MethodId
    configuration: ConfigurationId
    """Configuration that the row is read as."""
    batch: int
    """Examples at once."""
    length: int
    """Tokens of the encoder's input."""
    dtype: str
    """Number format of weights, gradients, activations and optimizer state."""
    printed_gb: Printed
    """Memory as printed, in the unit of the claim."""
    predicted_gb: Measured
    """Predicted peak of the stage with the highest peak, in the unit of the claim."""
    error_percent: float
    """How far the prediction is above the printed figure, in percent."""
    is_best_setting: bool
    """Whether length and precision are those that fit all rows of the table best."""
    read_as: ConfigurationId | None
    """Configuration of another method whose parameter count the row prints; NULL where there is none."""
    read_as_gb: Measured | None
    """Predicted peak of that configuration, in the unit of the claim; NULL where it was not traced in this setting."""

    @classmethod
    def of_catalog(cls, catalog: Catalog) -> Iterator[Self]:
        memory = Memory(evidence(catalog))
        for p in memory.predictions:
            claim = p.claim
            yield cls.of(
                p, source=claim.source, table_name=claim.table, backbone=p.model, row_label=claim.row,
                method=claim.method, printed_gb=p.printed, predicted_gb=p.predicted.quantize(PLACES),
                error_percent=float(p.error_percent),
                is_best_setting=memory.best.get((claim.source, claim.table)) == (p.length, p.dtype),
                read_as_gb=None if p.read_as_predicted is None else p.read_as_predicted.quantize(PLACES),
            )  # fmt: skip


class MemorySetting(Row):
    """Errors of predicted memory against printed memory, by table, setting, sample of rows, and model."""

    source: SourceKey
    table_name: TableName
    sample: str
    """all: each row predicted as the configuration it names; left_out: without rows that print another method's count; as_read: those rows predicted as that method."""
    backbone: BackboneId | None
    """Model of the rows; NULL: all models together."""
    length: int
    """Tokens of the encoder's input."""
    dtype: str
    """Number format of weights, gradients, activations and optimizer state."""
    rows: int
    """Printed figures compared."""
    mean_error_percent: float
    """Mean signed error, in percent of the printed figure: below 0 if predictions are too low."""
    mean_absolute_error_percent: float
    """Mean of the absolute errors, in percent."""
    least_error_percent: float
    """Smallest signed error of a row, in percent."""
    greatest_error_percent: float
    """Largest signed error of a row, in percent."""
    rank_correlation: float | None
    """Spearman's rank correlation of printed and predicted figures, equal values sharing their mean rank; NULL where there is none."""
    is_chosen: bool
    """Whether the setting has the smallest mean absolute error on all rows or, for one model, on the rows of the others: its errors are then out of sample."""

    @classmethod
    def of_catalog(cls, catalog: Catalog) -> Iterator[Self]:
        percents = [name for name in cls.model_fields if name.endswith("_percent")]
        for s in Memory(evidence(catalog)).settings:
            numbers = {name: float(getattr(s, name)) for name in percents}
            yield cls.of(s, table_name=s.table, backbone=s.model, **numbers)
