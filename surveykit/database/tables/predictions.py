"""Tables of predicted memory beside printed memory, each row in its own setting, and of the errors by kind of setting."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

from surveykit.catalog.load import Catalog
from surveykit.catalog.training import Training
from surveykit.database.rows import BigInt, Row
from surveykit.database.tables.claims import ColumnName, Printed, RowLabel, SourceKey, TableName
from surveykit.database.tables.verdicts import PLACES, Measured, evidence
from surveykit.record import BackboneId, ConfigurationId
from surveykit.verify.evidence import FACTORS
from surveykit.verify.predictions import Kind, Split, allocator_share, errors, predictions


class MemoryPrediction(Row, Training):
    """Printed memory beside the prediction in the setting of its row, with a column for each field of a training step;
    errors are shown, nothing is judged."""

    identity = ("source", "table_name", "position", "column_name")
    rules = ("FOREIGN KEY (source, table_name, position, column_name) REFERENCES claim",)

    source: SourceKey
    table_name: TableName
    position: int
    """Number of the row in its table, from 1."""
    column_name: ColumnName
    row_label: RowLabel
    configuration: ConfigurationId
    """The configuration that is predicted."""
    backbone: BackboneId
    printed: Printed
    """Memory as printed, in the unit of the claim."""
    unit: str
    """Unit of both figures."""
    predicted: Measured
    """Predicted memory, in the unit of the claim."""
    predicted_bytes: BigInt
    """Predicted memory, in bytes."""
    error_percent: float
    """How far the prediction is above the printed figure, in percent of it."""
    kind: Kind
    """Kind of setting by which errors are summarized."""
    split: Split
    """Whether we may tune on the runs of this source and model, or they are held out."""
    setting: str
    """Id of the setting that the table names, as in setting.id; rows may change it."""
    batch: int
    """Examples at once on a device."""
    length: int
    """Positions of an example."""
    remark: str | None
    """Known differences between the run and the trace; NULL if there are none."""

    @classmethod
    def of_catalog(cls, catalog: Catalog) -> Iterator[Self]:
        for p in predictions(evidence(catalog)):
            claim, unit = p.claim, p.claim.unit or "bytes"
            yield cls.of(
                p.step.training, source=claim.source, table_name=claim.table, position=claim.position,
                column_name=claim.column, row_label=claim.row, configuration=p.configuration, backbone=p.model,
                printed=p.printed, unit=unit, predicted=p.predicted.quantize(PLACES),
                predicted_bytes=int(p.predicted * FACTORS[unit]), error_percent=float(p.error_percent), kind=p.kind,
                split=p.split, setting=p.step.preset, batch=p.step.batch, length=p.step.length, remark=p.step.remark,
            )  # fmt: skip


MemoryPrediction.shown = (
    *(name for name in MemoryPrediction.model_fields if name not in Training.model_fields), *Training.model_fields,
)  # fmt: skip


class MemoryError(Row):
    """Errors of predicted memory by kind of setting, for runs that we may tune on and for held-out runs."""

    identity = ("kind", "split")

    kind: Kind
    """Kind of setting."""
    split: Split
    """Whether we may tune on these runs, or they are held out; only errors of held-out runs are quoted."""
    sources: str
    """Keys of the sources, joined by commas."""
    runs: int
    """Printed figures compared."""
    median_percent: float
    """Median of the absolute errors, in percent of what is printed."""
    worst_percent: float
    """Greatest of the absolute errors, in percent."""
    low_percent: float
    """How far printed figures are above (less than 0: below) predicted ones, in percent; one in twenty is lower."""
    high_percent: float
    """How far printed figures are above predicted ones, in percent; one in twenty is higher."""
    allocator_share: float | None
    """How much more memory a process reserves than its tensors take, as a share: the median over rows that print both; NULL if none does."""

    @classmethod
    def of_catalog(cls, catalog: Catalog) -> Iterator[Self]:
        share = allocator_share(catalog)
        for error in errors(predictions(evidence(catalog))):
            yield cls.of(error, sources=",".join(error.sources), allocator_share=share)
