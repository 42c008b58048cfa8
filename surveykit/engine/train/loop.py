"""Training for real: the stages of a recipe in order, each a few optimizer steps on a batch or several in turn."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from surveykit.engine.edits.allocation import Allocation
from surveykit.engine.edits.attach import Attached, Values
from surveykit.engine.edits.gathering import Sample
from surveykit.engine.edits.tensors import on_host
from surveykit.engine.models.model import Instance
from surveykit.engine.train.movement import standing
from surveykit.engine.train.objectives import OWN_LOSS, Batch, Objective, divergence
from surveykit.engine.train.optimizers import optimizer_for
from surveykit.recipes import Recipe, Stage

Phase = Literal["forward", "backward", "optimizer"]


class Watching:
    """Watches training, step by step and phase by phase. This one does not."""

    accumulation = 1
    """Batches of a step, whose gradients are added up."""
    dropout = False
    """Whether the model's own dropout is on."""
    dtype: torch.dtype | None = None
    """Of the parameters that a method adds; None for the model's."""
    optimizer: Callable[[Attached, Sequence[torch.nn.Parameter], float], torch.optim.Optimizer] = staticmethod(
        optimizer_for
    )

    @contextmanager
    def step(
        self, number: int, steps: int, batches: Sequence[Batch], live: Callable[[], Iterator[Tensor]]
    ) -> Iterator[None]:
        """A step, of so many, over some batches.

        Args:
            live: all tensors that are there before it.
        """
        yield

    @contextmanager
    def phase(self, name: Phase) -> Iterator[None]:
        yield

    def loss(self, loss: Tensor) -> None:
        """The loss of a step, before its backward pass."""


NOBODY = Watching()


@dataclass
class Trained:
    """A recipe that was run: its last stage, still attached."""

    attached: Attached
    pristine: dict[int, Tensor]
    """The pretrained values before all stages, by identity, in host memory; empty where nothing needs them."""
    standing: dict[int, Tensor]
    """… once the last stage was on, before it trained anything."""
    held: int
    """Numbers of the model that the optimizer of the last stage held."""
    losses: list[list[float]] = field(default_factory=list)
    """The loss before each step, on its batch, and after the last one, on the first batch; stage by stage."""


def train(
    recipe: Recipe,
    instance: Instance,
    *batches: Batch,
    objective: Objective = OWN_LOSS,
    steps: int = 8,
    rate: float = 1e-2,
    watching: Watching = NOBODY,
    remember: bool = True,
) -> Trained:
    """Run every stage. Without weight decay and, unless whoever watches asks for it, without dropout, so that only what has a
    gradient moves.

    The head of the objective, where it has one, starts anew and goes on through the stages; masks are chosen by the
    first batch, and edits that start from data read it.

    Args:
        remember: whether the pretrained values are kept for whoever compares them; otherwise only where stages need them.

    Raises:
        RecipeError: a stage does not fit the backbone or cannot run on it.
    """
    objective.start()
    kept = remember or len(recipe.stages) > 1 or any(stage.mask is not None for stage in recipe.stages)
    pristine = {id(p): on_host(p) for p in instance.pretrained} if kept else {}
    sample = partial(example_losses, instance, batches[0], objective)
    trained: Trained | None = None
    losses: list[list[float]] = []
    for stage in recipe.stages:
        values: Values = {}
        changes: dict[int, Tensor] = {}
        if trained is not None:
            values, changes = _hand_over(trained, stage)
        attached = Attached(instance, stage, changes, watching.dtype, sample=sample)
        attached.carry(values)
        choose_mask(attached, batches[0], pristine, objective)
        held = sum(p.numel() for p in instance.model.parameters() if p.requires_grad)
        trained = Trained(attached, pristine, standing(attached, pristine), held, losses)
        losses.append(_run(trained, batches, objective, sample, steps, rate, watching))
    assert trained is not None
    return trained


def example_losses(instance: Instance, batch: Batch, objective: Objective = OWN_LOSS) -> Iterator[Tensor]:
    """The loss of each example of a batch by itself, without its padding."""
    for example in examples(batch):
        shown = example["attention_mask"].bool()[0]
        along = ("input_ids", "attention_mask", *(["labels"] if instance.blueprint.causal else []))
        yield objective.answer(
            instance.model, {name: t[:, shown] if name in along else t for name, t in example.items()}
        ).loss


def examples(batch: Batch) -> Iterator[Batch]:
    """Each example of a batch as a batch of its own."""
    for one in range(len(batch["input_ids"])):
        yield {name: tensor[one : one + 1] for name, tensor in batch.items()}


def _hand_over(done: Trained, stage: Stage) -> tuple[Values, dict[int, Tensor]]:
    """End a stage: what the next one carries on, and how far the pretrained tensors were moved."""
    attached, instance = done.attached, done.attached.instance
    values = {key: value.detach().clone() for key, value in attached.values().items()}
    if not {edit.kind for edit in attached.stage.edits} & {edit.kind for edit in stage.edits}:
        attached.merge()
    attached.detach()
    changes = {id(p): p.detach() - done.pristine[id(p)].to(p.device) for p in instance.pretrained}
    if stage.starts_from == "backbone":
        restore(instance, done.pristine)
        return {}, changes
    return values, changes


def restore(instance: Instance, values: Mapping[int, Tensor]) -> None:
    """Set the pretrained parameters to the given values, by identity."""
    with torch.no_grad():
        for parameter in instance.pretrained:
            parameter.copy_(values[id(parameter)])


def choose_mask(
    attached: Attached, batch: Batch, pristine: Mapping[int, Tensor], objective: Objective = OWN_LOSS
) -> None:
    """Choose the entries that the stage's mask keeps, by its rule, and set back what it does not keep."""
    masked = attached.masked
    if masked is None:
        return
    masked.keep_all()
    gradients: dict[int, list[Tensor]] = {id(t): [] for t in masked.tensors}
    if masked.mask.needs_gradients:
        for example in examples(batch):  # squares are of each example's gradient, not of the batch's
            attached.instance.model.zero_grad(set_to_none=True)
            loss_of(attached, example, objective).backward()  # type: ignore[no-untyped-call]
            for t in masked.tensors:
                gradients[id(t)].append(torch.zeros_like(t) if t.grad is None else t.grad.detach().clone())
        attached.instance.model.zero_grad(set_to_none=True)
    moved = {id(t): attached.changes.get(id(t), torch.zeros_like(t)) for t in masked.tensors}
    with torch.no_grad():
        masked.choose({id(t): masked.mask.scores(t, gradients[id(t)], moved[id(t)]) for t in masked.tensors})
    if masked.mask.of == "pretrained":
        masked.rewind(pristine)
    attached.prune()


def loss_of(attached: Attached, batch: Batch, objective: Objective = OWN_LOSS) -> Tensor:
    """The loss with what edits add to it."""
    return _with_penalty(attached, objective.answer(attached.instance.model, batch).loss)


def step_loss(attached: Attached, batch: Batch, objective: Objective = OWN_LOSS) -> Tensor:
    """The loss of an optimizer step: of all its passes, or of the first and how far the second is from it."""
    if not attached.stage.consistency:
        return torch.stack([loss_of(attached, batch, objective) for _ in range(attached.stage.passes)]).mean()
    first, second = (objective.answer(attached.instance.model, batch) for _ in range(2))
    return _with_penalty(attached, first.loss + divergence(first.scores, second.scores))


def _with_penalty(attached: Attached, loss: Tensor) -> Tensor:
    penalty = attached.penalty()
    return loss if penalty is None else loss + penalty


def _run(
    trained: Trained,
    batches: Sequence[Batch],
    objective: Objective,
    sample: Sample,
    steps: int,
    rate: float,
    watching: Watching,
) -> list[float]:
    """Train one stage, beginning its edits anew as often as it says."""
    stage, instance = trained.attached.stage, trained.attached.instance
    found: list[float] = []
    for again in range(stage.restarts + 1):
        if again:
            trained.attached.merge()
            trained.attached.detach()
            trained.attached = Attached(instance, stage, trained.attached.changes, watching.dtype, sample=sample)
        for number in range(trained.attached.draws):
            trained.attached.draw(number)
            found += _steps(trained.attached, batches, objective, steps, rate, watching)
        trained.attached.draw(None)
    with torch.no_grad():
        found.append(float(loss_of(trained.attached, batches[0], objective)))
    return found


def _steps(
    attached: Attached, batches: Sequence[Batch], objective: Objective, steps: int, rate: float, watching: Watching
) -> list[float]:
    model = attached.instance.model
    held = [p for p in model.parameters() if p.requires_grad] + list(objective.parameters())
    if not held:
        return []
    optimizer = watching.optimizer(attached, held, rate)
    allocation = Allocation(attached, steps)

    def live() -> Iterator[Tensor]:
        for module in (model, *([objective.head] if hasattr(objective, "head") else [])):
            yield from (*module.parameters(), *module.buffers())
        for state in optimizer.state.values():
            yield from (value for value in state.values() if isinstance(value, Tensor))
        for averages in allocation.averages.values():
            yield from averages
        yield from attached.masked.kept if attached.masked is not None else ()

    found = []
    # Only what was added, unless the model's dropout is wanted.
    (model if watching.dropout else attached.container).train()
    for step in range(steps):
        many = watching.accumulation
        parts = [batches[(step * many + part) % len(batches)] for part in range(many)]
        with watching.step(step, steps, parts, live):
            optimizer.zero_grad(set_to_none=True)
            losses = []
            for batch in parts:
                with watching.phase("forward"):
                    loss = step_loss(attached, batch, objective) / many
                if not loss.requires_grad:
                    break
                watching.loss(loss)
                with watching.phase("backward"):
                    loss.backward()  # type: ignore[no-untyped-call]
                losses.append(float(loss.detach()))
                del loss
            if not losses:
                break
            with watching.phase("optimizer"):
                optimizer.step()
                allocation.step()
            found.append(sum(losses))
            optimizer.zero_grad(set_to_none=True)
    model.eval()
    allocation.finish()
    return found
