"""Each recipe for real on one backbone: it trains, only what should moves, it merges exactly, and what is kept is enough.

On a tiny T5 of random weights, and on a folder with real ones (surveykit.engine.train.pretrained_trial): the setting differs, not the way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from surveykit.beside import temporary
from surveykit.engine.counts import Counts, count
from surveykit.engine.edits import saving
from surveykit.engine.edits.attach import Attached
from surveykit.engine.models.model import Instance
from surveykit.engine.models.tiny import tiny_batch, tiny_instance
from surveykit.engine.train import movement
from surveykit.engine.train.differences import Difference, difference, rank
from surveykit.engine.train.loop import Trained, restore, train
from surveykit.engine.train.objectives import OWN_LOSS, Batch, Objective
from surveykit.recipes import Recipe

STEPS, CHANGE_STEPS = 8, 3
RATES = (1e-2, 1e-4)
"""Step sizes, the second where the first is too large: Adam moves each entry alike, however many are summed up."""
RANDOM_UPDATE = 0.1
_SEED = 7


@dataclass(frozen=True)
class Setting:
    """What recipes are tried on, and how."""

    fresh: Callable[[], Instance]
    """The backbone, with the same values each time."""
    batches: tuple[Batch, ...]
    """One for each step, over and over."""
    held_out: Batch
    """What the loss before and after is of; no example of it need be trained on."""
    objective: Objective
    steps: int
    rates: tuple[float, ...]
    """Step sizes; each is tried where those before it do not lower the loss."""
    random_update: bool
    """Whether merging, saving and the rank of changes are looked at after a random move of all that is trained, which
    leaves nothing where it was; else they are looked at after training as it is, and no rank is."""


def tiny_setting() -> Setting:
    """A tiny T5 and one batch."""
    batch = tiny_batch()
    return Setting(tiny_instance, (batch,), batch, OWN_LOSS, STEPS, RATES, random_update=True)


@dataclass(frozen=True)
class Trial:
    """What one recipe did on a backbone."""

    parameters: int
    """Of the backbone."""
    counts: Counts
    """What is counted there, for comparison."""
    trainable: int
    """Numbers of the model that the optimizer held in the last stage; those of a head are not among them."""
    loss_falls: bool | None
    """Whether some steps, of one of the sizes, lower the loss in every stage that trains something; None when no stage
    does."""
    rate: float
    """The step size that was taken."""
    loss_before: float
    """On the held-out batch, of the bare backbone with the head's starting values."""
    loss_after: float
    """The same after training, with the method on."""
    stray: str | None
    """A pretrained tensor that moved although it is frozen or masked; None when none did."""
    merge: str
    """`exact`: merged outputs equal unmerged ones. `partly`, `none`: edits that cannot merge stay. `differs`."""
    merged: Difference
    """Outputs after merging what can merge, against those before."""
    obstacle: str | None
    """Why what stays cannot be merged."""
    restored: bool
    """Whether the bare backbone and the saved files alone give the outputs."""
    reloaded: Difference
    """Those outputs against the wanted ones."""
    saved_bytes: int
    """Of the tensors that are kept for the task."""
    file_bytes: int
    """Of the file that holds them."""
    shared_file_bytes: int
    """Of the file with what is kept once for all tasks; 0 without one."""
    stored_bytes: int
    """What the count says of `saved_bytes`."""
    changed: int
    """Entries that can change, by the count."""
    changed_random: int
    """Pretrained entries that differ after a random update was merged; after training where there is none."""
    changed_trained: int
    """… after optimizer steps in each stage."""
    rank: int | None
    """Largest rank of the change to a pretrained matrix, by its singular values, after the random update."""
    update_rank: int
    """What the count says of the same."""


def trial(recipe: Recipe, setting: Setting | None = None) -> Trial:
    """Run a recipe, on a tiny T5 unless a setting says otherwise.

    Raises:
        RecipeError: it cannot run there; the message says why.
    """
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(_SEED)  # of stochastic routing; weights have seeds of their own
        return _trial(recipe, tiny_setting() if setting is None else setting)


def _trial(recipe: Recipe, setting: Setting) -> Trial:
    counts = count(recipe, setting.fresh())
    instance = setting.fresh()
    setting.objective.start()
    loss_before = _loss(instance, setting)
    trained, rate = _train(recipe, instance, setting)
    attached = trained.attached
    falls, loss_after = _falls(trained), _loss(instance, setting)
    stray = movement.stray(attached, trained.standing)
    before = movement.reference(attached, trained.pristine, trained.standing)
    if setting.random_update:
        randomise(attached)
    wanted = _outputs(instance, setting)
    stage, kept = saving.saved(attached)
    shared = saving.shared_names(attached, kept)
    with temporary("trial") as folder:
        files = saving.write(folder, stage, kept, shared)
        file_bytes = [file.stat().st_size for file in files]
        with saving.restore(fresh := setting.fresh(), *saving.read(*files)):
            reloaded = difference(_outputs(fresh, setting), wanted)
    obstacles = attached.merge()
    merged = difference(_outputs(instance, setting), wanted)
    changes = movement.changes(instance, before)
    attached.detach()
    random_changed = movement.entries(changes)
    return Trial(
        parameters=sum(p.numel() for p in instance.pretrained),
        counts=counts,
        trainable=trained.held,
        loss_falls=falls,
        rate=rate,
        loss_before=loss_before,
        loss_after=loss_after,
        stray=stray,
        merge=_merge_word(recipe, obstacles, merged.equal),
        merged=merged,
        obstacle="; ".join(sorted(set(obstacles.values()))) or None,
        restored=reloaded.equal,
        reloaded=reloaded,
        saved_bytes=saving.size({name: tensor for name, tensor in kept.items() if name not in shared}),
        file_bytes=file_bytes[0],
        shared_file_bytes=sum(file_bytes[1:]),
        stored_bytes=counts.stored_bytes,
        changed=counts.changed,
        changed_random=random_changed,
        changed_trained=_changed_again(recipe, instance, trained, before, setting)
        if setting.random_update
        else random_changed,
        rank=max(map(rank, changes, before.values()), default=0) if setting.random_update else None,
        update_rank=counts.update_rank,
    )


def _train(recipe: Recipe, instance: Instance, setting: Setting) -> tuple[Trained, float]:
    """Train with the first step size that lowers the loss, or the last one."""
    for rate in setting.rates:
        trained = train(recipe, instance, *setting.batches, objective=setting.objective, steps=setting.steps, rate=rate)
        if _falls(trained) is not False or rate == setting.rates[-1]:
            break
        trained.attached.detach()
        restore(instance, trained.pristine)
    return trained, rate


def _changed_again(
    recipe: Recipe, instance: Instance, trained: Trained, before: dict[int, Tensor], setting: Setting
) -> int:
    """Entries that a few steps from the start change, without a random update."""
    restore(instance, trained.pristine)
    again = train(recipe, instance, *setting.batches, objective=setting.objective, steps=CHANGE_STEPS)
    again.attached.merge()
    return movement.entries(movement.changes(instance, before))


def _falls(trained: Trained) -> bool | None:
    ran = [losses for losses in trained.losses if len(losses) > 1]
    return all(losses[-1] < losses[0] for losses in ran) if ran else None


def _loss(instance: Instance, setting: Setting) -> float:
    with torch.no_grad():
        return float(setting.objective.answer(instance.model, setting.held_out).loss)


def _outputs(instance: Instance, setting: Setting) -> Tensor:
    return outputs(instance, setting.held_out, setting.objective)


def outputs(instance: Instance, batch: Batch, objective: Objective = OWN_LOSS) -> Tensor:
    """What the model gives for a batch as it is now."""
    with torch.no_grad():
        return objective.answer(instance.model, batch).outputs


def randomise(attached: Attached, size: float = RANDOM_UPDATE) -> None:
    """Move every trained number by a random amount of this size; where a mask is on, only those that it keeps."""
    generator = torch.Generator().manual_seed(5)
    masks = attached.masks
    sizes = {id(p): placed.edit.trained_size for placed in attached.placed for p in placed.part.parameters()}
    with torch.no_grad():
        for parameter in attached.instance.model.parameters():
            if parameter.requires_grad:
                step = torch.randn(parameter.shape, generator=generator) * size * sizes.get(id(parameter), 1.0)
                parameter.add_(step * masks.get(id(parameter), torch.ones(())))


def _merge_word(recipe: Recipe, obstacles: dict[str, str], equal: bool) -> str:
    if not equal:
        return "differs"
    if not obstacles:
        return "exact"
    stage = recipe.stages[-1]
    return "none" if all(stage.merge_obstacle(edit) is not None for edit in stage.edits) else "partly"
