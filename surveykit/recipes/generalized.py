"""Updates that multiply a weight as well as add to it (survey 9.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from surveykit.recipes.base import Parts, Place, Shape
from surveykit.recipes.sites import WeightEdit

if TYPE_CHECKING:
    from torch import Tensor

Term = Literal["low_rank", "vector", "constant", "none"]
TERMS: tuple[Term, ...] = ("low_rank", "vector", "constant", "none")


class Generalized(WeightEdit):
    """GLoRA: (W + W ∗ A + B) x + W c + e, where ∗ is elementwise.

    A and B are products of rank `rank`: (fan_out, rank) times (rank, fan_in). The terms c = (fan_in, rank) times
    (rank, 1) and e = (fan_out,) go into the bias of a layer; the paper's fifth term multiplies a pretrained bias,
    and has no effect on a layer without one. The left factors and e start at zero.

    Source: survey 9.5; Chavan et al. 2023, equation 10. A and B as in the authors' code and in PEFT, elementwise.
    """

    size_name: ClassVar[str | None] = "rank"
    casts_input: ClassVar[bool] = False  # products have the weight's precision, as in PEFT

    kind: Literal["generalized_low_rank"]
    rank: int = Field(ge=1)
    """Rank of the products that form A and B (and c)."""
    choice: Literal["low_rank", "random"]
    """`random`: in training, every forward pass draws for each term whether it is the whole product, its first column,
    its first entry or nothing, as in the authors' supernet. Afterwards, and for `low_rank` always, it is the product."""
    biases: bool
    """Whether c and e are trained: a bias that a layer of T5 does not have."""

    @property
    def depth_uniform(self) -> bool:
        return self.choice != "random"  # each layer draws its own

    def tensors(self, place: Place) -> dict[str, Shape]:
        left, right = Shape((place.fan_out, self.rank), "zeros"), Shape((self.rank, place.fan_in), "kaiming")
        shapes = {"factor_left": left, "factor_right": right, "addend_left": left, "addend_right": right}
        if self.biases:
            shapes["input_left"] = Shape((place.fan_in, self.rank), "zeros")
            shapes["input_right"] = Shape((self.rank, 1), "kaiming")
            shapes["offset"] = Shape((place.fan_out,), "zeros")
        return shapes

    def merge_obstacle(self) -> str | None:
        return "its layers have no bias for the terms that go into one" if self.biases else None

    def expanded(self, place: Place) -> int:
        return place.fan_in * place.fan_out + (place.fan_out if self.biases else 0)

    def _term(self, parts: Parts, left: Tensor, right: Tensor) -> Tensor:
        term = TERMS[parts.draw(len(TERMS))] if parts.training and self.choice == "random" else "low_rank"
        match term:
            case "low_rank":
                return left @ right
            case "vector":
                return left[:, :1]
            case "constant":
                return left[0, 0]
            case _:
                return left[0, 0] * 0

    def _update(self, parts: Parts, weight: Tensor) -> Tensor:
        factor = self._term(parts, parts.factor_left, parts.factor_right)
        addend = self._term(parts, parts.addend_left, parts.addend_right)
        return weight * factor.type_as(weight) + addend.type_as(weight)

    def after(self, parts: Parts, x: Tensor, y: Tensor) -> Tensor:
        # A multiplies by entries, so the update is written out in every pass. Adding the addend to it first makes a
        # vector or a constant spread over the whole row, as in the merged weight.
        result: Tensor = y + x @ self._update(parts, parts.frozen).T
        if self.biases:
            column = self._term(parts, parts.input_left, parts.input_right).expand(x.shape[-1], 1)
            result = result + (parts.frozen @ column.type_as(parts.frozen))[:, 0] + parts.offset
        return result

    def weight(self, parts: Parts, weight: Tensor) -> Tensor:
        return weight + self._update(parts, weight)


class GeneralizedVectors(WeightEdit):
    """GLoRA with a vector for each of its two terms on the weight: (W + factor ∗ W + addend) x.

    `factor` and `addend` are (fan_out, 1), spread over the row of each output. Both start at zero.

    Source: Chavan et al. 2023, equation 10, with vectors for the terms A and B; as in PEFT.
    """

    casts_input: ClassVar[bool] = False

    kind: Literal["generalized_vectors"]

    def tensors(self, place: Place) -> dict[str, Shape]:
        return {"factor": Shape((place.fan_out, 1)), "addend": Shape((place.fan_out, 1))}

    def expanded(self, place: Place) -> int:
        return place.fan_in * place.fan_out

    def _update(self, parts: Parts, weight: Tensor) -> Tensor:
        return weight * parts.factor.type_as(weight) + parts.addend.type_as(weight)

    def after(self, parts: Parts, x: Tensor, y: Tensor) -> Tensor:
        return y + x @ self._update(parts, parts.frozen).T

    def weight(self, parts: Parts, weight: Tensor) -> Tensor:
        return weight + self._update(parts, weight)
