"""Predicted peak memory beside the survey's Table 5. An error is shown; nothing is judged. Pure: no files, no torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from surveykit.catalog.load import Catalog
from surveykit.catalog.measurements import MemoryUse
from surveykit.ranks import rank_correlation

GIGABYTE = Decimal(1_000_000_000)


@dataclass(frozen=True)
class MemoryPrediction:
    """One printed figure of Table 5's memory column beside the predicted peak in one setting."""

    backbone: str
    method: str
    configuration: str
    row: str
    printed: str
    batch: int
    length: int
    dtype: str
    predicted_gb: Decimal
    """Peak of a training step in the stage that needs most, in 10^9 bytes."""

    @property
    def error_percent(self) -> Decimal:
        """How far the prediction lies above the printed figure, in percent of it."""
        return (self.predicted_gb / Decimal(self.printed) - 1) * 100


@dataclass(frozen=True)
class Setting:
    """One assumption for all rows: length of the input and width of numbers; the batch is Table 3's."""

    length: int
    dtype: str
    rows: int
    mean_error_percent: Decimal
    """Mean of the absolute errors."""
    rank_correlation: float | None
    """Spearman's, over all rows; None where there are fewer than two figures."""


def predictions(catalog: Catalog) -> tuple[MemoryPrediction, ...]:
    """Every printed memory figure of Table 5 in every setting that was traced."""
    traced: dict[tuple[str, str], list[MemoryUse]] = {}
    for m in catalog.memory:
        if m.status == "traced":
            traced.setdefault((m.configuration, m.backbone), []).append(m)
    return tuple(
        MemoryPrediction(
            backbone,
            method,
            configuration,
            row,
            printed,
            m.batch,
            m.length,
            m.dtype,
            Decimal(m.peak_any_stage) / GIGABYTE,
        )
        for backbone, method, configuration, row, printed in _printed(catalog)
        for m in traced.get((configuration, backbone), [])
        if m.peak_any_stage is not None
    )


def _printed(catalog: Catalog) -> Iterator[tuple[str, str, str, str, str]]:
    owners = {r.row: (m.id, name) for name, m, c in catalog.configurations() for r in c.survey_rows}
    backbones = {b.survey_label: b.id for b in catalog.backbones.values() if b.survey_label}
    for cell in catalog.table5:
        if cell.column == "ram_gb" and cell.printed is not None:
            yield backbones[cell.backbone_label], *owners[cell.row], cell.row, cell.printed


def settings(found: Sequence[MemoryPrediction]) -> tuple[Setting, ...]:
    """The settings, the one with the smallest mean error first. One holds for all rows: none is tuned for a row."""
    by_setting: dict[tuple[int, str], list[MemoryPrediction]] = {}
    for one in found:
        by_setting.setdefault((one.length, one.dtype), []).append(one)
    ranked = [
        Setting(
            length=length,
            dtype=dtype,
            rows=len(some),
            mean_error_percent=sum((abs(p.error_percent) for p in some), Decimal(0)) / len(some),
            rank_correlation=rank_correlation([float(p.printed) for p in some], [float(p.predicted_gb) for p in some]),
        )
        for (length, dtype), some in by_setting.items()
    ]
    return tuple(sorted(ranked, key=lambda s: s.mean_error_percent))
