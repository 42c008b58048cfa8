"""Predicted peak memory beside that of tables that do not say how their runs were made: it is predicted in several
settings, and the one that fits best is shown with its error. Nothing is judged. Pure: no files, no torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property
from typing import Literal

from surveykit.catalog.claims import Claim
from surveykit.catalog.figures import parse_figure
from surveykit.ranks import rank_correlation
from surveykit.verify.evidence import FACTORS, Evidence
from surveykit.verify.verdicts import Found

Sample = Literal["all", "left_out", "as_read"]
SAMPLES: tuple[Sample, ...] = ("all", "left_out", "as_read")
"""Rows that are compared: all, each predicted as the configuration that it names; without those whose printed counts are
another method's; with these predicted as that method."""


@dataclass(frozen=True)
class MemoryPrediction:
    """One printed figure of memory beside the predicted peak in one setting."""

    claim: Claim
    configuration: str
    model: str
    printed: Decimal
    """In the claim's unit."""
    batch: int
    length: int
    dtype: str
    predicted: Decimal
    """Peak of a training step in the stage that needs most, in the claim's unit."""
    read_as: str | None = None
    """The other method's configuration whose count the row prints, where that was reviewed."""
    read_as_predicted: Decimal | None = None
    """The peak predicted for that one; None where it was not traced in this setting."""

    @property
    def error_percent(self) -> Decimal:
        """How far the prediction is above the printed figure, in percent of it."""
        return (self.predicted / self.printed - 1) * 100


@dataclass(frozen=True)
class Setting:
    """One assumption for all rows of a table, length of the input and precision, and its errors."""

    source: str
    table: str
    sample: Sample
    model: str | None
    """None: the rows of all models together."""
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


class Memory:
    """Predictions for claims about memory of runs that nobody describes, and which setting fits each table best."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence

    @cached_property
    def predictions(self) -> tuple[MemoryPrediction, ...]:
        """Every printed figure of such memory in every setting that was traced."""
        quantities = self.evidence.catalog.quantities.by_id
        return tuple(
            found
            for claim in self.evidence.catalog.claims
            if quantities[claim.quantity].compare == "predicted" and claim.printed is not None and not claim.stated
            for found in self._predicted(claim)
        )

    def _predicted(self, claim: Claim) -> Iterator[MemoryPrediction]:
        if claim.configuration is None or claim.model is None:
            return
        figure = parse_figure(claim.printed or "")
        factor = FACTORS[claim.unit or "bytes"]
        other = self._read_as(claim)
        peaks = {(m.length, m.dtype): m.peak_any_stage for m in self.evidence.peaks(other or "", claim.model)}
        for m in self.evidence.peaks(claim.configuration, claim.model):
            if m.peak_any_stage is not None:
                read = peaks.get((m.length, m.dtype))
                yield MemoryPrediction(
                    claim, claim.configuration, claim.model, figure.low * figure.scale, m.batch, m.length, m.dtype,
                    Decimal(m.peak_any_stage) / factor, other, None if read is None else Decimal(read) / factor,
                )  # fmt: skip

    def _read_as(self, claim: Claim) -> str | None:
        """The other method's configuration whose count the claim's row prints."""
        for e in self.evidence.catalog.sources[claim.source].explanations:
            if (e.table, e.row, e.cause) == (claim.table, claim.row, "other_row") and e.fits_setup is not None:
                return e.fits_setup.configuration
        return None

    @cached_property
    def settings(self) -> tuple[Setting, ...]:
        """The errors of every setting, table by table, the smallest first."""
        tables: dict[tuple[str, str], list[MemoryPrediction]] = {}
        for p in self.predictions:
            tables.setdefault((p.claim.source, p.claim.table), []).append(p)
        return tuple(setting for found in tables.values() for setting in settings(found))

    @cached_property
    def best(self) -> dict[tuple[str, str], tuple[int, str]]:
        """By source and table, the length and precision that fit all its rows best."""
        chosen = [s for s in self.settings if s.sample == "all" and s.model is None and s.is_chosen]
        return {(s.source, s.table): (s.length, s.dtype) for s in chosen}

    @cached_property
    def _shown(self) -> dict[tuple[str, str, int, str], MemoryPrediction]:
        return {
            p.claim.place: p
            for p in self.predictions
            if (p.length, p.dtype) == self.best.get((p.claim.source, p.claim.table))
        }

    def look(self, claim: Claim) -> Found:
        """The prediction for a claim in the setting that fits its table best."""
        p = self._shown.get(claim.place)
        if p is None:
            setting = self.evidence.catalog.settings.get(claim.setting or "")
            reason = (
                setting.not_traced if setting else None
            ) or "memory of this configuration on this model is not traced"
            return Found("not_comparable", None, None, reason, claim.configuration, claim.model)
        reason = f"batch {p.batch}, {p.length} positions, {p.dtype}: {p.error_percent:+z.1f} % of the printed figure"
        shown = f"{p.predicted.quantize(Decimal('0.01')):f}"
        return Found("predicted", shown, None, reason, p.configuration, p.model, value=p.predicted)


def settings(found: Sequence[MemoryPrediction]) -> tuple[Setting, ...]:
    """The errors of each setting of one table, of each sample, over all models and on each; the smallest first.

    A setting holds for all rows: none is tuned for a row. It is left out where a row of its sample was not traced in it.
    """
    models = sorted({p.model for p in found})
    return tuple(
        setting
        for sample in SAMPLES
        for scope in (None, *models)
        for setting in _scoped(_sampled(found, sample), sample, scope)
    )


def sentences(found: Sequence[Setting], table: str) -> list[str]:
    """The errors of one table in lines that can be quoted: of what, in sample and out of it.

    Args:
        table: what the table is called.
    """
    chosen = {(s.sample, s.model): s for s in found if s.is_chosen}
    best = chosen.get(("all", None))
    if best is None:
        return []
    tried = sum((s.sample, s.model) == ("all", None) for s in found)
    own = [s for (sample, model), s in chosen.items() if sample == "all" and model is not None]
    lines = [
        f"{table}, memory: {best.rows} predictions with eager attention and no checkpointing. Of {tried} settings for all "
        f"rows, {best.length} positions in {best.dtype} fit best: mean absolute error {best.mean_absolute_error_percent:.1f} "
        f"% on these same rows, {_ranked(best)} over all."
    ]
    if own:
        each = "; ".join(
            f"{s.model} {s.mean_error_percent:+z.1f} % ({s.least_error_percent:+z.0f} to {s.greatest_error_percent:+z.0f}), "
            f"absolute {s.mean_absolute_error_percent:.1f} %, {_ranked(s)}"
            for s in own
        )
        lines.append(f"{table}, memory, each model in the setting that the others choose: {each}.")
    left, read = chosen.get(("left_out", None)), chosen.get(("as_read", None))
    if left is not None and left.rows < best.rows:
        otherwise = f"; with these predicted as that method {read.mean_absolute_error_percent:.1f} %" if read else ""
        lines.append(
            f"{table}, memory, without the {best.rows - left.rows} rows that print another method's parameter count: mean "
            f"absolute error {left.mean_absolute_error_percent:.1f} %{otherwise}."
        )
    return lines


def _ranked(setting: Setting) -> str:
    found = setting.rank_correlation
    return "no rank correlation" if found is None else f"rank correlation {found:.2f}"


def _scoped(rows: Sequence[MemoryPrediction], sample: Sample, model: str | None) -> list[Setting]:
    """The settings on one model, or on all."""
    judged, others = _by_setting(rows), _by_setting([p for p in rows if model is None or p.model != model])
    best = min(others, key=lambda place: _mean_absolute(others[place]), default=None)
    found = []
    for (length, dtype), everywhere in judged.items():
        some = [p for p in everywhere if model in (None, p.model)]
        errors = [p.error_percent for p in some]
        found.append(
            Setting(
                some[0].claim.source, some[0].claim.table, sample, model, length, dtype, len(some), sum(errors, Decimal(0)) / len(some), _mean_absolute(some),
                min(errors), max(errors),
                rank_correlation([float(p.printed) for p in some], [float(p.predicted) for p in some]),
                (length, dtype) == best,
            )
        )  # fmt: skip
    return sorted(found, key=lambda s: s.mean_absolute_error_percent)


def _sampled(found: Sequence[MemoryPrediction], sample: Sample) -> list[MemoryPrediction]:
    if sample == "all":
        return list(found)
    kept = [p for p in found if p.read_as is None]
    if sample == "as_read":
        kept += [replace(p, predicted=p.read_as_predicted) for p in found if p.read_as_predicted is not None]
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
