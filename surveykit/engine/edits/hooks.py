"""Placed edits and the hooks that run them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.hooks import RemovableHandle
from transformers import PreTrainedModel

from surveykit.engine.edits.hidden_states import read_by, written_by
from surveykit.engine.edits.inputs import prepend_prompts
from surveykit.engine.edits.parameters import Replaced, substitute
from surveykit.engine.edits.prefixes import prepend_keys_and_values
from surveykit.engine.edits.side import run_beside
from surveykit.engine.edits.tensors import Part
from surveykit.engine.models.bound_places import BoundPlace
from surveykit.errors import RecipeError
from surveykit.recipes import Edit
from surveykit.recipes.sites import InputEdit, KeyValueEdit, OutputEdit, ParameterEdit, SideEdit, WeightEdit

DROPPED = 0.1
"""Share of its input that an edit drops, where it does: memory does not depend on how much it is."""


@dataclass(frozen=True, eq=False)
class Placed:
    """One edit at one place."""

    edit: Edit
    slot: BoundPlace
    part: Part

    @property
    def name(self) -> str:
        """The place in words: the same in every stage."""
        place = self.slot.place
        return f"{place.sublayer} {place.layer} {place.role} {place.shape}"

    @property
    def bias(self) -> Tensor | None:
        """The bias of the layer, where merging changes it."""
        bias = self.slot.module._parameters.get("bias")
        return bias if isinstance(self.edit, WeightEdit) and self.edit.changes_bias else None

    def write(self) -> None:
        """Write the edit into the pretrained tensors."""
        bias = self.bias
        if bias is not None:
            assert isinstance(self.edit, WeightEdit)
            rows = self.slot.rows
            if rows is None:
                bias.copy_(self.edit.bias(self.part, bias))
            else:
                bias.copy_(rows.put(bias, self.edit.bias(self.part, rows.of(bias, 0)), 0))
        self.part.stored.copy_(self.written(self.part.stored))

    def written(self, value: Tensor) -> Tensor:
        """A pretrained tensor with this edit written into it; the tensor itself where the edit has no merged form."""
        if isinstance(self.edit, ParameterEdit):
            return self.part.forward(self.edit, value, self.slot.place)
        if isinstance(self.edit, WeightEdit):
            merged = self.edit.weight(self.part, self.part.cast(self.part.seen(value)))
            return self.part.put(value, merged.to(value.dtype))
        return value


def hook(
    model: PreTrainedModel, placed: Sequence[Placed], *, dropout: bool = False, copied: bool = False
) -> list[RemovableHandle]:
    """Hook every placed edit on the model; the handles undo it.

    Args:
        dropout: whether edits that may drop a share of their input do so while the model trains.
        copied: whether what they add to a layer is copied on the way, and kept for backward (`_Copied`).
    """
    handles: list[RemovableHandle] = []
    prompts: list[tuple[InputEdit, BoundPlace, Part]] = []
    prefixes: list[tuple[KeyValueEdit, BoundPlace, Part]] = []
    parameters: list[Replaced] = []
    sides: dict[int, tuple[SideEdit, list[tuple[BoundPlace, Part]]]] = {}
    for one in placed:
        edit, slot, part = one.edit, one.slot, one.part
        if isinstance(edit, WeightEdit):
            if edit.changes_input:
                handles.append(slot.module.register_forward_pre_hook(_before(edit, part)))
            handles.append(
                slot.module.register_forward_hook(
                    _after_linear(edit, part, slot, DROPPED if dropout and edit.drops_input else 0.0, copied)
                )
            )
        elif isinstance(edit, OutputEdit):
            handles += _after_sublayer(edit, slot, part)
        elif isinstance(edit, ParameterEdit):
            tensor = part.stored
            assert isinstance(tensor, nn.Parameter)
            parameters.append((edit, slot.place, part, tensor))
        elif isinstance(edit, KeyValueEdit):
            prefixes.append((edit, slot, part))
        elif isinstance(edit, InputEdit):
            prompts.append((edit, slot, part))
        elif isinstance(edit, SideEdit):
            sides.setdefault(id(edit), (edit, []))[1].append((slot, part))
    if prefixes:
        handles += prepend_keys_and_values(model, prefixes)
    if prompts:
        handles.append(prepend_prompts(model, prompts))
    if parameters:
        handles += substitute(model, parameters)
    for edit, read in sides.values():
        handles += run_beside(edit, read)
    return handles


def _before(edit: WeightEdit, part: Part) -> Callable[..., Any]:
    def hook(module: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        x = part.cast(args[0]) if edit.casts_before else args[0]
        return (edit.before(part, x).to(args[0].dtype), *args[1:])

    return hook


def _after_linear(edit: WeightEdit, part: Part, slot: BoundPlace, dropped: float, copied: bool) -> Callable[..., Any]:
    rows, place = slot.rows, slot.place

    def hook(module: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> Tensor:
        if rows is None and not (isinstance(output, Tensor) and output.shape[-1] == place.fan_out):
            kind = (
                f"{place.name} is a {type(module).__name__}, which has a linear layer's weight and computes otherwise"
            )
            raise RecipeError(f"{edit.kind} cannot run on it: {kind}; leave it out of the target modules")
        y = output if rows is None else rows.of(output, -1)
        bias: Tensor | None = getattr(module, "bias", None) if edit.bias_apart else None
        if bias is not None and rows is not None:
            bias = rows.of(bias, 0)
        x = part.cast(args[0]) if edit.casts_input else args[0]
        if dropped and module.training:
            x = functional.dropout(x, dropped)
        y = (edit.after(part, x, y) if bias is None else edit.after(part, x, y - bias) + bias).to(y.dtype)
        if copied and module.training:
            y = _Copied.apply(y)  # type: ignore[no-untyped-call]
        return y if rows is None else rows.put(output, y, -1)

    return hook


class _Copied(torch.autograd.Function):
    """Keeps a tensor of the output's size for backward, as `index_copy` does its source where a library copies what it adds
    into a matrix of several roles."""

    @staticmethod
    def forward(ctx: Any, y: Tensor) -> Tensor:
        ctx.save_for_backward(torch.empty_like(y))
        return y.view_as(y)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return gradients[0]


def _after_sublayer(edit: OutputEdit, slot: BoundPlace, part: Part) -> list[RemovableHandle]:
    """Let what the sublayer reads pass from where it enters to where its output is known."""
    entered: list[Tensor] = []
    reads = type(slot.reads).__name__

    def enter(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        entered[:] = [read_by(args, kwargs)]

    def leave(module: nn.Module, args: tuple[Any, ...], output: Any) -> Any:
        if not entered:
            raise RecipeError(
                f"{edit.kind} cannot run here: the model does not run its {reads}, but another in its place"
            )
        x, y = entered.pop(), written_by(output)
        x, read = (part.cast(x), y) if edit.reads_input else (x, part.cast(y))
        edited = edit.after(part, x, read).to(y.dtype)
        if isinstance(output, tuple | list):  # attention also returns its weights, and T5's its position bias
            return type(output)((edited, *output[1:]))
        return edited

    assert slot.reads is not None
    return [
        slot.reads.register_forward_pre_hook(enter, with_kwargs=True),
        slot.module.register_forward_hook(leave),
    ]
