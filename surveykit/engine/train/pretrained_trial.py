"""Trials on pretrained weights: a folder's model is trained on labelled texts with each method, and checked."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import torch

from surveykit.engine.models.weights import load_tokenizer, load_weights
from surveykit.engine.train.differences import TOLERANCE
from surveykit.engine.train.tasks import Task, make_task
from surveykit.engine.train.texts import Example
from surveykit.engine.train.trial import Setting, Trial, trial
from surveykit.errors import RecipeError
from surveykit.processes import Watch, unwatched
from surveykit.recipes import Recipe, Stage

LEARNING_RATES = (1e-3, 1e-4)
"""Each is tried where those before it do not lower the loss."""
HEAD_ALONE = "(head alone)"
"""Row for the head trained on the frozen model. The head is trained in every row, so the others are compared with it."""


@dataclass(frozen=True)
class TrialRow:
    """The result of one configuration. A refused one has only the first three fields."""

    configuration: str
    status: str
    """`run` or `refused`."""
    reason: str | None
    """Why it was refused, or why it cannot be merged."""
    trainable: int | None = None
    """Parameters of the model that the optimizer updates, without the head's."""
    trainable_percent: float | None = None
    """Percent of the bare model's parameters."""
    can_change: int | None = None
    """Pretrained parameters that the method can change, as counted."""
    changed: int | None = None
    """Pretrained parameters that differ after training and merging."""
    loss_before: float | None = None
    """On held-out texts, of the bare model with the head's initial values."""
    loss_after: float | None = None
    rate: float | None = None
    """The learning rate that was used."""
    stored_bytes: int | None = None
    """Bytes to store for each task, as counted."""
    file_bytes: int | None = None
    """Bytes of the saved file for the task."""
    shared_file_bytes: int | None = None
    """Bytes of the saved file that all tasks share."""
    reload_difference: float | None = None
    """Largest difference between the outputs of the trained model and of a fresh one with the reloaded file, relative
    to the largest output."""
    merge: str | None = None
    """`exact`, `differs`, or `partly` and `none` where not everything can be merged."""
    merge_difference: float | None = None
    """Largest difference between the outputs before and after merging, relative to the largest output."""
    merge_difference_absolute: float | None = None
    faults: tuple[str, ...] = ()
    """Outputs that differ, frozen tensors that changed, and counts that are wrong."""


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
    rows: tuple[TrialRow, ...]
    """In the order in which they were tried; where there is a head, it alone comes first."""

    @property
    def faults(self) -> tuple[str, ...]:
        """What should not be, each with its configuration."""
        return tuple(f"{row.configuration}: {fault}" for row in self.rows for fault in row.faults)

    @property
    def passed(self) -> bool:
        return not self.faults


COLUMNS = tuple(field.name for field in fields(TrialRow) if field.name != "faults")


class PretrainedTrial:
    """A folder's model with a task, on which methods are tried.

    Args:
        folder: configuration, weights and tokenizer.
        examples: labelled texts.
        steps: optimizer steps in each stage.
        batch: examples in each step.
        length: tokens that a text is cut to.
        rates: learning rates; each is tried where those before it do not lower the loss.
        head: labels of transformers' head for texts, which the model gets in place of its output; None: none.

    Raises:
        SurveyError: the folder has no weights or tokenizer that fit, or the texts are too few.
    """

    def __init__(
        self, folder: Path, examples: Sequence[Example], *, steps: int, batch: int, length: int,
        rates: tuple[float, ...] = LEARNING_RATES, head: int | None = None,
    ) -> None:  # fmt: skip
        with torch.random.fork_rng(devices=()):  # layers are initialised at random before their weights are loaded
            loaded = load_weights(folder, head)
            tokenizer = load_tokenizer(folder, loaded.instance)
            self.task: Task = make_task(loaded.instance, tokenizer, examples, batch=batch, steps=steps, length=length)
        self.instance = loaded.instance
        self.notes = loaded.notes
        self.setting = Setting(
            lambda: copy.deepcopy(loaded.instance), self.task.batches, self.task.held_out, self.task.objective, steps,
            rates, random_update=False,
        )  # fmt: skip

    @property
    def head_parameters(self) -> int:
        """Number of the head's parameters; 0 where the model's own output layer is used."""
        return sum(parameter.numel() for parameter in self.task.objective.parameters())

    def trials(self, recipes: Mapping[str, Recipe], watch: Watch = unwatched, notes: Sequence[str] = ()) -> Trials:
        """Try recipes by name; what the notes say goes before the rows."""
        rows, total = [], len(recipes) + bool(self.head_parameters)
        watch(0, total)
        for row in self.rows(recipes):
            rows.append(row)
            watch(len(rows), total)
        return Trials(
            self.instance.name, self.instance.parameters, self.head_parameters, self.task.description,
            self.setting.steps, TOLERANCE, (*self.notes, *notes), tuple(rows),
        )  # fmt: skip

    def rows(self, recipes: Mapping[str, Recipe]) -> Iterator[TrialRow]:
        """Try recipes by name, one after another; a head is first trained alone."""
        if self.head_parameters:
            frozen = Stage(name="fine_tuning", scope="task", edits=(), train=())
            yield self.row(HEAD_ALONE, Recipe(stages=(frozen,)))
        for name, recipe in recipes.items():
            yield self.row(name, recipe)

    def row(self, name: str, recipe: Recipe) -> TrialRow:
        """Try one recipe."""
        try:
            return _row(name, trial(recipe, self.setting))
        except RecipeError as error:
            return TrialRow(name, "refused", str(error))


def _row(name: str, result: Trial) -> TrialRow:
    return TrialRow(
        configuration=name,
        status="run",
        reason=result.obstacle,
        trainable=result.trainable,
        trainable_percent=100 * result.trainable / result.parameters,
        can_change=result.changed,
        changed=result.changed_trained,
        loss_before=result.loss_before,
        loss_after=result.loss_after,
        rate=result.rate,
        stored_bytes=result.stored_bytes,
        file_bytes=result.file_bytes,
        shared_file_bytes=result.shared_file_bytes,
        reload_difference=result.reloaded.relative,
        merge=result.merge,
        merge_difference=result.merged.relative,
        merge_difference_absolute=result.merged.absolute,
        faults=tuple(_faults(result)),
    )


def _faults(result: Trial) -> Iterator[str]:
    if not result.restored:
        yield f"outputs differ after reloading, by {result.reloaded.relative:.1e} of the largest"
    if not result.merged.equal:
        yield f"outputs differ after merging, by {result.merged.relative:.1e} of the largest"
    if result.stray is not None:
        yield f"{result.stray} changed although it is frozen or masked"
    if result.trainable != result.counts.trainable_task:
        yield f"the optimizer updated {result.trainable:,} parameters, but we count {result.counts.trainable_task:,}"
    if result.changed_trained > result.changed:
        yield f"{result.changed_trained:,} pretrained parameters changed, but we count at most {result.changed:,}"
