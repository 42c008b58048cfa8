"""One short vector, spread over every weight by a fixed random map (survey 9.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from surveykit.recipes.base import Parts, Place, Shape
from surveykit.recipes.sites import ParameterEdit

if TYPE_CHECKING:
    from torch import Tensor


class Fastfood(ParameterEdit):
    """Intrinsic SAID: θ + strength · P(vector), with one trained vector for all tensors and one strength for each.

    P is the Fastfood transform H G Π H B: random signs B, a Hadamard transform, a random permutation Π, Gaussian factors
    G, and the transform again, on `length` numbers, the next power of two above the entries of θ. B, Π and G are (length,)
    each, drawn from a seed that is all that is kept of them. The vector is padded with zeros; a tensor smaller than the
    vector sees only its beginning. The result is scaled so that a unit vector moves θ by about a unit.

    Source: survey 9.1; Aghajanyan et al. 2020, section 3; Le et al. 2013; padding, scaling and the dimension that includes
    the strengths as in published copies of the authors' code.
    """

    size_name: ClassVar[str | None] = "dimension"

    kind: Literal["fastfood"]
    dimension: int = Field(ge=2)
    """Trained numbers in all: those of the vector, and one strength for each tensor."""

    def tensors(self, place: Place) -> dict[str, Shape]:
        length = padded_length(Shape(place.shape).numel)
        return {
            "strength": Shape((1,), "ones"),
            "signs": Shape((length,), "sign", trained=False, kept="seed"),
            "shuffle": Shape((length,), "permutation", trained=False, kept="seed"),
            "gauss": Shape((length,), "normal", trained=False, kept="seed"),
        }

    def shared_tensors(self, place: Place) -> dict[str, Shape]:
        if self.dimension <= place.places:
            raise ValueError(f"{self.dimension} trained numbers are too few for {place.places} strengths and a vector")
        return {"vector": Shape((self.dimension - place.places,))}

    def value(self, parts: Parts, tensor: Tensor, place: Place) -> Tensor:
        vector, gauss = parts.shared.vector, parts.gauss
        length, entries = gauss.shape[0], Shape(place.shape).numel
        padded = vector.new_zeros(length)
        padded[: vector.shape[0]] = vector[:length]
        mixed = parts.transform("hadamard", padded * parts.signs)[parts.shuffle.long()]
        spread = parts.transform("hadamard", mixed * gauss)[:entries] / (gauss.square().sum() * entries).sqrt()
        return tensor + parts.strength * spread.reshape(place.shape)


def padded_length(entries: int) -> int:
    """The smallest power of two that is not below."""
    return 1 << (entries - 1).bit_length()
