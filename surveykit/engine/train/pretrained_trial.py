"""Methods on real weights: a folder's model, trained on labelled texts, and what came of it."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import torch

from surveykit.engine.models.weights import load_tokenizer, load_weights
from surveykit.engine.train.differences import TOLERANCE
from surveykit.engine.train.tasks import Task, task_of
from surveykit.engine.train.texts import Example
from surveykit.engine.train.trial import Setting, Trial, trial
from surveykit.errors import RecipeError
from surveykit.processes import Watch, unwatched
from surveykit.recipes import Recipe, Stage

RATES = (1e-3, 1e-4)
"""Step sizes, the second where the first does not lower the loss."""
HEAD_ALONE = "(head alone)"
"""Name of the row of a frozen backbone, beside which the others are to be read: the head learns in all of them."""


@dataclass(frozen=True)
class Row:
    """What one configuration did. Everything but the first three is None where it could not run."""

    configuration: str
    status: str
    """`run` or `refused`."""
    reason: str | None
    """Why it was refused, or why what stays beside the weights cannot be merged."""
    trainable: int | None = None
    """Numbers of the model that the optimizer held; the head's are apart."""
    trainable_percent: float | None = None
    """… of the bare backbone's."""
    can_change: int | None = None
    """Pretrained entries that the method can change, by the count."""
    changed: int | None = None
    """Pretrained entries that differ after training and merging."""
    loss_before: float | None = None
    """On held-out texts, of the bare backbone with the head's starting values."""
    loss_after: float | None = None
    rate: float | None = None
    """The step size."""
    stored_bytes: int | None = None
    """Bytes to keep for the task, by the count."""
    file_bytes: int | None = None
    """Bytes on disk of what a user keeps for the task."""
    shared_file_bytes: int | None = None
    """… of what is kept once for all tasks."""
    reload_difference: float | None = None
    """Outputs of a fresh model with the reloaded file against those of the trained one: the largest difference,
    relative to the largest magnitude."""
    merge: str | None = None
    """`exact`, `partly` or `none` (what stays cannot be merged), `differs`."""
    merge_difference: float | None = None
    """Outputs after merging against those before: the largest difference, relative to the largest magnitude."""
    merge_difference_absolute: float | None = None
    faults: tuple[str, ...] = ()
    """What should not be: outputs that are not equal, tensors that moved, counts that are not true."""


@dataclass(frozen=True)
class Trials:
    """What configurations did on a folder's model."""

    model: str
    """Name of the folder."""
    parameters: int
    """Of the bare model, each once."""
    head: int
    """Parameters of the head, which no figure counts; 0 where the model's own output is trained on."""
    task: str
    """In words: labels, and how many texts are trained on and held out."""
    steps: int
    """Of AdamW, in each stage."""
    tolerance: float
    """Outputs are equal that differ by no more than this share of the largest."""
    notes: tuple[str, ...]
    """What of the folder was left out or is missing."""
    rows: tuple[Row, ...]
    """In the order in which they were tried; where there is a head, it alone comes first."""

    @property
    def faults(self) -> tuple[str, ...]:
        """What should not be, each with its configuration."""
        return tuple(f"{row.configuration}: {fault}" for row in self.rows for fault in row.faults)

    @property
    def passed(self) -> bool:
        return not self.faults


COLUMNS = tuple(field.name for field in fields(Row) if field.name != "faults")


class RealWeights:
    """A folder's model with a task.

    Args:
        folder: configuration, weights and tokenizer.
        examples: labelled texts.
        steps: optimizer steps in each stage.
        batch: examples in each.
        length: positions that a text is cut to.
        rates: step sizes; each is tried where those before it do not lower the loss.

    Raises:
        SurveyError: the folder has no weights or tokenizer that fit, or the texts are too few.
    """

    def __init__(
        self, folder: Path, examples: Sequence[Example], *, steps: int, batch: int, length: int,
        rates: tuple[float, ...] = RATES,
    ) -> None:  # fmt: skip
        with torch.random.fork_rng(devices=()):  # layers draw values when they are made, before theirs are loaded
            loaded = load_weights(folder)
            tokenizer = load_tokenizer(folder, loaded.instance)
            self.task: Task = task_of(loaded.instance, tokenizer, examples, batch=batch, steps=steps, length=length)
        self.instance = loaded.instance
        self.notes = loaded.notes
        self.setting = Setting(
            lambda: copy.deepcopy(loaded.instance), self.task.batches, self.task.held_out, self.task.objective, steps,
            rates, random_update=False,
        )  # fmt: skip

    @property
    def head(self) -> int:
        """Parameters of the head; 0 where the model's own output is trained on."""
        return sum(parameter.numel() for parameter in self.task.objective.parameters())

    def trials(self, recipes: Mapping[str, Recipe], watch: Watch = unwatched) -> Trials:
        """Try recipes by name."""
        rows, total = [], len(recipes) + bool(self.head)
        watch(0, total)
        for row in self.rows(recipes):
            rows.append(row)
            watch(len(rows), total)
        return Trials(
            self.instance.name, self.instance.parameters, self.head, self.task.description, self.setting.steps, TOLERANCE,
            tuple(self.notes), tuple(rows),
        )  # fmt: skip

    def rows(self, recipes: Mapping[str, Recipe]) -> Iterator[Row]:
        """Try recipes by name, one after another; where there is a head, it alone comes first."""
        if self.head:
            nothing = Stage(name="fine_tuning", scope="task", edits=(), train=())
            yield self.row(HEAD_ALONE, Recipe(stages=(nothing,)))
        for name, recipe in recipes.items():
            yield self.row(name, recipe)

    def row(self, name: str, recipe: Recipe) -> Row:
        """Try one recipe."""
        try:
            return _row(name, trial(recipe, self.setting))
        except RecipeError as error:
            return Row(name, "refused", str(error))


def _row(name: str, found: Trial) -> Row:
    return Row(
        configuration=name,
        status="run",
        reason=found.obstacle,
        trainable=found.trainable,
        trainable_percent=100 * found.trainable / found.parameters,
        can_change=found.changed,
        changed=found.changed_trained,
        loss_before=found.loss_before,
        loss_after=found.loss_after,
        rate=found.rate,
        stored_bytes=found.stored_bytes,
        file_bytes=found.file_bytes,
        shared_file_bytes=found.shared_file_bytes,
        reload_difference=found.reloaded.relative,
        merge=found.merge,
        merge_difference=found.merged.relative,
        merge_difference_absolute=found.merged.absolute,
        faults=tuple(_faults(found)),
    )


def _faults(found: Trial) -> Iterator[str]:
    if not found.restored:
        yield f"the reloaded file gives other outputs, by {found.reloaded.relative:.1e} of the largest"
    if not found.merged.equal:
        yield f"merging changes the outputs, by {found.merged.relative:.1e} of the largest"
    if found.stray is not None:
        yield f"{found.stray} moved, although it is frozen or masked"
    if found.trainable != found.counts.trainable_task:
        yield f"the optimizer held {found.trainable:,} numbers, {found.counts.trainable_task:,} are counted"
    if found.changed_trained > found.changed:
        yield f"{found.changed_trained:,} pretrained entries changed, at most {found.changed:,} are counted"
