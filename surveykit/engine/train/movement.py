"""Which pretrained entries moved, and which should not have."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from surveykit.engine.edits.attach import Attached
from surveykit.engine.edits.tensors import on_host
from surveykit.engine.models.model import Instance
from surveykit.engine.models.task_head import head_parameters


def standing(attached: Attached, pristine: Mapping[int, Tensor]) -> dict[int, Tensor]:
    """What the pretrained tensors are once a stage is on, before anything moves, by identity."""
    pretrained = attached.instance.pretrained
    return {**pristine, **{id(p): on_host(p) for p in pretrained if id(p) in attached.before}}


def reference(attached: Attached, pristine: Mapping[int, Tensor], before: Mapping[int, Tensor]) -> dict[int, Tensor]:
    """What pretrained tensors are compared with to see what a method changed: their pretrained values, or what is left of
    these where the stage holds them in few bits."""
    rounded = {id(slot.module.weight) for slot in attached.quantized()}
    return {identity: before[identity] if identity in rounded else value for identity, value in pristine.items()}


def stray(attached: Attached, before: dict[int, Tensor]) -> str | None:
    """The first pretrained tensor that moved in the last stage and should not have."""
    kept = attached.masks
    moved_before = attached.stage.starts_from == "previous" or attached.stage.restarts
    for name, parameter in attached.instance.model.named_parameters():
        if id(parameter) not in before:
            continue
        moved = parameter.detach() != before[id(parameter)].to(parameter.device)
        if id(parameter) in kept:
            moved = moved & ~kept[id(parameter)]
        elif parameter.requires_grad or moved_before:
            continue
        if bool(moved.any()):
            return str(name)
    return None


def changes(instance: Instance, before: dict[int, Tensor]) -> list[Tensor]:
    """How far each pretrained tensor moved, in order. A task's head is new: it has nowhere to move from."""
    new = head_parameters(instance)
    return [p.detach() * 0 if id(p) in new else p.detach() - before[id(p)].to(p.device) for p in instance.pretrained]


def entries(changes: list[Tensor]) -> int:
    """Entries that are not what they were."""
    return sum(int((delta != 0).sum()) for delta in changes)
