"""Updates of the leading singular vectors of a weight."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from surveykit.recipes.base import Parts, Place, Shape
from surveykit.recipes.sites import WeightEdit

if TYPE_CHECKING:
    from torch import Tensor


class SpectralVectors(WeightEdit):
    """(U + up) S (V + downᵀ)ᵀ in place of U S Vᵀ, the part of W = U S Vᵀ + rest with the `rank` largest singular values.

    `up` (fan_out, rank) and `down` (rank, fan_in) start at zero. The factors `left` = U S, `right` = S Vᵀ and `strengths` = S are
    found anew from the weight. The update is up · right + left · down + up · S · down.

    Source: Zhang and Pilanci 2024, the additive spectral adapter, as the authors' code has it (pilancilab/spectral_adapter,
    mistral_tune/spectral_lora_tune, `spectral_top`).
    """

    size_name: ClassVar[str | None] = "rank"

    kind: Literal["spectral_vectors"]
    rank: int = Field(ge=1)
    """Leading singular vectors on either side that are changed."""

    def tensors(self, place: Place) -> dict[str, Shape]:
        if self.rank > (most := min(place.fan_in, place.fan_out)):
            raise ValueError(f"rank {self.rank} is more than the {most} singular vectors of a matrix")
        return {
            "up": Shape((place.fan_out, self.rank)),
            "down": Shape((self.rank, place.fan_in)),
            "left": Shape((place.fan_out, self.rank), trained=False, kept="backbone"),
            "right": Shape((self.rank, place.fan_in), trained=False, kept="backbone"),
            "strengths": Shape((self.rank,), trained=False, kept="backbone"),
        }

    def start(self, parts: Parts, place: Place) -> dict[str, Tensor]:
        left, values, right = parts.frozen.float().svd()
        left, values, right = left[:, : self.rank], values[: self.rank], right[:, : self.rank]
        return {"left": left * values, "right": (right * values).T, "strengths": values}

    def update_rank(self, place: Place) -> int:
        return min(2 * self.rank, place.fan_in, place.fan_out)

    def expanded(self, place: Place) -> int:
        return place.fan_in * place.fan_out

    def after(self, parts: Parts, x: Tensor, y: Tensor) -> Tensor:
        moved = parts.right + parts.strengths[:, None] * parts.down
        return y + (x @ moved.T) @ parts.up.T + (x @ parts.down.T) @ parts.left.T

    def weight(self, parts: Parts, weight: Tensor) -> Tensor:
        moved = parts.right + parts.strengths[:, None] * parts.down
        return weight + parts.up @ moved + parts.left @ parts.down
