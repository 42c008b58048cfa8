"""Adapters: small networks beside or after a sublayer (survey 5 and 10.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from surveykit.recipes.base import Activation, Overhead, Parts, Place, Shape
from surveykit.recipes.sites import Gate, OutputEdit, gate_tensors, gated

if TYPE_CHECKING:
    from torch import Tensor

Placement = Literal["sequential", "parallel"]


class Bottleneck(OutputEdit):
    """An adapter: y + scaling · (up · activation(down · h)), where h is y (sequential) or x (parallel).

    `down` is (d / reduction, d), `up` its transpose in shape, both with biases.
    Source: survey 5.1 and 10.2; Houlsby et al. 2019, section 2.1; He et al. 2022, section 3.
    """

    kind: Literal["bottleneck"]
    reduction: int = Field(ge=1)
    """The width of the stream divided by the width of the bottleneck."""
    activation: Activation
    placement: Placement
    """`sequential`: reads the sublayer's output. `parallel`: reads what the sublayer reads."""
    scaling: float
    """Factor on the adapter's output; where the factor is learned, its start."""
    learned_scaling: bool
    """Whether that factor is one more trained parameter per adapter."""
    gate: Gate

    def tensors(self, place: Place) -> dict[str, Shape]:
        width = place.fan_out
        bottleneck = width // self.reduction
        return {
            "down": Shape((bottleneck, width), "kaiming"),
            "down_bias": Shape((bottleneck,), "zeros"),
            "up": Shape((width, bottleneck), "zeros"),
            "up_bias": Shape((width,), "zeros"),
            **({"factor": Shape((1,), "ones")} if self.learned_scaling else {}),
            **gate_tensors(self.gate, width),
        }

    def overhead(self) -> frozenset[Overhead]:
        return frozenset({"ffn"} if self.gate == "none" else {"ffn", "gating"})

    def after(self, parts: Parts, x: Tensor, y: Tensor) -> Tensor:
        read = y if self.placement == "sequential" else x
        hidden = parts.activate(self.activation, read @ parts.down.T + parts.down_bias)
        update = (hidden @ parts.up.T + parts.up_bias) * self.scaling
        if self.learned_scaling:
            update = update * parts.factor
        return y + gated(self.gate, parts, read, update)


class HypercomplexBottleneck(OutputEdit):
    """An adapter whose two projections are sums of Kronecker products: Σᵢ ruleᵢ ⊗ blockᵢ.

    The `rule` tensors (terms, terms, terms) are shared by both projections of every adapter, the blocks are the
    adapter's own: whole (a PHM layer), or a product of rank `block_rank` (Compacter).

    Source: survey 10.4, equation 3; Karimi Mahabadi et al. 2021, section 3.
    """

    kind: Literal["hypercomplex_bottleneck"]
    reduction: int = Field(ge=1)
    """The width of the stream divided by the width of the bottleneck."""
    terms: int = Field(ge=1)
    """Kronecker products in the sum; must divide both widths."""
    block_rank: int | None = Field(ge=1)
    """Rank of each block; null when blocks are trained whole."""
    shared_rule: Literal[True]
    """One set of rules for the whole model."""
    activation: Activation
    placement: Literal["sequential"]

    def _projection(self, name: str, fan_in: int, fan_out: int) -> dict[str, Shape]:
        n = self.terms
        if fan_in % n or fan_out % n:
            raise ValueError(f"{n} terms do not divide a projection of {fan_in} to {fan_out} features")
        if self.block_rank is None:
            return {f"{name}_block": Shape((n, fan_in // n, fan_out // n), "normal")}
        return {
            f"{name}_left": Shape((n, fan_in // n, self.block_rank), "normal"),
            f"{name}_right": Shape((n, self.block_rank, fan_out // n), "normal"),
        }

    def tensors(self, place: Place) -> dict[str, Shape]:
        width = place.fan_out
        bottleneck = width // self.reduction
        return {
            **self._projection("down", width, bottleneck),
            "down_bias": Shape((bottleneck,), "zeros"),
            **self._projection("up", bottleneck, width),
            "up_bias": Shape((width,), "zeros"),
        }

    def shared_tensors(self, place: Place) -> dict[str, Shape]:
        return {"rule": Shape((self.terms, self.terms, self.terms), "normal")}

    def expanded(self, place: Place) -> int:
        width = place.fan_out
        bottleneck = width // self.reduction
        return 2 * width * bottleneck + width + bottleneck

    def shared_expanded(self, place: Place) -> int:
        return 0  # the rules are part of the projections once these are written out

    def _matrix(self, parts: Parts, name: str) -> Tensor:
        """The projection written out, (fan_in, fan_out)."""
        if self.block_rank is None:
            block = getattr(parts, f"{name}_block")
        else:
            block = getattr(parts, f"{name}_left") @ getattr(parts, f"{name}_right")
        rule = parts.shared.rule
        summed: Tensor = (rule[:, :, None, :, None] * block[:, None, :, None, :]).sum(dim=0)
        return summed.flatten(2, 3).flatten(0, 1)

    def after(self, parts: Parts, x: Tensor, y: Tensor) -> Tensor:
        hidden = parts.activate(self.activation, y @ self._matrix(parts, "down") + parts.down_bias)
        update: Tensor = hidden @ self._matrix(parts, "up") + parts.up_bias
        return y + update
