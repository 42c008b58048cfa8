"""Frozen weights that are held in 8 or 4 bits: how many bytes they take, and what their layers hold while they run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers.pytorch_utils import Conv1D

from surveykit.catalog.training import Training
from surveykit.engine.edits.tensors import RESTORED
from surveykit.engine.models.fused import linear_widths
from surveykit.engine.models.held_bits import bits_of_bitsandbytes, held_bits
from surveykit.engine.models.model import Instance
from surveykit.engine.trace.autocast import outside_autocast
from surveykit.engine.trace.counting import COUNTING, Counting
from surveykit.recipes import Stage

OUTLIER = 6.0
"""Magnitude from which on LLM.int8 multiplies an input in 16 bits."""


@dataclass(frozen=True)
class Held:
    """How the weight of one layer is held."""

    bytes: int
    int8: bool
    """Whether it is multiplied as it is (LLM.int8), and not restored before."""
    of_entries: Callable[[int], int] | None = None
    """Bytes of so many numbers that are held alike, where their number says it."""


def layers_in_few_bits(instance: Instance, training: Training, stage: Stage | None = None) -> dict[nn.Module, Held]:
    """The layers whose weights are held in few bits. What is trained keeps its width, and so does what was added.

    Their bits are those of the stage and of the model's own configuration, the stage's first; where neither says a word,
    those of the record.

    Args:
        stage: what is attached; None where PEFT's modules are.
    """
    model, found = instance.model, dict[nn.Module, Held]()
    base = stage.base if stage is not None else None
    said = held_bits(model.config) or (None if base is not None else bits_of_bitsandbytes(training))
    if said is not None:
        found = {
            layer: Held(said.bytes(*linear_widths(layer)), said.int8)
            for layer in said.layers(model, instance.pretrained)
        }
    if base is not None:
        chosen = [slot.module for slot in instance.slots if base.where.matches(slot.place)]
        found |= {layer: Held(base.bytes(_weight(layer).numel()), False, base.bytes) for layer in chosen}
    return {layer: held for layer, held in found.items() if not _weight(layer).requires_grad}


@contextmanager
def few_bits(
    instance: Instance, training: Training, stage: Stage | None = None, counting: Counting = COUNTING
) -> Iterator[int]:
    """Let the layers of `layers_in_few_bits` run as from few bits; values stay what they are.

    The weights themselves are there at full width all the while: what they take less is yielded, in bytes, each weight
    once, to be subtracted from every moment.
    """
    chosen = layers_in_few_bits(instance, training, stage)
    before = {layer: layer.__dict__.get("forward") for layer in chosen}
    try:
        dtype, keep = torch.bfloat16 if training.autocast else None, training.keep_base_inputs
        for layer, held in chosen.items():
            layer.__dict__[RESTORED] = torch.clone
            if type(layer).forward in (nn.Linear.forward, Conv1D.forward):
                layer.__dict__["forward"] = _forward(layer, held, dtype, keep)
        weights = {id(_weight(layer)): (_weight(layer), held) for layer, held in chosen.items()}
        yield sum(counting.saved(weight, held.bytes, held.of_entries) for weight, held in weights.values())
    finally:
        for layer, forward in before.items():
            layer.__dict__.pop(RESTORED, None)
            layer.__dict__.pop("forward", None)
            if forward is not None:
                layer.__dict__["forward"] = forward


def _weight(layer: nn.Module) -> Tensor:
    weight = layer.weight
    assert isinstance(weight, Tensor)
    return weight


def _forward(layer: nn.Module, held: Held, dtype: torch.dtype | None, keep: bool) -> Callable[[Tensor], Tensor]:
    """What a layer computes from few bits; in `dtype` if there is one, and given in the type of what it reads.

    Args:
        keep: whether its input is kept until the graph is dropped.
    """
    plain, weight = layer.forward, _weight(layer)
    apply: Callable[..., Tensor] = (_Int8 if held.int8 else _Restored).apply

    def forward(x: Tensor) -> Tensor:
        if layer.weight is not weight:  # an edited one stands in its place
            edited: Tensor = plain(x)
            return edited
        turned = weight.T if isinstance(layer, Conv1D) else weight
        y = apply(x.flatten(0, -2), turned, layer.bias, dtype or weight.dtype, keep)
        return y.view(*x.shape[:-1], y.shape[-1]).to(x.dtype)

    return forward


class _Restored(torch.autograd.Function):
    """A linear layer that restores its weight for each product, and drops it behind it: (n, fan_in) → (n, fan_out)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, dtype: torch.dtype, keep: bool) -> Tensor:
        ctx.weight = weight  # held anyway: it is not among what is saved for backward
        if keep and ctx.needs_input_grad[0]:
            ctx.input = x  # kept by itself: checkpointing does not drop it
            ctx.save_for_backward(x)
        return functional.linear(x, weight.to(dtype, copy=True), bias)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,), needed = gradients, ctx.needs_input_grad
        of_input = gradient @ ctx.weight.to(gradient.dtype, copy=True) if needed[0] else None
        return of_input, None, gradient.sum(0) if needed[2] else None, None, None


class _Int8(_Restored):
    """LLM.int8: input and weight are multiplied in 8 bits; backward restores the weight.

    Source: Dettmers et al. 2022. What is held meanwhile, and that the input is, until the graph is dropped, is as in
    bitsandbytes 0.50.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, dtype: torch.dtype, keep: bool) -> Tensor:
        ctx.weight = weight
        if ctx.needs_input_grad[0]:
            ctx.input = x  # kept by itself: checkpointing does not drop it
            ctx.save_for_backward(x)
        codes = _codes(x)
        with outside_autocast():
            y = functional.linear(x.to(weight.dtype), weight, bias).to(x.dtype)
        products = torch.empty_like(y, dtype=torch.int32)
        halves = torch.empty_like(y, dtype=torch.float16)
        del codes, products, halves  # until here
        return y


def _codes(x: Tensor) -> tuple[Tensor, Tensor]:
    """Stands for the input in 8 bits, and its scale in each position; outliers are looked for on the way."""
    half = x.to(torch.float16)
    scales = x.new_empty(len(x), dtype=torch.float32)
    codes = torch.empty_like(x, dtype=torch.int8)
    outliers = half.abs() >= OUTLIER
    del half, outliers
    return codes, scales
