"""What `surveykit fit` says of each configuration, for programs: a record for each, and its schema."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from pydantic import TypeAdapter

from surveykit.catalog.training import Training
from surveykit.fit.answer import Answer
from surveykit.fit.candidates import Standing
from surveykit.fit.errors import PredictionError
from surveykit.fit.options import Options
from surveykit.fit.ranking import Choice
from surveykit.record import Record


class Run(Record):
    """The setting that the figures are of."""

    name: str
    """The named setting; fields of `training` may have been changed."""
    batch: int
    """Examples at once on each device."""
    length: int
    """Positions of an input."""
    target_length: int
    """Positions of a target, where there is a decoder behind an encoder."""
    training: Training


class PartsRow(Record):
    """Bytes at the moment of the peak; they add up to it."""

    weights: int
    """Of the model and of what the method adds."""
    optimizer: int
    """The optimizer's state."""
    gradients: int
    """Of trainable parameters."""
    logits: int
    """Scores of the vocabulary, and their gradients."""
    activations: int
    """Kept for the backward pass."""
    working: int
    """What operators need for a while, and gradients of activations."""


class ChangeRow(Record):
    """What could be changed, and the peak then."""

    change: str
    """As flags say it."""
    cost: str
    peak_bytes: int
    standing: Standing


class OptionsRow(Record):
    """What could be done."""

    changes: tuple[ChangeRow, ...]
    """Those that make it fit, the cheapest first; where none does, those that help most."""
    largest_batch: int
    """That fits at this length; 0: none."""
    largest_length: int
    """That fits at this batch, in steps of 64; 0: none."""
    code: str | None
    """Python that trains so, for the first in the ranking."""

    @classmethod
    def of(cls, options: Options) -> OptionsRow:
        changes = tuple(
            ChangeRow(change=c.words, cost=c.cost, peak_bytes=c.peak, standing=c.standing) for c in options.changes
        )
        same = {name: getattr(options, name) for name in ("largest_batch", "largest_length", "code")}
        return cls(changes=changes, **same)


class Row(Record):
    """One configuration on one model in one setting."""

    model: str
    """As it was named."""
    setting: Run
    configuration: str
    """method/configuration, with what was changed in it."""
    method: str
    """Its name."""
    standing: Standing
    """`fits` if the high figure and the driver's context fit, `tight` if the low figure and the context do."""
    peak_bytes: int
    """Expected peak of what is allocated."""
    low_bytes: int
    """The lowest that it may mean, by the error of such predictions."""
    high_bytes: int
    """The highest."""
    reserved_bytes: int
    """What torch's allocator reserves then where there is room; it gives back what it does not use."""
    context_bytes: int
    """What the driver needs beside it."""
    parts: PartsRow
    error: PredictionError | None
    """null: such predictions were not compared with published runs."""
    weights_bytes: int
    optimizer_bytes: int
    gradients_activations_bytes: int
    """The peak without weights and optimizer state."""
    least_bytes: int
    """Weights, all gradients and optimizer state, which no attention and no checkpointing changes."""
    batch_that_fits: int | None
    """The largest smaller batch that fits, where the one that was asked for does not; 0: none."""
    options: OptionsRow | None
    """What could be done; null where it was not traced."""
    trainable: int
    """Trainable parameters, in the stage in which they are most."""
    trainable_percent: float
    """Of the base model."""
    trainable_last_stage: int
    trainable_last_stage_percent: float
    stored_bytes: int
    """To keep for each task, at 4 bytes a number."""
    overhead: str
    """Kinds of inference overhead before merging."""
    overhead_merged: str
    """… after merging."""
    size: str | None
    """The hyper-parameter that a budget set."""
    forward_flops: int | None
    """Of matrix multiplications of a training step; null where no step was traced."""
    backward_flops: int | None
    """With those of blocks that are computed again."""
    compute_percent_of_full_tuning: float | None
    """FLOPs of a training step, of full tuning's on the same text in the same setting."""
    flops_percent: float
    """Additional FLOPs at inference, before merging."""
    merged_flops_percent: float
    score: float | None
    """Mean in the survey's experiment, on the T5 that is nearest in size."""
    score_on: str | None
    score_of: str | None
    """The configuration of that score, where it is another one."""
    score_caveat: str | None
    """Why the score is doubtful."""
    table5_memory_gb: float | None
    """What the survey's Table 5 prints, in its own setting."""
    table5_memory_batch: int | None
    evaluated: bool | None
    """Whether the survey's Table 2 says that papers evaluated the method at this size."""
    is_reconstruction: bool


def rows_of(answer: Answer) -> Iterator[Row]:
    """The rows of an answer, best first."""
    asked = answer.question
    setting = Run(
        name=asked.setting, batch=asked.batch, length=asked.length, target_length=asked.target_length,
        training=asked.training,
    )  # fmt: skip
    for choice in answer.choices:
        yield _row(answer, choice, setting)


def _row(answer: Answer, choice: Choice, setting: Run) -> Row:
    c, e, asked = choice.candidate, choice.candidate.evidence, answer.question
    peak = c.parts.peak
    same = ("configuration", "trainable", "trainable_percent", "trainable_last_stage", "trainable_last_stage_percent",
            "stored_bytes", "overhead", "overhead_merged", "size", "flops_percent", "merged_flops_percent",
            "batch_that_fits", "is_reconstruction")  # fmt: skip
    return Row(
        model=answer.model, setting=setting, method=c.name, standing=choice.standing, peak_bytes=peak,
        low_bytes=asked.low(peak), high_bytes=asked.high(peak), reserved_bytes=asked.reserved(peak),
        context_bytes=asked.memory - asked.room, parts=PartsRow(**c.parts.parts), error=asked.error,
        weights_bytes=c.parts.weights, optimizer_bytes=c.parts.optimizer, gradients_activations_bytes=c.parts.passing,
        least_bytes=c.parts.least, options=None if choice.options is None else OptionsRow.of(choice.options),
        score=None if e.score is None else round(e.score, 2), score_on=e.score_on, score_of=e.score_of,
        score_caveat=e.score_caveat, table5_memory_gb=e.memory_gb, table5_memory_batch=e.memory_batch,
        forward_flops=None if c.compute is None else c.compute.forward_flops,
        backward_flops=None if c.compute is None else c.compute.backward_flops,
        compute_percent_of_full_tuning=None if c.compute is None else c.compute.percent_of_full_tuning,
        evaluated=e.evaluated, **{name: getattr(c, name) for name in same},
    )  # fmt: skip


def flat(record: dict[str, Any]) -> dict[str, Any]:
    """A record without records in it: their fields behind their names, `parts_weights`; lists as JSON. For CSV."""
    found: dict[str, Any] = {}
    for name, value in record.items():
        if isinstance(value, dict):
            found |= {f"{name}_{inner}": one for inner, one in flat(value).items()}
        else:
            found[name] = json.dumps(value, ensure_ascii=False) if isinstance(value, list) else value
    return found


def schema() -> str:
    """The JSON Schema of what `surveykit fit --format json` prints."""
    return json.dumps(TypeAdapter(tuple[Row, ...]).json_schema(), ensure_ascii=False, indent=2) + "\n"
