"""Whether a model of few layers tells about one of many: read from the layers that were built, not from a configuration."""

from __future__ import annotations

from itertools import chain
from typing import Any

from torch import nn

from surveykit.engine.models.model import Instance

_Layer = dict[tuple[str, str], Any]


def grows_evenly(low: Instance, high: Instance, whole: Instance) -> bool:
    """Whether each stack of the whole model is that of the lowest with more layers in one place, all like the one by which
    the higher is deeper; and whether nothing else in the model is of another size.

    A layer that is told apart for no reason costs time only: the model is then traced at full depth.
    """
    stacks, parameters = [_stacks(instance) for instance in (low, high, whole)], (low.parameters, high.parameters)
    if not all(found.keys() == stacks[0].keys() for found in stacks):
        return False
    if not all(_inserted(*(found[side] for found in stacks)) for side in stacks[0]):
        return False
    depths = [len(next(iter(found.values()))) for found in stacks]
    more = (depths[2] - depths[0]) // (depths[1] - depths[0])
    return whole.parameters == parameters[0] + (parameters[1] - parameters[0]) * more


def _inserted(low: list[_Layer], high: list[_Layer], whole: list[_Layer]) -> bool:
    at = next((i for i, (one, other) in enumerate(zip(low, high, strict=False)) if one != other), len(low))
    if len(high) != len(low) + 1:
        return False
    added = high[at]
    return all(deep == low[:at] + [added] * (len(deep) - len(low)) + low[at:] for deep in (high, whole))


def _stacks(instance: Instance) -> dict[str, list[_Layer]]:
    found: dict[str, list[_Layer]] = {}
    for side, block in instance.blocks:
        found.setdefault(side, []).append(_described(block))
    for layers in found.values():
        _without_numbers(layers)
    return found


def _described(block: nn.Module) -> _Layer:
    """Every module of a layer: its class, the shapes of its tensors, and what it knows in numbers and words."""
    found: _Layer = {}
    for path, module in block.named_modules():
        found[path, ""] = type(module)
        for held in (module._parameters, module._buffers):
            found |= {(path, name): tensor.shape for name, tensor in held.items() if tensor is not None}
        found |= {(path, name): value for name, value in vars(module).items() if isinstance(value, int | float | str)}
        del found[path, "training"]  # the mode that a model happens to be in
    return found


def _without_numbers(layers: list[_Layer]) -> None:
    """Leave out in which place a layer stands: what grows by one from each to the next."""
    for key in {*chain.from_iterable(layers)}:
        values = [layer.get(key) for layer in layers]
        if type(values[0]) is int and values == [*range(values[0], values[0] + len(layers))]:
            for layer in layers:
                del layer[key]
