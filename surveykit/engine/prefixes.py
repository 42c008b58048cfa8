"""Prefixes: keys and values put before those of an attention module, through transformers' attention interface."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.hooks import RemovableHandle
from transformers import AttentionInterface, PreTrainedModel
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS, AttentionMaskInterface

from surveykit.engine.slots import Slot
from surveykit.errors import RecipeError
from surveykit.recipes import Place
from surveykit.recipes.base import Parts
from surveykit.recipes.sites import KeyValueEdit

NAME = "surveykit_prefix"
"""The attention implementation that knows of prefixes; it computes what `eager` computes."""
_MARK = "surveykit_prefix"


class _Prefix:
    def __init__(self, edit: KeyValueEdit, place: Place, parts: Parts) -> None:
        self.edit, self.place, self.parts = edit, place, parts
        self.gate: Tensor | None = None
        self.seen = False

    def enter(self, module: nn.Module, args: tuple[Tensor, ...], kwargs: dict[str, Any]) -> None:
        self.seen = False
        hidden = args[0] if args else kwargs["hidden_states"]
        self.gate = self.edit.gate_value(self.parts, hidden)

    def leave(self, module: nn.Module, args: Any, output: Any) -> None:
        if not self.seen:
            raise RecipeError(f"{type(module).__name__} attends in its own way, which has no room for a prefix")

    def extend(self, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Put the prefix before keys and values, each (batch, heads of keys, positions, head width)."""
        self.seen = True
        batch, heads, _, width = key.shape
        extended = []
        for own, added in zip((key, value), self.edit.key_value(self.parts, self.place), strict=True):
            if added.shape[-1] != heads * width:
                message = f"a prefix of width {added.shape[-1]} does not fit {heads} heads of {width} features"
                raise RecipeError(message)
            added = added.reshape(-1, heads, width).transpose(0, 1).expand(batch, -1, -1, -1)
            if self.gate is not None:
                added = added * self.gate[:, None]  # the same in every head
            extended.append(torch.cat((added.to(own.dtype), own), dim=-2))
        return extended[0], extended[1]


def _attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    position_bias: Tensor | None = None,
    softcap: float | None = None,
    **_: Any,
) -> tuple[Tensor, Tensor]:
    """Softmax attention in which every query also sees the module's prefix, without position bias or mask."""
    prefix: _Prefix | None = getattr(module, _MARK, None)
    length = 0
    if prefix is not None:
        before = key.shape[-2]
        key, value = prefix.extend(key, value)
        length = key.shape[-2] - before
    shared = query.shape[1] // key.shape[1]
    if shared > 1:  # several heads of queries read one head of keys
        key, value = (states.repeat_interleave(shared, dim=1) for states in (key, value))
    scores = query @ key.transpose(-1, -2) * (query.shape[-1] ** -0.5 if scaling is None else scaling)
    if softcap is not None:
        scores = (scores / softcap).tanh() * softcap
    for bias in (position_bias, attention_mask):
        if bias is not None:
            scores = scores + functional.pad(bias, (length, 0))
    weights = functional.dropout(scores.softmax(dim=-1), p=dropout, training=module.training)
    return (weights @ value).transpose(1, 2).contiguous(), weights


AttentionInterface.register(NAME, _attention)
AttentionMaskInterface.register(NAME, ALL_MASK_ATTENTION_FUNCTIONS["eager"])


class _Restore(RemovableHandle):
    """Undo the marks and the attention implementation when the stage is taken off."""

    def __init__(self, model: PreTrainedModel, modules: Sequence[nn.Module], before: str) -> None:
        self.model, self.modules, self.before = model, modules, before

    def remove(self) -> None:
        for module in self.modules:
            if hasattr(module, _MARK):
                delattr(module, _MARK)
        self.model.set_attn_implementation(self.before)


def prepend_keys_and_values(
    model: PreTrainedModel, prefixes: Sequence[tuple[KeyValueEdit, Slot, Parts]]
) -> list[RemovableHandle]:
    """Let attention modules see prefixes; the handles undo it."""
    handles: list[RemovableHandle] = []
    marked: list[nn.Module] = []
    before = model.config._attn_implementation
    restore = _Restore(model, marked, before)
    try:
        for edit, slot, parts in prefixes:
            module = slot.reads
            assert module is not None
            if hasattr(module, _MARK):
                raise RecipeError("two prefixes on one attention module are not supported")
            prefix = _Prefix(edit, slot.place, parts)
            setattr(module, _MARK, prefix)
            marked.append(module)
            handles.append(module.register_forward_pre_hook(prefix.enter, with_kwargs=True))
            handles.append(module.register_forward_hook(prefix.leave))
        model.set_attn_implementation(NAME)
    except BaseException:
        for handle in (*handles, restore):
            handle.remove()
        raise
    return [*handles, restore]
