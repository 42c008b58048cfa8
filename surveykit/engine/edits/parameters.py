"""Edits of any pretrained tensor: while the model runs, edited values stand in its place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from surveykit.engine.edits.tensors import Part
from surveykit.recipes import Place
from surveykit.recipes.sites import ParameterEdit

Replaced = tuple[ParameterEdit, Place, Part, nn.Parameter]


def substitute(model: nn.Module, edits: Sequence[Replaced]) -> list[RemovableHandle]:
    """Compute the edited tensors before each forward pass, and put the pretrained ones back after it."""
    homes: dict[int, list[tuple[nn.Module, str]]] = {}
    for module in model.modules():
        for name, parameter in module._parameters.items():
            if parameter is not None:
                homes.setdefault(id(parameter), []).append((module, name))

    def before(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        values: dict[int, Tensor] = {}
        for edit, place, part, parameter in edits:
            values[id(parameter)] = part(edit, values.get(id(parameter), parameter), place)
        for owner, value in values.items():
            for home, name in homes[owner]:
                del home._parameters[name]
                home.__dict__[name] = value  # a plain attribute, so that it keeps its history for the gradient

    def after(module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        for _, _, _, parameter in edits:
            for home, name in homes[id(parameter)]:
                home.__dict__.pop(name, None)
                home._parameters[name] = parameter

    return [
        model.register_forward_pre_hook(before, with_kwargs=True),
        model.register_forward_hook(after, always_call=True),
    ]
