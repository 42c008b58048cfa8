"""Each recipe for real on a tiny T5: it trains, only what should moves, it merges exactly, and what is kept is enough."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from surveykit.engine import saving
from surveykit.engine.attach import Attached
from surveykit.engine.counts import count
from surveykit.engine.models import Instance
from surveykit.engine.tiny import tiny_batch, tiny_instance
from surveykit.engine.training import Batch, Trained, restore, train
from surveykit.recipes import Recipe, Stage

TOLERANCE = 1e-4
"""Largest difference of logits that counts as equal, relative to their largest magnitude (32-bit floats)."""
STEPS, CHANGE_STEPS = 8, 3
RATES = (1e-2, 1e-4)
"""Step sizes, the second where the first is too large: Adam moves each entry alike, however many are summed up."""
RANDOM_UPDATE = 0.1
_RANK_TOLERANCE = 1e-5
_SEED = 7


@dataclass(frozen=True)
class Trial:
    """What one recipe did on a tiny T5."""

    parameters: int
    """Of the tiny backbone."""
    loss_falls: bool | None
    """Whether some steps, of one of the two sizes, lower the loss in every stage that trains something; None when no
    stage does."""
    stray: str | None
    """A pretrained tensor that moved although it is frozen or masked; None when none did."""
    merge: str
    """`exact`: merged outputs equal unmerged ones. `partly`, `none`: edits that cannot merge stay. `differs`."""
    obstacle: str | None
    """Why what stays cannot be merged."""
    restored: bool
    """Whether the bare backbone and the saved bytes alone give the outputs."""
    saved_bytes: int
    stored_bytes: int
    """What the count says of the same."""
    changed: int
    """Entries that can change, by the count."""
    changed_random: int
    """Pretrained entries that differ after a random update was merged."""
    changed_trained: int
    """… after three optimizer steps in each stage."""
    rank: int
    """Largest rank of the change of a pretrained matrix, by its singular values, after the random update."""
    update_rank: int
    """What the count says of the same."""


def trial(recipe: Recipe) -> Trial:
    """Run a recipe on a tiny T5.

    Raises:
        RecipeError: it cannot run there; the message says why.
    """
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(_SEED)  # of stochastic routing; weights have seeds of their own
        return _trial(recipe)


def _trial(recipe: Recipe) -> Trial:
    batch = tiny_batch()
    counts = count(recipe, tiny_instance())
    instance = tiny_instance()
    trained = train(recipe, instance, batch, steps=STEPS, rate=RATES[0])
    if _falls(trained) is False:
        trained.attached.detach()
        restore(instance, trained.pristine)
        trained = train(recipe, instance, batch, steps=STEPS, rate=RATES[1])
    falls = _falls(trained)
    before = _standing(trained.attached.stage, trained.pristine, instance)
    stray = _stray(trained.attached, before)
    randomise(trained.attached)
    wanted = logits(instance, batch)
    stage, kept = saving.saved(trained.attached)
    restored = _restored(trained.pristine, instance, stage, kept, batch, wanted)
    obstacles = trained.attached.merge()
    equal = close(logits(instance, batch), wanted)
    random_change = _changes(instance, before)
    trained.attached.detach()

    restore(instance, trained.pristine)
    again = train(recipe, instance, batch, steps=CHANGE_STEPS)
    again.attached.merge()
    return Trial(
        parameters=sum(p.numel() for p in instance.pretrained),
        loss_falls=falls,
        stray=stray,
        merge=_merge_word(recipe, obstacles, equal),
        obstacle="; ".join(sorted(set(obstacles.values()))) or None,
        restored=restored,
        saved_bytes=saving.size({n: t for n, t in kept.items() if n not in shared_names(trained.attached, kept)}),
        stored_bytes=counts.stored_bytes,
        changed=counts.changed,
        changed_random=sum(int((delta != 0).sum()) for delta in random_change),
        changed_trained=sum(int((delta != 0).sum()) for delta in _changes(instance, before)),
        rank=max((_rank(*pair) for pair in zip(random_change, before.values(), strict=True)), default=0),
        update_rank=counts.update_rank,
    )


def _falls(trained: Trained) -> bool | None:
    ran = [losses for losses in trained.losses if len(losses) > 1]
    return all(losses[-1] < losses[0] for losses in ran) if ran else None


def logits(instance: Instance, batch: Batch) -> Tensor:
    """Logits of the labels' own positions: a decoder prompt adds positions before them."""
    with torch.no_grad():
        out: Tensor = instance.model(**batch, use_cache=False).logits
    return out[:, -batch["labels"].shape[1] :]


def close(found: Tensor, wanted: Tensor) -> bool:
    return bool((found - wanted).abs().max() <= TOLERANCE * wanted.abs().max())


def randomise(attached: Attached, size: float = RANDOM_UPDATE) -> None:
    """Move every trained number by a random amount of this size; where a mask is on, only those that it keeps."""
    generator = torch.Generator().manual_seed(5)
    masks = {} if attached.masked is None else {
        id(t): kept for t, kept in zip(attached.masked.tensors, attached.masked.kept, strict=True)
    }  # fmt: skip
    with torch.no_grad():
        for parameter in attached.instance.model.parameters():
            if parameter.requires_grad:
                step = torch.randn(parameter.shape, generator=generator) * size
                parameter.add_(step * masks.get(id(parameter), torch.ones(())))


def shared_names(attached: Attached, kept: dict[str, Tensor]) -> set[str]:
    """Names of saved tensors that are kept once for all tasks."""
    found = set()
    for number, placed in enumerate(attached.placed):
        deployed, place = placed.edit.deployed(), placed.slot.place
        named = {f"edit.{number}.{name}": shape for name, shape in deployed.tensors(place).items()}
        named |= {f"edit.{number}.shared.{name}": shape for name, shape in deployed.shared_tensors(place).items()}
        found |= {name for name, shape in named.items() if shape.kept == "shared"}
    return found & set(kept)


def _standing(stage: Stage, pristine: dict[int, Tensor], instance: Instance) -> dict[int, Tensor]:
    """What the pretrained tensors are before anything moves: rounded where the stage holds them in few bits."""
    if stage.base is None:
        return pristine
    fresh = tiny_instance()
    with Attached(fresh, stage):
        rounded = [p.detach().clone() for p in fresh.pretrained]
    return {id(own): value for own, value in zip(instance.pretrained, rounded, strict=True)}


def _stray(attached: Attached, before: dict[int, Tensor]) -> str | None:
    """The first pretrained tensor that moved in the last stage and should not have."""
    kept = {} if attached.masked is None else {
        id(t): mask for t, mask in zip(attached.masked.tensors, attached.masked.kept, strict=True)
    }  # fmt: skip
    moved_before = attached.stage.starts_from == "previous" or attached.stage.restarts
    for name, parameter in attached.instance.model.named_parameters():
        if id(parameter) not in before:
            continue
        moved = parameter.detach() != before[id(parameter)]
        if id(parameter) in kept:
            moved = moved & ~kept[id(parameter)]
        elif parameter.requires_grad or moved_before:
            continue
        if bool(moved.any()):
            return str(name)
    return None


def _restored(
    pristine: dict[int, Tensor], instance: Instance, stage: Stage, kept: dict[str, Tensor], batch: Batch, wanted: Tensor
) -> bool:
    fresh = tiny_instance()
    with torch.no_grad():
        for own, other in zip(fresh.pretrained, instance.pretrained, strict=True):
            own.copy_(pristine[id(other)])
    with saving.restore(fresh, stage, kept):
        return close(logits(fresh, batch), wanted)


def _changes(instance: Instance, before: dict[int, Tensor]) -> list[Tensor]:
    return [p.detach() - before[id(p)] for p in instance.pretrained]


def _rank(delta: Tensor, before: Tensor) -> int:
    """Rank of the change of a matrix; 0 for vectors. Rounding its sum with the weight is noise of full rank: singular
    values up to what that noise can have (√m + √n times its largest entry) do not count."""
    if delta.dim() != 2 or not bool(delta.any()):
        return 0
    rounding = torch.finfo(before.dtype).eps * float((before.abs() + delta.abs()).max())
    noise = rounding * sum(size**0.5 for size in delta.shape)
    return int(torch.linalg.matrix_rank(delta.double(), atol=noise, rtol=_RANK_TOLERANCE))


def _merge_word(recipe: Recipe, obstacles: dict[str, str], equal: bool) -> str:
    if not equal:
        return "differs"
    if not obstacles:
        return "exact"
    stage = recipe.stages[-1]
    return "none" if all(stage.merge_obstacle(edit) is not None for edit in stage.edits) else "partly"
