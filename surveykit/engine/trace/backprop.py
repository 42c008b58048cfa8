"""Where backward runs: read from what requires a gradient while the model runs forward."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from surveykit.engine.edits.hidden_states import read_by, written_by
from surveykit.engine.models.bound_places import BoundPlace
from surveykit.engine.models.model import Instance
from surveykit.engine.trace.counting import COUNTING, Counting
from surveykit.engine.trace.layer_marks import is_inner
from surveykit.recipes.base import LINEAR_ROLES


@dataclass
class Backprop:
    """How far backward reaches into the backbone's blocks."""

    blocks: int = 0
    blocks_backward: int = 0
    """Blocks that the backward pass enters: their output requires a gradient."""
    blocks_input_gradient: int = 0
    """Blocks whose input receives a gradient."""
    activation_gradient_flops: int = 0
    """Multiplications and additions for gradients of activations in the blocks' own linear layers and attentions;
    those for gradients of weights, and those inside edits, are not among them."""
    ends: Backprop | None = field(default=None, repr=False, compare=False)
    """The same of all but the inner layers (`layer_marks`)."""
    _counting: Counting = field(default=COUNTING, repr=False, compare=False)
    _seen: dict[tuple[str, int], dict[str, tuple[bool, tuple[int, ...]]]] = field(
        default_factory=dict, repr=False, compare=False
    )

    def _linear(self, slot: BoundPlace, x: Tensor, y: Tensor) -> None:
        place = slot.place
        if x.requires_grad:
            products = 2 * self._counting.numel((*x.shape, place.fan_out))
            self.activation_gradient_flops = self.activation_gradient_flops + products
        if place.role in ("query", "key", "value"):
            seen = self._seen.setdefault((place.sublayer, place.layer), {})
            seen[place.role] = (y.requires_grad, (*y.shape[:-1], place.fan_out))

    def _attentions(self) -> int:
        """FLOPs for gradients inside the attentions: each of its two products is differentiated once per operand."""
        total = 0
        for seen in self._seen.values():
            if set(seen) != {"query", "key", "value"}:
                continue
            query, key, value = seen["query"], seen["key"], seen["value"]
            batch, asked, width = query[1]
            product = 2 * self._counting.numel((batch, asked, key[1][1], width))
            needed = [query[0], key[0], value[0], query[0] or key[0]]  # the last: gradient of the attention weights
            total = total + product * sum(needed)
        return total


@contextmanager
def watch_backprop(instance: Instance, counting: Counting = COUNTING) -> Iterator[Backprop]:
    """Watch one forward pass; the figures are complete on leaving."""
    ends = Backprop(_counting=counting)
    found = Backprop(ends=ends, _counting=counting)
    handles: list[RemovableHandle] = []
    passed: set[int] = set()

    def counts(layer: int, layers: int) -> list[Backprop]:
        return [found] if is_inner(layer, layers) else [found, ends]

    for _, blocks in groupby(instance.blocks, key=lambda block: block[0]):
        stack = [block for _, block in blocks]
        for i, block in enumerate(stack):
            handles.append(block.register_forward_hook(_block(counts(i, len(stack)), passed), with_kwargs=True))
    for slot in instance.slots:
        if slot.place.role in LINEAR_ROLES:
            of = counts(slot.place.layer, slot.place.layers)
            handles.append(slot.module.register_forward_hook(_linear(of, slot)))
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()
    for one in (found, ends):
        one.activation_gradient_flops = one.activation_gradient_flops + one._attentions()


def _block(of: Sequence[Backprop], passed: set[int]) -> Any:
    for found in of:
        found.blocks += 1

    def hook(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        read, written = read_by(args, kwargs), written_by(output)
        if id(module) in passed:  # a stage may run several passes; a block counts once
            return
        passed.add(id(module))
        for found in of:
            found.blocks_input_gradient += bool(read.requires_grad)
            found.blocks_backward += bool(written.requires_grad)

    return hook


def _linear(of: Sequence[Backprop], slot: BoundPlace) -> Any:
    def hook(module: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> None:
        if torch._C._current_graph_task_id() == -1:  # else a block is computed again, in backward
            for found in of:
                found._linear(slot, args[0], output)

    return hook
