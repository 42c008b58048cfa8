"""Counting: every parameter of a model in exactly one part, known by identity."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from torch import nn

from surveykit.engine.edits.attach import Attached
from surveykit.engine.models.fused import Rows
from surveykit.engine.models.model import Instance
from surveykit.engine.models.task_head import head_parameters
from surveykit.engine.models.walk import parameters_of
from surveykit.recipes import Recipe, Stage
from surveykit.recipes.masks import index_bytes
from surveykit.recipes.optimizers import Reduced

VALUE_BYTES = 4
"""Width at which stored numbers are counted: that of the published T5 checkpoints."""
SEED_BYTES = 8


@dataclass(frozen=True)
class Counts:
    """Numbers of parameters. Percentages are made elsewhere; their denominator is the bare backbone."""

    trainable: int
    """Held by the optimizer in the stage in which it holds most."""
    trainable_task: int
    """… in the last stage, which is run for each task."""
    effective: int
    """Of those of the last stage, the ones that may move; fewer than it holds where a mask is on."""
    trained_pretrained: int
    """Pretrained parameters among `trainable_task`."""
    added: int
    """New parameters, as trained, in the last stage of a task."""
    expanded: int
    """New entries of the network once all that can is merged, with products written out."""
    stored: int
    """Numbers to keep for each task, so that backbone and they give the outputs."""
    stored_shared: int
    """Numbers to keep once for all tasks."""
    stored_bytes: int
    """Bytes to keep for each task: numbers of 4 bytes, with the indices of sparse forms and seeds."""
    changed: int
    """Entries of the pretrained weights that can differ once all that can is merged. What a stage rounds to few bits
    is not among them: it is `quantized`, and they differ from what the rounding left."""
    update_rank: int
    """Largest rank of the change to a pretrained matrix; 0 where none changes."""
    optimizer_state: int
    """Numbers that the optimizer (and the method's own tracking) keeps, in the stage in which they are most."""
    quantized: int
    """Pretrained numbers that the last stage holds in few bits."""


Touched = dict[int, tuple[int, int]]
"""Entries and rank of the change of pretrained tensors, by identity."""


def count(recipe: Recipe, instance: Instance) -> Counts:
    """Instantiate every stage of a recipe on a backbone and count.

    Raises:
        RecipeError: a stage does not fit the backbone.
    """
    stages: list[Counts] = []
    touched: list[Touched] = []
    for stage in recipe.stages:
        with Attached(instance, stage) as attached:
            stages.append(_count_stage(attached))
            touched.append(_touched(attached))
    together = _touched_together(recipe.stages, touched, instance.identities)
    return replace(
        stages[-1],
        trainable=max(counts.trainable for counts in stages),
        changed=sum(entries for entries, _ in together.values()),
        update_rank=max((rank for _, rank in together.values()), default=0),
        optimizer_state=max(counts.optimizer_state for counts in stages),
    )


def _count_stage(attached: Attached) -> Counts:
    """The counts of one stage by itself; what it changes is seen only together with the stages before it."""
    pretrained = attached.instance.identities
    added = {id(parameter) for parameter in attached.added()}
    parts = {"frozen": 0, "trained_pretrained": 0, "trained_added": 0, "frozen_added": 0}
    everything = parameters_of(attached.instance.model)  # each once, whatever its names
    for parameter in everything:
        if id(parameter) in pretrained:
            part = "trained_pretrained" if parameter.requires_grad else "frozen"
        else:
            part = "trained_added" if parameter.requires_grad else "frozen_added"
        parts[part] += parameter.numel()
    assert pretrained.keys().isdisjoint(added), "a parameter is both pretrained and added"
    assert {id(p) for p in everything} == pretrained.keys() | added, "a parameter of the model belongs to no part"
    stays = _mask_keeps(attached)
    stored, shared, stored_bytes = _stored(attached, sum(p.numel() for p in attached.changeable()))
    trained = parts["trained_pretrained"] + parts["trained_added"]
    return Counts(
        trainable=trained,
        trainable_task=trained,
        effective=trained if stays is None else trained - stays[0] + stays[1],
        trained_pretrained=parts["trained_pretrained"],
        added=parts["trained_added"] + parts["frozen_added"],
        expanded=_expanded(attached),
        stored=stored,
        stored_shared=shared,
        stored_bytes=stored_bytes,
        changed=0,
        update_rank=0,
        optimizer_state=_optimizer_state(attached, trained),
        quantized=sum(slot.place.fan_in * slot.place.fan_out for slot in attached.quantized()),
    )


def _mask_keeps(attached: Attached) -> tuple[int, int] | None:
    """Masked entries, and how many of them stay; None without a mask."""
    masked = attached.masked
    return None if masked is None else (masked.entries, masked.entries_kept())


def _stored(attached: Attached, trained_pretrained: int) -> tuple[int, int, int]:
    """Numbers kept for each task, numbers kept for all tasks, bytes kept for each task."""
    if attached.stage.restarts:  # its edits are in the weights: what is kept is every tensor that they moved
        moved = {id(placed.part.stored): placed.part.stored.numel() for placed in attached.placed}
        moved |= {id(p): p.numel() for p in attached.changeable()}
        return sum(moved.values()), 0, VALUE_BYTES * sum(moved.values())
    numbers, shared, extra, seeded = trained_pretrained, 0, 0, False
    for shape in attached.kept_shapes():
        if shape.kept == "task" and shape.is_index:
            extra += shape.numel * shape.index_bytes
        elif shape.kept == "task":
            numbers += shape.numel
        elif shape.kept == "shared":
            shared += shape.numel
        seeded |= shape.kept == "seed"
    extra += SEED_BYTES if seeded else 0
    stays = _mask_keeps(attached)
    if stays is not None:
        entries, kept = stays
        numbers += kept - entries
        extra += index_bytes(kept, entries)
    return numbers, shared, VALUE_BYTES * numbers + extra


def _expanded(attached: Attached) -> int:
    """Entries of edits that stay when all that can is merged. A mask leaves its share of them."""
    total, groups = 0, set()
    for placed in attached.placed:
        if attached.stage.merge_obstacle(placed.edit) is None:
            continue
        total += placed.edit.expanded(placed.slot.place)
        if placed.part.group is not None and id(placed.part.group) not in groups:
            groups.add(id(placed.part.group))
            total += placed.edit.shared_expanded(placed.slot.place)
    stays = _mask_keeps(attached)
    if stays is not None and attached.masked is not None and attached.masked.mask.of == "added":
        total += stays[1] - stays[0]
    return total


def _optimizer_state(attached: Attached, trained: int) -> int:
    """Adam's two moments for each trained number, less where gradients are projected, more where edits track."""
    state = 2 * trained
    rule = attached.stage.optimizer
    if isinstance(rule, Reduced):
        for slot in attached.instance.slots:
            if rule.where.matches(slot.place) and any(p.requires_grad for p in slot.module.parameters()):
                state += rule.state(slot.place.shape) - 2 * slot.place.fan_in * slot.place.fan_out
    for placed in attached.placed:
        if placed.edit.tracked:
            state += placed.edit.tracked * sum(p.numel() for p in placed.part.parameters() if p.requires_grad)
    return state


def _touched(attached: Attached) -> Touched:
    """Entries and rank that one stage can change of each pretrained tensor; where roles share one, the rank of a role's."""
    entries: Counter[int] = Counter()
    ranks: Counter[tuple[int, Rows | None]] = Counter()

    def touch(tensor: object, changed: int, rank: int, rows: Rows | None = None) -> None:
        entries[id(tensor)] += changed
        ranks[id(tensor), rows] += rank

    for placed in attached.placed:
        if attached.stage.merge_obstacle(placed.edit) is None:
            place, again = placed.slot.place, attached.stage.restarts + 1
            rank = again * placed.edit.update_rank(place)
            touch(placed.part.stored, placed.edit.changed(place), rank, placed.slot.rows)
            if (bias := placed.bias) is not None:
                touch(bias, place.fan_out, 0)
    new = head_parameters(attached.instance)
    for parameter in attached.changeable():
        if id(parameter) not in new:
            touch(parameter, parameter.numel(), min(parameter.shape) if parameter.dim() == 2 else 0)
    highest: dict[int, int] = {}
    for (identity, _), rank in ranks.items():
        highest[identity] = max(highest.get(identity, 0), rank)
    return {identity: (changed, highest[identity]) for identity, changed in entries.items()}


def _touched_together(
    stages: Sequence[Stage], touched: Sequence[Touched], pretrained: Mapping[int, nn.Parameter]
) -> Touched:
    """What the last stage changes, and the stages it goes on from. A mask rewinds what earlier stages changed."""
    together: Touched = {}
    for stage, found in zip(reversed(stages), reversed(touched), strict=True):
        for identity, (entries, rank) in found.items():
            tensor = pretrained[identity]
            before = together.get(identity, (0, 0))
            limit = tensor.numel()
            sides = min(tensor.shape) if tensor.dim() == 2 else 0
            together[identity] = (min(limit, before[0] + entries), min(sides, before[1] + rank))
        if stage.mask is not None and stage.mask.of == "pretrained":
            return _masked(stage, together)
        if stage.starts_from == "backbone":
            break
    return together


def _masked(stage: Stage, touched: Touched) -> Touched:
    """The kept entries of all tensors together, attributed to the first; a rank is at most the entries kept."""
    assert stage.mask is not None
    sizes = {identity: entries for identity, (entries, _) in touched.items()}
    if stage.mask.across == "model":
        kept = stage.mask.kept(sum(sizes.values()))
    else:
        kept = sum(stage.mask.kept(size) for size in sizes.values())
    ranks = [min(rank, kept) for _, rank in touched.values()]
    first, *others = touched
    return {first: (kept, max(ranks)), **dict.fromkeys(others, (0, 0))}
