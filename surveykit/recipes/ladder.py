"""Ladder side-tuning (survey 7.1): a narrow transformer beside the frozen one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from surveykit.recipes.base import Activation, Parts, Place, Shape
from surveykit.recipes.sites import SideEdit, SideStack

if TYPE_CHECKING:
    from torch import Tensor

_EPSILON = 1e-6
_HIDDEN = -3e4
"""Score of what a query must not see: its weight is 0 in every width, and a row of nothing else is no error."""


class Ladder(SideEdit):
    """A side transformer of the backbone's shape, its widths divided by `reduction`, with fewer layers.

    For each kept layer l of a stack, with h_l the output of the backbone's block (batch, positions, d) and s the side
    state (batch, positions, d / reduction): s ← block_l(g · s + (1 - g) · (down_l h_l + bias_l)), g = σ(gate_l / T).
    s starts from the embedded input, brought down the same way. Behind the last layer comes a norm; what the encoder's
    side gives are the keys and values of the decoder side's cross-attention; the decoder's is brought up to d and read
    by the frozen output layer. A side block is a T5 block without dropout: norms without mean and bias, scores without
    scale, a feed-forward with one input matrix. Side layers read the backbone's table of relative positions; only a
    layer 0 brings one of its own, as it does in the authors' code.

    Source: survey 7.1; Sung et al. 2022, sections 3.1 to 3.3; ylsung/Ladder-Side-Tuning, modeling_side_t5.py.
    """

    kind: Literal["ladder"]
    reduction: int = Field(ge=1)
    """What the widths of the stream, of a head and of the feed-forward are divided by."""
    period: int = Field(ge=1)
    """Layers of a stack in groups of this size, counted from its end, …"""
    kept: int = Field(ge=1)
    """… the last so many of each have a side layer, those before are passed over."""
    temperature: float = Field(gt=0)
    """What a gate's parameter is divided by before the sigmoid."""
    activation: Activation

    @property
    def depth_uniform(self) -> bool:
        return False

    def model_post_init(self, context: Any, /) -> None:
        super().model_post_init(context)
        if self.where.sublayers is not None:
            raise ValueError("a ladder reads both stacks; leave `sublayers` out")
        if self.kept > self.period:
            raise ValueError(f"{self.kept} of {self.period} layers cannot be kept")

    def layers(self, place: Place) -> list[int]:
        """The layers that have a side layer, from 0."""
        return [n for n in range(place.layers) if (place.layers - 1 - n) % self.period < self.kept]

    def tensors(self, place: Place) -> dict[str, Shape]:
        d, layers, decoder = place.d_model, self.layers(place), place.sublayer == "decoder.input"
        n, s, f = len(layers), d // self.reduction, place.d_ff // self.reduction
        inner = place.inner // place.heads // self.reduction * place.heads
        if 0 in (s, f, inner):
            raise ValueError(f"a width divided by {self.reduction} is nothing")
        found = {
            "input_down": Shape((s, d), "normal"),
            "input_down_bias": Shape((s,)),
            "down": Shape((n, s, d), "normal"),
            "down_bias": Shape((n, s)),
            "gate": Shape((n,)),
            "final_norm": Shape((s,), "ones"),
        }
        for attention in ("self", "cross") if decoder else ("self",):
            found[f"{attention}_norm"] = Shape((n, s), "ones")
            for name in ("query", "key", "value"):
                found[f"{attention}_{name}"] = Shape((n, inner, s), "normal")
            found[f"{attention}_output"] = Shape((n, s, inner), "normal")
        found["feed_forward_norm"] = Shape((n, s), "ones")
        found["feed_forward_in"] = Shape((n, f, s), "normal")
        found["feed_forward_out"] = Shape((n, s, f), "normal")
        if 0 in layers:
            found["position_bias"] = Shape((place.relative_buckets, place.heads), "normal")
        if decoder:
            found["up"] = Shape((d, s), "normal")
            found["up_bias"] = Shape((d,))
        return found

    def output(self, stacks: Sequence[SideStack]) -> Tensor:
        encoder, decoder = stacks
        visible = None if encoder.mask is None else encoder.mask.bool()[:, None, None, :]
        memory = self._side(encoder, None, visible)
        return self._side(decoder, memory, visible) @ decoder.parts.up.T + decoder.parts.up_bias

    def _side(self, stack: SideStack, memory: Tensor | None, memory_visible: Tensor | None) -> Tensor:
        """The side of one stack: its last state, (batch, positions, d / reduction)."""
        parts, heads, states = stack.parts, stack.place.heads, stack.states
        visible = None if stack.mask is None else stack.mask.bool()[:, None, None, :]
        if memory is not None:
            causal = stack.buckets.new_ones(stack.buckets.shape).tril().bool()
            visible = causal if visible is None else visible & causal
        side: Tensor = states[0] @ parts.input_down.T + parts.input_down_bias
        for n, layer in enumerate(self.layers(stack.place)):
            gate = (parts.gate[n] / self.temperature).sigmoid()
            side = gate * side + (1 - gate) * (states[layer + 1] @ parts.down[n].T + parts.down_bias[n])
            table = stack.position_bias if layer else parts.position_bias
            bias = table[stack.buckets].permute(2, 0, 1)
            x = _norm(side, parts.self_norm[n])
            side = side + _attend(parts, "self", n, heads, x, x, bias, visible)
            if memory is not None:
                x = _norm(side, parts.cross_norm[n])
                side = side + _attend(parts, "cross", n, heads, x, memory, None, memory_visible)
            x = _norm(side, parts.feed_forward_norm[n]) @ parts.feed_forward_in[n].T
            side = side + parts.activate(self.activation, x) @ parts.feed_forward_out[n].T
        return _norm(side, parts.final_norm)


def _norm(x: Tensor, weight: Tensor) -> Tensor:
    """T5's norm of the last dimension, with its 32-bit copy of narrower numbers."""
    scaled: Tensor = x * (x.float().square().mean(dim=-1, keepdim=True) + _EPSILON).rsqrt()
    return weight * scaled.type_as(weight)


def _attend(
    parts: Parts, name: str, n: int, heads: int, x: Tensor, read: Tensor, bias: Tensor | None, visible: Tensor | None
) -> Tensor:
    """Attention of side layer n from x to what it reads, (batch, queries, width) and (batch, keys, width)."""

    def split(which: str, states: Tensor) -> Tensor:
        projected = states @ getattr(parts, f"{name}_{which}")[n].T
        by_head: Tensor = projected.unflatten(-1, (heads, -1)).transpose(1, 2)
        return by_head

    scores = split("query", x) @ split("key", read).transpose(-1, -2)
    if bias is not None:
        scores = scores + bias
    if visible is not None:
        scores = scores.masked_fill(~visible, _HIDDEN)
    mixed = (scores.softmax(dim=-1) @ split("value", read)).transpose(1, 2).flatten(2)
    out: Tensor = mixed @ getattr(parts, f"{name}_output")[n].T
    return out
