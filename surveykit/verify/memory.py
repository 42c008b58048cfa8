"""Predicted peak memory beside the survey's Table 5. An error is shown; nothing is judged. Pure: no files, no torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Literal

from surveykit.catalog.load import Catalog
from surveykit.catalog.measurements import MemoryUse
from surveykit.ranks import rank_correlation

GIGABYTE = Decimal(1_000_000_000)


Sample = Literal["all", "left_out", "as_read"]
SAMPLES: tuple[Sample, ...] = ("all", "left_out", "as_read")
"""Rows that are compared: all, each predicted as the configuration that it names; without those whose printed counts are
another method's; with these predicted as that method."""


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
    read_as: str | None = None
    """The other method's configuration whose count the row prints, where that was reviewed."""
    read_as_gb: Decimal | None = None
    """The peak predicted for that one; None where it was not traced in this setting."""

    @property
    def error_percent(self) -> Decimal:
        """How far the prediction lies above the printed figure, in percent of it."""
        return (self.predicted_gb / Decimal(self.printed) - 1) * 100


@dataclass(frozen=True)
class Setting:
    """One assumption for all rows, length of the input and width of numbers, and its errors; the batch is Table 3's."""

    sample: Sample
    backbone: str | None
    """None: the rows of all backbones together."""
    length: int
    dtype: str
    rows: int
    mean_error_percent: Decimal
    """Mean of the errors with their signs: below 0 where predictions are too low."""
    mean_absolute_error_percent: Decimal
    least_error_percent: Decimal
    greatest_error_percent: Decimal
    rank_correlation: float | None
    """Spearman's; None where there are fewer than two figures."""
    is_chosen: bool
    """Whether it has the smallest mean absolute error: of all settings on the rows of all backbones; for one backbone, on
    the rows of the others, so that its errors are out of sample."""


def predictions(catalog: Catalog) -> tuple[MemoryPrediction, ...]:
    """Every printed memory figure of Table 5 in every setting that was traced."""
    traced: dict[tuple[str, str], list[MemoryUse]] = {}
    for m in catalog.memory:
        if m.status == "traced":
            traced.setdefault((m.configuration, m.backbone), []).append(m)
    others = {
        e.row: e.fits_setup
        for method in catalog.methods.values()
        for e in method.explanations
        if e.cause == "other_row" and e.fits_setup is not None
    }

    def found() -> Iterator[MemoryPrediction]:
        for backbone, method, configuration, row, printed in _printed(catalog):
            other = others.get(row)
            peaks = {(m.length, m.dtype): m.peak_any_stage for m in traced.get((other or "", backbone), [])}
            for m in traced.get((configuration, backbone), []):
                if m.peak_any_stage is not None:
                    read = peaks.get((m.length, m.dtype))
                    yield MemoryPrediction(
                        backbone, method, configuration, row, printed, m.batch, m.length, m.dtype,
                        Decimal(m.peak_any_stage) / GIGABYTE, other, None if read is None else Decimal(read) / GIGABYTE,
                    )  # fmt: skip

    return tuple(found())


def _printed(catalog: Catalog) -> Iterator[tuple[str, str, str, str, str]]:
    owners = {r.row: (m.id, name) for name, m, c in catalog.configurations() for r in c.survey_rows}
    backbones = {b.survey_label: b.id for b in catalog.models.values() if b.survey_label}
    for cell in catalog.table5:
        if cell.column == "ram_gb" and cell.printed is not None:
            yield backbones[cell.backbone_label], *owners[cell.row], cell.row, cell.printed


def settings(found: Sequence[MemoryPrediction]) -> tuple[Setting, ...]:
    """The errors of each setting, of each sample, over all backbones and on each; the smallest first.

    A setting holds for all rows: none is tuned for a row. It is left out where a row of its sample was not traced in it.
    """
    backbones = sorted({p.backbone for p in found})
    return tuple(
        setting
        for sample in SAMPLES
        for scope in (None, *backbones)
        for setting in _scoped(_sampled(found, sample), sample, scope)
    )


def sentences(found: Sequence[Setting]) -> list[str]:
    """The errors in lines that can be quoted: of what, in sample and out of it."""
    chosen = {(s.sample, s.backbone): s for s in found if s.is_chosen}
    best = chosen.get(("all", None))
    if best is None:
        return []
    tried = sum((s.sample, s.backbone) == ("all", None) for s in found)
    own = [s for (sample, backbone), s in chosen.items() if sample == "all" and backbone is not None]
    lines = [
        f"Table 5, memory: {best.rows} predictions with eager attention and no checkpointing. Of {tried} settings for all "
        f"rows, {best.length} positions in {best.dtype} fit best: mean absolute error {best.mean_absolute_error_percent:.1f} "
        f"% on these same rows, {_ranked(best)} over all."
    ]
    if own:
        each = "; ".join(
            f"{s.backbone} {s.mean_error_percent:+.1f} % ({s.least_error_percent:+.0f} to {s.greatest_error_percent:+.0f}), "
            f"absolute {s.mean_absolute_error_percent:.1f} %, {_ranked(s)}"
            for s in own
        )
        lines.append(f"Table 5, memory, each size in the setting that the other sizes choose: {each}.")
    left, read = chosen.get(("left_out", None)), chosen.get(("as_read", None))
    if left is not None and left.rows < best.rows:
        otherwise = f"; with these predicted as that method {read.mean_absolute_error_percent:.1f} %" if read else ""
        lines.append(
            f"Table 5, memory, without the {best.rows - left.rows} rows that print another method's parameter count: mean "
            f"absolute error {left.mean_absolute_error_percent:.1f} %{otherwise}."
        )
    return lines


def _ranked(setting: Setting) -> str:
    found = setting.rank_correlation
    return "no rank correlation" if found is None else f"rank correlation {found:.2f}"


def _scoped(rows: Sequence[MemoryPrediction], sample: Sample, backbone: str | None) -> list[Setting]:
    """The settings on one backbone, or on all."""
    judged, others = _by_setting(rows), _by_setting([p for p in rows if backbone is None or p.backbone != backbone])
    best = min(others, key=lambda place: _mean_absolute(others[place]), default=None)
    found = []
    for (length, dtype), everywhere in judged.items():
        some = [p for p in everywhere if backbone in (None, p.backbone)]
        errors = [p.error_percent for p in some]
        found.append(
            Setting(
                sample, backbone, length, dtype, len(some), sum(errors, Decimal(0)) / len(some), _mean_absolute(some),
                min(errors), max(errors),
                rank_correlation([float(p.printed) for p in some], [float(p.predicted_gb) for p in some]),
                (length, dtype) == best,
            )
        )  # fmt: skip
    return sorted(found, key=lambda s: s.mean_absolute_error_percent)


def _sampled(found: Sequence[MemoryPrediction], sample: Sample) -> list[MemoryPrediction]:
    if sample == "all":
        return list(found)
    kept = [p for p in found if p.read_as is None]
    if sample == "as_read":
        kept += [replace(p, predicted_gb=p.read_as_gb) for p in found if p.read_as_gb is not None]
    return kept


def _by_setting(rows: Sequence[MemoryPrediction]) -> dict[tuple[int, str], list[MemoryPrediction]]:
    """Rows by length and width, where all rows were traced."""
    found: dict[tuple[int, str], list[MemoryPrediction]] = {}
    for one in rows:
        found.setdefault((one.length, one.dtype), []).append(one)
    most = max(map(len, found.values()), default=0)
    return {place: some for place, some in found.items() if len(some) == most}


def _mean_absolute(rows: Sequence[MemoryPrediction]) -> Decimal:
    return sum((abs(p.error_percent) for p in rows), Decimal(0)) / len(rows)
