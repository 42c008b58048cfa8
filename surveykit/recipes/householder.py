"""Weights multiplied by a chain of reflections."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from surveykit.recipes.base import InPeft, Parts, Place, Shape
from surveykit.recipes.sites import WeightEdit

if TYPE_CHECKING:
    from torch import Tensor


class Householder(WeightEdit):
    """HRA: W H₁ H₂ … with Hᵢ = I − 2 uᵢ uᵢᵀ, where uᵢ is a column of `directions` (fan_in, reflections) of length one.

    An even number of directions starts in equal pairs, whose reflections undo each other: training starts at the backbone. An
    odd number starts at random, and does not; neither do orthogonal ones. PEFT starts these in pairs, too, but of a direction made
    orthogonal to its like nothing is left but rounding errors, which are then given length one; here they start at random.

    Source: Yuan et al. 2024 (arXiv 2405.17484), as PEFT has it: the product is written out in every step, and all the
    products on the way to it are kept for backward.
    """

    size_name: ClassVar[str | None] = "reflections"
    bias_apart: ClassVar[bool] = True
    peft: ClassVar[InPeft | None] = InPeft(
        "HRA", "HRAConfig", "hra/qv-r8", {"reflections": ("r", 8), "orthogonal": ("apply_GS", False)}
    )

    kind: Literal["householder"]
    reflections: int = Field(ge=1)
    """Directions along which the input of each matrix is reflected."""
    orthogonal: bool
    """Whether the directions are made orthogonal to each other, one after the other (Gram-Schmidt)."""

    def tensors(self, place: Place) -> dict[str, Shape]:
        return {"directions": Shape((place.fan_in, self.reflections), "kaiming")}

    def start(self, parts: Parts, place: Place) -> dict[str, Tensor]:
        if self.orthogonal or self.reflections % 2:
            return {}
        return {"directions": parts.directions[:, : self.reflections // 2].repeat_interleave(2, dim=1)}

    def update_rank(self, place: Place) -> int:
        return min(self.reflections, place.fan_in, place.fan_out)

    def expanded(self, place: Place) -> int:
        return place.fan_in * place.fan_out

    def product(self, parts: Parts) -> Tensor:
        """H₁ H₂ …, (fan_in, fan_in)."""
        directions = parts.directions
        product = identity = directions.new_ones(directions.shape[0]).diag()
        if self.orthogonal:
            units: list[Tensor] = []
            for column in directions.T.unsqueeze(-1):
                for unit in units:
                    column = column - (unit.T @ column) * unit
                units.append(column / column.norm())
            for unit in units:  # of orthogonal directions the product is a sum
                product = product - 2 * unit @ unit.T
        else:
            for unit in (directions / directions.norm(dim=0)).T.unsqueeze(-1):
                product = product - 2 * product @ unit @ unit.T
        return identity @ product  # so does PEFT, and keeps the identity

    def after(self, parts: Parts, x: Tensor, y: Tensor) -> Tensor:
        edited: Tensor = x @ (parts.frozen.type_as(x) @ self.product(parts)).T
        return edited

    def weight(self, parts: Parts, weight: Tensor) -> Tensor:
        return weight @ self.product(parts)
