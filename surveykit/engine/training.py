"""Training for real: the stages of a recipe in order, each a few optimizer steps on one batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from surveykit.engine.allocation import Allocation
from surveykit.engine.attach import Attached, Values
from surveykit.engine.models import Instance
from surveykit.engine.optimizers import optimizer_for
from surveykit.recipes import Recipe, Stage

Batch = Mapping[str, Tensor]
IGNORED = -100
"""Label of positions that do not count."""


@dataclass
class Trained:
    """A recipe that was run: its last stage, still attached."""

    attached: Attached
    pristine: dict[int, Tensor]
    """The pretrained values before all stages, by identity."""
    losses: list[list[float]] = field(default_factory=list)
    """The loss before each step and after the last one, stage by stage."""


def train(recipe: Recipe, instance: Instance, batch: Batch, *, steps: int = 8, rate: float = 1e-2) -> Trained:
    """Run every stage. Without weight decay and without dropout, so that only what has a gradient moves.

    Raises:
        RecipeError: a stage does not fit the backbone or cannot run on it.
    """
    pristine = {id(p): p.detach().clone() for p in instance.pretrained}
    trained: Trained | None = None
    losses: list[list[float]] = []
    for stage in recipe.stages:
        values: Values = {}
        changes: dict[int, Tensor] = {}
        if trained is not None:
            values, changes = _hand_over(trained, stage)
        attached = Attached(instance, stage, changes)
        attached.carry(values)
        choose_mask(attached, batch, pristine)
        trained = Trained(attached, pristine, losses)
        losses.append(_run(trained, batch, steps, rate))
    assert trained is not None
    return trained


def _hand_over(done: Trained, stage: Stage) -> tuple[Values, dict[int, Tensor]]:
    """End a stage: what the next one carries on, and how far the pretrained tensors were moved."""
    attached, instance = done.attached, done.attached.instance
    values = {key: value.detach().clone() for key, value in attached.values().items()}
    if not {edit.kind for edit in attached.stage.edits} & {edit.kind for edit in stage.edits}:
        attached.merge()
    attached.detach()
    changes = {id(p): p.detach() - done.pristine[id(p)] for p in instance.pretrained}
    if stage.starts_from == "backbone":
        restore(instance, done.pristine)
        return {}, changes
    return values, changes


def restore(instance: Instance, values: Mapping[int, Tensor]) -> None:
    """Set the pretrained parameters to the given values, by identity."""
    with torch.no_grad():
        for parameter in instance.pretrained:
            parameter.copy_(values[id(parameter)])


def choose_mask(attached: Attached, batch: Batch, pristine: Mapping[int, Tensor]) -> None:
    """Choose the entries that the stage's mask keeps, by its rule, and set back what it does not keep."""
    masked = attached.masked
    if masked is None:
        return
    masked.keep_all()
    gradients: dict[int, list[Tensor]] = {id(t): [] for t in masked.tensors}
    if masked.mask.needs_gradients:
        for one in range(len(batch["input_ids"])):  # squares are of each example's gradient, not of the batch's
            attached.instance.model.zero_grad(set_to_none=True)
            loss_of(attached, {name: tensor[one : one + 1] for name, tensor in batch.items()}).backward()  # type: ignore[no-untyped-call]
            for t in masked.tensors:
                gradients[id(t)].append(torch.zeros_like(t) if t.grad is None else t.grad.detach().clone())
        attached.instance.model.zero_grad(set_to_none=True)
    moved = {id(t): attached.changes.get(id(t), torch.zeros_like(t)) for t in masked.tensors}
    with torch.no_grad():
        masked.choose({id(t): masked.mask.scores(t, gradients[id(t)], moved[id(t)]) for t in masked.tensors})
    if masked.mask.of == "pretrained":
        masked.rewind(pristine)
    attached.prune()


def loss_of(attached: Attached, batch: Batch) -> Tensor:
    """The loss with what edits add to it."""
    loss: Tensor = attached.instance.model(**batch, use_cache=False).loss
    return _with_penalty(attached, loss)


def step_loss(attached: Attached, batch: Batch) -> Tensor:
    """The loss of an optimizer step: of all its passes, or of the first and how far the second is from it."""
    if not attached.stage.consistency:
        return torch.stack([loss_of(attached, batch) for _ in range(attached.stage.passes)]).mean()
    first, second = (attached.instance.model(**batch, use_cache=False) for _ in range(2))
    length = batch["labels"].shape[1]  # a prompt of the decoder adds positions before the labels' own
    counted = batch["labels"] != IGNORED
    apart = divergence(first.logits[:, -length:][counted], second.logits[:, -length:][counted])
    return _with_penalty(attached, first.loss + apart)


def divergence(first: Tensor, second: Tensor) -> Tensor:
    """Half the sum of both Kullback-Leibler divergences of two sets of logits (positions, classes), averaged."""
    p, q = first.log_softmax(dim=-1), second.log_softmax(dim=-1)
    return ((p.exp() - q.exp()) * (p - q)).sum(dim=-1).mean() / 2


def _with_penalty(attached: Attached, loss: Tensor) -> Tensor:
    penalty = attached.penalty()
    return loss if penalty is None else loss + penalty


def _run(trained: Trained, batch: Batch, steps: int, rate: float) -> list[float]:
    """Train one stage, beginning its edits anew as often as it says."""
    stage, instance = trained.attached.stage, trained.attached.instance
    found: list[float] = []
    for again in range(stage.restarts + 1):
        if again:
            trained.attached.merge()
            trained.attached.detach()
            trained.attached = Attached(instance, stage, trained.attached.changes)
        found += _steps(trained.attached, batch, steps, rate)
    with torch.no_grad():
        found.append(float(loss_of(trained.attached, batch)))
    return found


def _steps(attached: Attached, batch: Batch, steps: int, rate: float) -> list[float]:
    held = [p for p in attached.instance.model.parameters() if p.requires_grad]
    if not held:
        return []
    optimizer = optimizer_for(attached, held, rate)
    allocation = Allocation(attached, steps)
    found = []
    attached.container.train()  # only what was added; the backbone stays without dropout
    for _ in range(steps):
        optimizer.zero_grad(set_to_none=True)
        loss = step_loss(attached, batch)
        if not loss.requires_grad:
            break
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        allocation.step()
        found.append(float(loss.detach()))
    attached.container.eval()
    optimizer.zero_grad(set_to_none=True)
    allocation.finish()
    return found
