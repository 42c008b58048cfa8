"""Prefixes: keys and values put before those of an attention module, through transformers' attention interface."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.hooks import RemovableHandle
from transformers import AttentionInterface, PreTrainedModel
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS, AttentionMaskInterface
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from surveykit.engine.edits.hidden_states import read_by
from surveykit.engine.edits.tensors import Part
from surveykit.engine.models.attention import Implementations
from surveykit.engine.models.bound_places import BoundPlace
from surveykit.errors import RecipeError
from surveykit.recipes import Place
from surveykit.recipes.sites import KeyValueEdit

NAME = "surveykit_prefix"
"""Begins the names of attention implementations that know of prefixes."""
_MARK = "surveykit_prefix"


class _Prefix:
    def __init__(self, edit: KeyValueEdit, place: Place, parts: Part) -> None:
        self.edit, self.place, self.parts = edit, place, parts
        self.gate: Tensor | None = None
        self.seen = False

    def enter(self, module: nn.Module, args: tuple[Tensor, ...], kwargs: dict[str, Any]) -> None:
        self.seen = False
        self.gate = self.edit.gate_value(self.parts, self.parts.cast(read_by(args, kwargs)))

    def leave(self, module: nn.Module, args: Any, output: Any) -> None:
        if not self.seen:
            raise RecipeError(f"{type(module).__name__} attends in its own way, which has no room for a prefix")

    def attend(self, query: Tensor, heads: int, scaling: float | None) -> Tensor:
        """Gated attention to the added keys and values alone: (batch, heads, queries, width) → (batch, queries, heads, width).

        The queries are copied: a library computes them a second time, and keeps both for backward.
        """
        self.seen = True
        width = query.shape[-1]
        added = (one.reshape(-1, heads, width).transpose(0, 1) for one in self.edit.key_value(self.parts, self.place))
        key, value = (one.repeat_interleave(query.shape[1] // heads, dim=0).to(query.dtype) for one in added)
        scores = query.clone() @ key.transpose(1, 2) * (width**-0.5 if scaling is None else scaling)
        weights = scores.softmax(dim=-1, dtype=torch.float32).to(query.dtype)
        assert self.gate is not None
        mixed: Tensor = ((self.gate.to(query.dtype) * weights) @ value).transpose(1, 2)
        return mixed

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
    under: str,
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    **further: Any,
) -> tuple[Tensor, Tensor | None]:
    """The model's own attention, with longer keys and values where the module has a prefix: every query sees it, without
    position bias or mask. What is computed and kept for backward is that attention's own affair."""
    prefix: _Prefix | None = getattr(module, _MARK, None)
    apart = prefix is not None and prefix.edit.apart
    if prefix is not None and not apart:
        before = key.shape[-2]
        key, value = prefix.extend(key, value)
        length = key.shape[-2] - before
        if attention_mask is None and under == "sdpa" and _is_causal(module, query, further):
            attention_mask = _causal(query, key)
        else:
            attention_mask = _lengthened(attention_mask, length)
        if further.get("position_bias") is not None:
            further["position_bias"] = _lengthened(further["position_bias"], length)
    found: tuple[Tensor, Tensor | None]
    upcast = getattr(module, "reorder_and_upcast_attn", False)  # GPT-2's other eager attention, a method
    if under == "eager" and upcast:
        found = module._upcast_and_reordered_attn(query, key, value, attention_mask)  # type: ignore[operator]
        return found
    own = _own_attention(type(module)) if under == "eager" else ALL_ATTENTION_FUNCTIONS[under]
    found = own(module, query, key, value, attention_mask, **further)
    if prefix is not None and apart:
        found = found[0] + prefix.attend(query, key.shape[1], further.get("scaling")), found[1]
    return found


def _is_causal(module: nn.Module, query: Tensor, further: Mapping[str, Any]) -> bool:
    """Whether the queries see the past alone, by the rule of transformers' `sdpa_attention_forward`."""
    told = further.get("is_causal")
    causal: bool = getattr(module, "is_causal", True) if told is None else told
    return causal and query.shape[2] > 1


def _causal(query: Tensor, key: Tensor) -> Tensor:
    """The mask (batch, 1, queries, keys) that torch does without where there are as many keys as queries; the last query
    sees all keys. In transformers' shape, so that it takes as much as its masks do."""
    batch, _, queries, _ = query.shape
    keys = key.shape[2]
    seen = torch.ones(queries, keys, dtype=torch.bool, device=query.device).tril(keys - queries)
    return seen.expand(batch, 1, queries, keys)


def _lengthened(added: Tensor | None, length: int) -> Tensor | None:
    """A mask or bias, (…, queries, keys), for a prefix of this length before the keys: seen, with nothing added."""
    return None if added is None else functional.pad(added, (length, 0), value=added.dtype is torch.bool)


def _own_attention(kind: type[nn.Module]) -> Callable[..., tuple[Tensor, Tensor | None]]:
    """What the modules of a class run where the attention implementation is `eager`: a function beside the class."""
    home = next(parent.__module__ for parent in kind.__mro__ if "forward" in vars(parent))
    found: Callable[..., tuple[Tensor, Tensor | None]] | None = getattr(
        sys.modules[home], "eager_attention_forward", None
    )
    if found is None:
        raise RecipeError(f"{kind.__name__} attends in its own way, which has no room for a prefix")
    return found


def with_prefixes(under: str) -> str:
    """The attention implementation that knows of prefixes, and otherwise is the one named."""
    name = f"{NAME}_{under}"
    if name not in ALL_ATTENTION_FUNCTIONS:
        AttentionInterface.register(name, functools.partial(_attention, under))
        AttentionMaskInterface.register(name, ALL_MASK_ATTENTION_FUNCTIONS[under])
    return name


class _Restore(RemovableHandle):
    """Undo the marks and the attention implementation when the stage is taken off."""

    def __init__(self, model: PreTrainedModel, modules: Sequence[nn.Module]) -> None:
        self.modules = modules
        self.implementations = Implementations(model)

    def remove(self) -> None:
        for module in self.modules:
            if hasattr(module, _MARK):
                delattr(module, _MARK)
        self.implementations.put_back()


def _behind(model: PreTrainedModel, length: int) -> RemovableHandle:
    """Let the text that the model is given begin at a later position, unless the caller says where it stands."""
    takes = "position_ids" in inspect.signature(model.forward).parameters

    def hook(
        module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        given = next(t for t in (kwargs.get("input_ids"), kwargs.get("inputs_embeds"), *args) if t is not None)
        if takes and kwargs.get("position_ids") is None:
            places = torch.arange(length, length + given.shape[1], device=given.device)
            kwargs = {**kwargs, "position_ids": places[None]}
        return args, kwargs

    handle: RemovableHandle = model.register_forward_pre_hook(hook, with_kwargs=True)
    return handle


def prepend_keys_and_values(
    model: PreTrainedModel, prefixes: Sequence[tuple[KeyValueEdit, BoundPlace, Part]]
) -> list[RemovableHandle]:
    """Let attention modules see prefixes; the handles undo it."""
    handles: list[RemovableHandle] = []
    marked: list[nn.Module] = []
    restore = _Restore(model, marked)
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
        if moved := max((edit.positions_added() for edit, _, _ in prefixes if edit.moves_text), default=0):
            handles.append(_behind(model, moved))
        restore.implementations.change(lambda part, now: with_prefixes(now))
    except BaseException:
        for handle in (*handles, restore):
            handle.remove()
        raise
    return [*handles, restore]
