"""Kronecker products of two small matrices, as the update of a weight or beside a sublayer (survey 9.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from surveykit.arithmetic import near_square_factor
from surveykit.recipes.base import Overhead, Parts, Place, Shape
from surveykit.recipes.sites import OutputEdit, WeightEdit

if TYPE_CHECKING:
    from torch import Tensor


def multiplied(first: Tensor, second: Tensor, x: Tensor) -> Tensor:
    """(first ⊗ second) x without the product: x (…, features) is folded into a matrix and multiplied from both sides."""
    folded = x.reshape(*x.shape[:-1], first.shape[1], second.shape[1])
    return (first @ (folded @ second.T)).flatten(-2)


class Kronecker(WeightEdit):
    """W + scale · (first ⊗ second).

    The two factors are as near to square as the divisors of the weight's sides allow: `first` is
    (near_square(fan_out), near_square(fan_in)), `second` has what is left. With `second_rank`, the second factor is
    itself a product of that rank; this is no longer KronA but what the LoKr of PEFT trains by default.

    Source: survey 9.3; Edalati et al. 2022, section 3 (the shapes of the factors are not given in the survey). LoKr as in PEFT,
    where `factor` is `decompose_factor` and the product is written out in every pass.
    """

    kind: Literal["kronecker"]
    scale: float = Field(gt=0)
    """Factor on the update."""
    second_rank: int | None = Field(ge=1)
    """Rank of the second factor; null when it is trained whole."""
    factor: int | None = Field(default=None, ge=1, exclude_if=lambda factor: factor is None)
    """Sides of `first` where it divides the weight's, else the largest divisor below it; null for near-square ones."""
    written_out: bool = Field(default=False, exclude_if=lambda written_out: not written_out)
    """Whether the product is computed whole in every pass, or its factors are applied one after the other."""

    def _side(self, width: int) -> int:
        """Rows or columns of `first`."""
        if self.factor is not None and width % self.factor == 0:
            return self.factor
        return near_square_factor(width, self.factor)

    def tensors(self, place: Place) -> dict[str, Shape]:
        rows, columns = self._side(place.fan_out), self._side(place.fan_in)
        second_rows, second_columns = place.fan_out // rows, place.fan_in // columns
        if self.second_rank is None:
            return {
                "first": Shape((rows, columns), "kaiming"),
                "second": Shape((second_rows, second_columns), "zeros"),
            }
        return {
            "first": Shape((rows, columns), "kaiming"),
            "second_up": Shape((second_rows, self.second_rank), "zeros"),
            "second_down": Shape((self.second_rank, second_columns), "kaiming"),
        }

    def update_rank(self, place: Place) -> int:
        shapes = self.tensors(place)
        second = (
            shapes["second"].dims
            if self.second_rank is None
            else (self.second_rank, *shapes["second_up"].dims, *shapes["second_down"].dims)
        )
        product = min(shapes["first"].dims) * min(second)  # the rank of a Kronecker product is the product of ranks
        return min(product, place.fan_in, place.fan_out)

    def _second(self, parts: Parts) -> Tensor:
        return parts.second if self.second_rank is None else parts.second_up @ parts.second_down

    def _update(self, parts: Parts) -> Tensor:
        """The update of the weight, (fan_out, fan_in)."""
        first, second = parts.first, self._second(parts)
        product = first[:, None, :, None] * second[None, :, None, :]
        return product.flatten(2).flatten(0, 1) * self.scale

    def after(self, parts: Parts, x: Tensor, y: Tensor) -> Tensor:
        if self.written_out:
            return y + x @ self._update(parts).T
        return y + multiplied(parts.first, self._second(parts), x) * self.scale

    def weight(self, parts: Parts, weight: Tensor) -> Tensor:
        return weight + self._update(parts)


class ParallelKronecker(OutputEdit):
    """KronA_B: y + scale · (first ⊗ second) x beside a module that reads x and gives y, both of width d.

    `first` is (a, a) and `second` (d / a, d / a). KronA_B^res adds residual · x, with a trained number at each place.

    Source: survey 9.3; Edalati et al. 2022. The survey gives no equation; see the catalog entry for what is ours.
    """

    obstacle: ClassVar[str | None] = "it runs beside a module that is not linear, so no weight can take it in"
    costs: ClassVar[frozenset[Overhead]] = frozenset({"linear"})

    kind: Literal["parallel_kronecker"]
    side: int | None = Field(ge=1)
    """Rows and columns of `first`; null for the divisor of d that is nearest to its square root from below."""
    scale: float = Field(gt=0)
    """Factor on the product."""
    residual: Literal["none", "learned"]
    """Whether x itself is added too, times a number that is trained; it starts at 1."""

    def tensors(self, place: Place) -> dict[str, Shape]:
        width = place.fan_out
        side = self.side or near_square_factor(width)
        if width % side:
            raise ValueError(f"a factor of {side} rows does not divide {width} features")
        return {
            "first": Shape((side, side), "kaiming"),
            "second": Shape((width // side, width // side), "zeros"),
            **({"residual": Shape((1,), "ones")} if self.residual == "learned" else {}),
        }

    @property
    def reads_input(self) -> bool:
        return True

    def expanded(self, place: Place) -> int:
        return place.fan_out**2  # written out, product and residual are one matrix

    def after(self, parts: Parts, x: Tensor, y: Tensor) -> Tensor:
        beside = multiplied(parts.first, parts.second, x) * self.scale
        if self.residual == "learned":
            beside = beside + x * parts.residual
        return y + beside
