"""Updates of a weight by a Kronecker product (survey 9.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from surveykit.arithmetic import near_square_factor
from surveykit.recipes.base import Parts, Place, Shape
from surveykit.recipes.sites import WeightEdit

if TYPE_CHECKING:
    from torch import Tensor


class Kronecker(WeightEdit):
    """W + scale · (first ⊗ second).

    The two factors are as near to square as the divisors of the weight's sides allow: `first` is
    (near_square(fan_out), near_square(fan_in)), `second` has what is left. With `second_rank`, the second factor is
    itself a product of that rank; this is no longer KronA but what the LoKr of PEFT trains by default.

    Source: survey 9.3; Edalati et al. 2022, section 3 (the shapes of the factors are not given in the survey).
    """

    kind: Literal["kronecker"]
    scale: float = Field(gt=0)
    """Factor on the update."""
    second_rank: int | None = Field(ge=1)
    """Rank of the second factor; null when it is trained whole."""

    def tensors(self, place: Place) -> dict[str, Shape]:
        rows, columns = near_square_factor(place.fan_out), near_square_factor(place.fan_in)
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
        second: Tensor = parts.second if self.second_rank is None else parts.second_up @ parts.second_down
        return second

    def after(self, parts: Parts, x: Tensor, y: Tensor) -> Tensor:
        # (first ⊗ second) x without the product: fold x into a matrix and multiply from both sides.
        second = self._second(parts)
        folded = x.reshape(*x.shape[:-1], parts.first.shape[1], second.shape[1])
        update: Tensor = parts.first @ (folded @ second.T)
        return y + update.flatten(-2) * self.scale

    def weight(self, parts: Parts, weight: Tensor) -> Tensor:
        first, second = parts.first, self._second(parts)
        product: Tensor = first[:, None, :, None] * second[None, :, None, :]
        return weight + product.reshape(weight.shape) * self.scale
