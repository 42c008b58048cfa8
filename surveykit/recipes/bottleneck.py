"""Adapters: small networks beside or after a sublayer (survey 5 and 10.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, model_validator

from surveykit.recipes.base import Activation, Overhead, Parts, Place, Shape
from surveykit.recipes.sites import Gate, OutputEdit, gate_tensors, gated

if TYPE_CHECKING:
    from torch import Tensor

Placement = Literal["sequential", "parallel"]


class Bottleneck(OutputEdit):
    """An adapter: y + scaling · (up · activation(down · h)), where h is y (sequential) or x (parallel).

    `down` is (b, d), where b is d / reduction or a size of its own; `up` is (d, b), and both have biases.
    Source: survey 5.1 and 10.2; Houlsby et al. 2019, section 2.1; He et al. 2022, section 3.
    """

    size_name: ClassVar[str | None] = "size"

    kind: Literal["bottleneck"]
    reduction: int | None = Field(ge=1)
    """The width of the stream divided by the width of the bottleneck; null where `size` gives the latter."""
    size: int | None = Field(default=None, ge=1)
    """The width of the bottleneck, where it is the same whatever the width of the stream."""
    activation: Activation
    placement: Placement
    """`sequential`: reads the sublayer's output. `parallel`: reads what the sublayer reads."""
    scaling: float
    """Factor on the adapter's output; where the factor is learned, its start."""
    learned_scaling: bool
    """Whether that factor is one more trained parameter per adapter."""
    gate: Gate
    initial_up: Literal["zeros", "normal"] = "zeros"
    """How `up` starts: at zero, so that training starts at the backbone, or near it, with small random numbers. A
    mask that is chosen by gradients needs the latter: while `up` is zero, no entry of `down` has one."""

    @model_validator(mode="after")
    def _one_width(self) -> Self:
        if (self.reduction is None) == (self.size is None):
            raise ValueError("a bottleneck has either a `reduction` or a `size`; the other is null")
        return self

    def sized(self, size: int) -> Self:
        return type(self).model_validate({**self.model_dump(), "reduction": None, "size": size})

    def bottleneck(self, place: Place) -> int:
        """The width of the bottleneck."""
        if self.size is not None:
            return self.size
        assert self.reduction is not None
        return place.fan_out // self.reduction

    def tensors(self, place: Place) -> dict[str, Shape]:
        width, bottleneck = place.fan_out, self.bottleneck(place)
        return {
            "down": Shape((bottleneck, width), "kaiming"),
            "down_bias": Shape((bottleneck,), "zeros"),
            "up": Shape((width, bottleneck), self.initial_up),
            "up_bias": Shape((width,), "zeros"),
            **({"factor": Shape((1,), "ones")} if self.learned_scaling else {}),
            **gate_tensors(self.gate, width),
        }

    def overhead(self) -> frozenset[Overhead]:
        return frozenset({"ffn"} if self.gate == "none" else {"ffn", "gating"})

    @property
    def reads_input(self) -> bool:
        return self.placement == "parallel"

    def after(self, parts: Parts, x: Tensor, y: Tensor) -> Tensor:
        read = y if self.placement == "sequential" else x
        hidden = parts.activate(self.activation, read @ parts.down.T + parts.down_bias)
        update = (hidden @ parts.up.T + parts.up_bias) * self.scaling
        if self.learned_scaling:
            update = update * parts.factor
        return y + gated(self.gate, parts, read, update)


class ExpertBottleneck(OutputEdit):
    """AdaMix: an adapter behind a sublayer with several down projections, and as many up projections or one.

    While it is trained, each pass draws one of either kind for the whole batch, independently of each other and at
    every place. In the end the experts are averaged into one adapter, which is what is kept and used.
    `down` is (experts, size, d), `up` (experts or 1, d, size); biases belong to the experts.

    Source: survey 5.2; Wang et al. 2022, section 3; the authors' code (microsoft/AdaMix, expert_soup.py).
    """

    size_name: ClassVar[str | None] = "size"

    kind: Literal["expert_bottleneck"]
    experts: int = Field(ge=1)
    """Down projections at each place."""
    shared_up: bool
    """Whether all down projections go with one up projection; otherwise there are as many of both."""
    size: int = Field(ge=1)
    """The width of the bottleneck."""
    activation: Activation

    def tensors(self, place: Place) -> dict[str, Shape]:
        width, ups = place.fan_out, 1 if self.shared_up else self.experts
        return {
            "down": Shape((self.experts, self.size, width), "normal"),
            "down_bias": Shape((self.experts, self.size), "zeros"),
            "up": Shape((ups, width, self.size), "zeros"),
            "up_bias": Shape((ups, width), "zeros"),
        }

    def deployed(self) -> Bottleneck:
        return Bottleneck(
            kind="bottleneck",
            where=self.where,
            reduction=None,
            size=self.size,
            activation=self.activation,
            placement="sequential",
            scaling=1.0,
            learned_scaling=False,
            gate="none",
        )

    def deployed_tensors(self, parts: Parts, place: Place) -> dict[str, Tensor]:
        return {name: getattr(parts, name).mean(dim=0) for name in self.tensors(place)}

    def _projection(self, parts: Parts, name: str) -> tuple[Tensor, Tensor]:
        """Weight and bias: those of an expert that is drawn in training, their averages otherwise."""
        weight, bias = getattr(parts, name), getattr(parts, f"{name}_bias")
        if not parts.training:
            return weight.mean(dim=0), bias.mean(dim=0)
        drawn = parts.draw(weight.shape[0])
        return weight[drawn], bias[drawn]

    def after(self, parts: Parts, x: Tensor, y: Tensor) -> Tensor:
        down, down_bias = self._projection(parts, "down")
        up, up_bias = self._projection(parts, "up")
        hidden = parts.activate(self.activation, y @ down.T + down_bias)
        update: Tensor = hidden @ up.T + up_bias
        return y + update


class HypercomplexBottleneck(OutputEdit):
    """An adapter whose two projections are sums of Kronecker products: Σᵢ ruleᵢ ⊗ blockᵢ.

    The rules are (terms, terms, terms): one for both projections of every adapter (Compacter), or one for each
    projection (a PHM adapter). The blocks are a projection's own: whole, (terms, fan_in / terms, fan_out / terms), or a
    product of rank `block_rank`.

    Source: survey 10.4, equation 3; Karimi Mahabadi et al. 2021, section 3.
    """

    kind: Literal["hypercomplex_bottleneck"]
    reduction: int = Field(ge=1)
    """The width of the stream divided by the width of the bottleneck."""
    terms: int = Field(ge=1)
    """Kronecker products in the sum; must divide both widths."""
    block_rank: int | None = Field(ge=1)
    """Rank of each block; null when blocks are trained whole."""
    shared_rule: bool
    """One set of rules for the whole model, or one for each projection."""
    activation: Activation
    placement: Literal["sequential"]

    def _projection(self, name: str, fan_in: int, fan_out: int) -> dict[str, Shape]:
        n = self.terms
        if fan_in % n or fan_out % n:
            raise ValueError(f"{n} terms do not divide a projection of {fan_in} to {fan_out} features")
        rule = {} if self.shared_rule else {f"{name}_rule": Shape((n, n, n), "normal")}
        if self.block_rank is None:
            return {**rule, f"{name}_block": Shape((n, fan_in // n, fan_out // n), "normal")}
        return {
            **rule,
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
        return {"rule": Shape((self.terms, self.terms, self.terms), "normal")} if self.shared_rule else {}

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
        rule = parts.shared.rule if self.shared_rule else getattr(parts, f"{name}_rule")
        summed: Tensor = (rule[:, :, None, :, None] * block[:, None, :, None, :]).sum(dim=0)
        return summed.flatten(2, 3).flatten(0, 1)

    def after(self, parts: Parts, x: Tensor, y: Tensor) -> Tensor:
        hidden = parts.activate(self.activation, y @ self._matrix(parts, "down") + parts.down_bias)
        update: Tensor = hidden @ self._matrix(parts, "up") + parts.up_bias
        return y + update
