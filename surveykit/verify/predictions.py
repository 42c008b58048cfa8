"""Printed memory beside memory that is predicted in the row's own setting, with the errors by kind of setting.

Sources and models are divided once, by a seed, into those that something may be tuned on and those that are held out:
only errors of the latter are quoted for new predictions. Pure: no files, no torch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from statistics import median, quantiles
from typing import Literal

from surveykit.catalog.claims import Claim
from surveykit.catalog.figures import parse_figure
from surveykit.catalog.load import Catalog
from surveykit.catalog.measurements import Prediction
from surveykit.catalog.steps import Step
from surveykit.catalog.training import SURVEYS, Training
from surveykit.record import Record
from surveykit.verify.evidence import FACTORS, Evidence
from surveykit.verify.memory import Memory
from surveykit.verify.verdicts import Found, Verdict

Kind = Literal[
    "eager attention", "fused attention", "checkpointing", "few bits", "several devices", "held between steps"
]
KINDS: tuple[tuple[Kind, str], ...] = (
    ("eager attention", "attention that keeps its scores, no checkpointing"),
    ("fused attention", "torch's fused attention or FlashAttention, no checkpointing"),
    ("checkpointing", "blocks are checkpointed, with fused attention"),
    ("few bits", "frozen weights in 4 or 8 bits"),
    ("several devices", "weights, gradients or states divided among devices"),
    ("held between steps", "weights, states and gradients alone, in whichever setting"),
)
"""Kinds of settings, in which errors are summed up, and what each is."""
Split = Literal["tuned on", "held out"]
SEED = 4
"""Draws the split. It is the first number with which runs of PEFT's benchmark, from whose maximum the length of all its
rows was read, may be tuned on, and with which every kind of setting has runs that are held out."""
TUNED_SHARE = 1 / 3
LOW, HIGH = 5, 95
"""Percentiles that bound what a prediction may mean."""


@dataclass(frozen=True)
class Predicted:
    """One printed figure of memory beside the prediction in the setting of its row."""

    claim: Claim
    configuration: str
    model: str
    step: Step
    printed: Decimal
    """In the claim's unit."""
    predicted: Decimal
    """In the claim's unit."""
    kind: Kind
    split: Split

    @property
    def error_percent(self) -> Decimal:
        """How far the prediction is above the printed figure, in percent of it."""
        return (self.predicted / self.printed - 1) * 100


class KindError(Record):
    """How far predictions of one kind of setting are from printed figures, in one part of the split."""

    kind: Kind
    split: Split
    sources: tuple[str, ...]
    runs: int
    median_percent: float
    """Of the absolute errors, in percent of what is printed."""
    worst_percent: float
    """Of the absolute errors, in percent of what is printed."""
    low_percent: float
    """How far printed figures are above (less than 0: below) predicted ones, in percent; one in twenty is lower."""
    high_percent: float
    """… one in twenty is higher."""


def split_of(source: str, model: str) -> Split:
    """In which part the runs of a source on a model are: all in the same."""
    drawn = int.from_bytes(hashlib.sha256(f"{SEED}\n{source}\n{model}".encode()).digest()[:4])
    return "tuned on" if drawn < TUNED_SHARE * 2**32 else "held out"


def kind_of(training: Training) -> Kind:
    """The kind of setting that a step runs in: the hardest to predict of those that it has."""
    if training.devices > 1:
        return "several devices"
    if training.base_bits < 16:
        return "few bits"
    if training.checkpointing != "none":
        return "checkpointing"
    return "eager attention" if training.attention == "eager" else "fused attention"


def predictions(evidence: Evidence) -> tuple[Predicted, ...]:
    """Every printed figure of memory whose setting is known, and those of tables whose setting was chosen by their other
    models, as these choose it."""
    catalog = evidence.catalog
    predicted = {q.id for q in catalog.quantities.quantities if q.compare == "predicted"}
    stated = [c for c in catalog.claims if c.quantity in predicted and c.step is not None]
    return (*(p for c in stated if (p := predicted_of(c, evidence)) is not None), *_chosen(evidence))


def predicted_of(claim: Claim, evidence: Evidence) -> Predicted | None:
    """The prediction for a claim that states its step; None where nothing was traced, or a word is printed such as OOM."""
    traced = _traced(claim, evidence)
    if traced is None or claim.step is None or claim.printed is None or claim.means is not None:
        return None
    figure = parse_figure(claim.printed)
    quantity = evidence.catalog.quantities.by_id[claim.quantity]
    held = quantity.figure == "held"
    amount = sum(getattr(traced, name) for name in claim.step.held) if held else traced.peak
    return Predicted(
        claim, traced.configuration, traced.backbone, claim.step, figure.low * figure.scale,
        Decimal(amount or 0) / FACTORS[claim.unit or "bytes"],
        "held between steps" if held else kind_of(claim.step.training), split_of(claim.source, traced.backbone),
    )  # fmt: skip


def look(claim: Claim, evidence: Evidence) -> Found:
    """The verdict on a claim about memory whose table says how its runs were made."""
    traced = _traced(claim, evidence)
    if claim.step is None or traced is None:
        reason = claim.no_step or "Memory of this configuration on this model in the row's setting is not traced."
        return Found("not_comparable", None, None, reason, claim.configuration, claim.model)
    found, setting = predicted_of(claim, evidence), described(claim.step)
    if found is None:
        peak = Decimal(traced.peak or 0) / FACTORS[claim.unit or "bytes"]
        reason = f"{claim.means}; predicted are {_shown(peak)} {claim.unit}, {setting}"
        return Found("not_comparable", _shown(peak), None, reason, claim.configuration, claim.model, value=peak)
    reason = f"{setting}: {found.error_percent:+z.1f} % of the printed figure"
    return Found(
        "predicted", _shown(found.predicted), None, reason, found.configuration, found.model, value=found.predicted
    )


def sentences(verdicts: Iterable[Verdict], table: str) -> list[str]:
    """The errors of one table whose rows are predicted each in its own setting, in a line that can be quoted.

    Args:
        table: what the table is called.
    """
    found = [(v, abs(_error_of(v))) for v in verdicts if v.word == "predicted" and v.claim.stated]
    if not found:
        return []
    worst, size = max(found, key=lambda one: one[1])
    middle = median(error for _, error in found)
    return [
        f"{table}, memory: {len(found)} figures beside the prediction in the setting of their row; the median of the "
        f"absolute errors is {middle:.1f} %, the greatest {size:.1f} % ({worst.claim.row}, {worst.claim.column})."
    ]


def _error_of(verdict: Verdict) -> Decimal:
    figure = parse_figure(verdict.claim.printed or "")
    return ((verdict.found.value or 0) / (figure.low * figure.scale) - 1) * 100


def described(step: Step) -> str:
    """A step in words: the preset and the text it reads, then what the row has otherwise than the plainest setting."""
    changed = step.training.differences(SURVEYS)
    words = (name if value is True else f"{name} {value}" for name, value in changed.items())
    how = ", ".join(words).replace("_", " ")
    return f"setting {step.preset}, batch {step.batch}, {step.length} positions{': ' if how else ''}{how}"


def _shown(amount: Decimal) -> str:
    return f"{amount.quantize(Decimal('0.01') if amount < 10**4 else Decimal(1)):f}"


def _traced(claim: Claim, evidence: Evidence) -> Prediction | None:
    if claim.step is None or claim.configuration is None or claim.model is None:
        return None
    return evidence.step(claim.configuration, claim.model, claim.step)


def _chosen(evidence: Evidence) -> Iterator[Predicted]:
    """Rows of tables that state no step, as their setting is chosen by the other models; a row whose counts are another
    method's as that one."""
    memory = Memory(evidence)
    best = {
        (s.source, s.table, s.model): (s.length, s.dtype)
        for s in memory.settings
        if s.sample == "left_out" and s.is_chosen
    }
    for p in memory.predictions:
        amount = p.predicted if p.read_as is None else p.read_as_predicted
        if best.get((p.claim.source, p.claim.table, p.model)) == (p.length, p.dtype) and amount is not None:
            training = SURVEYS.model_copy(update={"dtype": p.dtype})
            setting = evidence.catalog.settings[p.claim.setting or evidence.judging.setting]
            step = Step(setting.id, p.batch, p.length, setting.target_length, training)
            yield Predicted(
                p.claim, p.read_as or p.configuration, p.model, step, p.printed, amount, kind_of(training),
                split_of(p.claim.source, p.model),
            )  # fmt: skip


def errors(found: Iterable[Predicted]) -> tuple[KindError, ...]:
    """Errors by kind of setting and part of the split, where there are runs."""
    rows = list(found)
    return tuple(
        _error(kind, split, some)
        for kind, _ in KINDS
        for split in ("tuned on", "held out")
        if (some := [p for p in rows if (p.kind, p.split) == (kind, split)])
    )


def _error(kind: Kind, split: Split, some: Sequence[Predicted]) -> KindError:
    low, high = _bounds([float(p.printed / p.predicted - 1) * 100 for p in some])
    sizes = [abs(float(p.error_percent)) for p in some]
    sources = tuple(sorted({p.claim.source for p in some}))
    return KindError(
        kind=kind, split=split, sources=sources, runs=len(some), median_percent=median(sizes), worst_percent=max(sizes),
        low_percent=low, high_percent=high,
    )  # fmt: skip


def _bounds(signed: Sequence[float]) -> tuple[float, float]:
    """The values between which nine of ten lie; of fewer than twenty, the least and the greatest."""
    if len(signed) < 20:
        return min(signed), max(signed)
    percentiles = quantiles(signed, n=100, method="inclusive")
    return percentiles[LOW - 1], percentiles[HIGH - 1]


def allocator_share(catalog: Catalog) -> float | None:
    """How much more than tensors take at their highest a process keeps of a device: the median over rows that print both.

    None where no row does. It says nothing of predictions: both figures are the sources'.
    """
    rows: dict[tuple[str, str, int], dict[str, Decimal]] = {}
    for claim in catalog.claims:
        both = claim.quantity in ("allocated_memory", "device_memory") and claim.step is not None
        if both and claim.printed is not None and claim.means is None:
            figure = parse_figure(claim.printed)
            row = rows.setdefault((claim.source, claim.table, claim.position), {})
            row[claim.quantity] = figure.low * figure.scale * FACTORS[claim.unit or "bytes"]
    shares = [float(row["device_memory"] / row["allocated_memory"] - 1) for row in rows.values() if len(row) == 2]
    return median(shares) if shares else None
