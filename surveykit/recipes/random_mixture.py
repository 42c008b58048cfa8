"""Low-rank matrices that are mixtures of random ones, which nobody keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from surveykit.recipes.base import Parts, Place, Shape
from surveykit.recipes.sites import WeightEdit

if TYPE_CHECKING:
    from torch import Tensor


class RandomMixture(WeightEdit):
    """NOLA: W + (alpha / rank) · up · down, with down = down_start + Σ mix_down[k] · (random k) and up = Σ mix_up[k] · (random k).

    `mix_down` and `mix_up` (bases,) are trained and start at zero; `down_start` (rank, fan_in) is random and frozen. The random
    matrices, `bases` for each side, are drawn from a seed where they are used, and again for the gradient.

    Source: UCDvision/NOLA, gpt/src/model_nola.py (`NOLALinear`, `GenerateParams`, `LoRA`).
    """

    size_name: ClassVar[str | None] = "bases"

    kind: Literal["random_mixture"]
    rank: int = Field(ge=1)
    """Rank of the update of each matrix."""
    bases: int = Field(ge=1)
    """Random matrices that each side is mixed of, and trained numbers of each side."""
    alpha: float = Field(gt=0)
    """The update is scaled by alpha / rank."""

    def tensors(self, place: Place) -> dict[str, Shape]:
        return {
            "mix_down": Shape((self.bases,)),
            "mix_up": Shape((self.bases,)),
            "down_start": Shape((self.rank, place.fan_in), "kaiming", trained=False, kept="seed"),
        }

    def update_rank(self, place: Place) -> int:
        return min(self.rank, place.fan_in, place.fan_out)

    def expanded(self, place: Place) -> int:
        return place.fan_in * place.fan_out

    def mixed(self, parts: Parts, weights: Tensor, dims: tuple[int, int], number: int) -> Tensor:
        """The sum of random matrices of these dimensions, each times its weight."""

        def mix(weights: Tensor) -> Tensor:
            drawn = parts.drawn((self.bases, *dims), number).flatten(1)
            found: Tensor = (weights @ drawn).reshape(dims) * self.bases**-0.5
            return found

        return parts.recomputed(mix, weights)

    def pair(self, parts: Parts, fan_out: int) -> tuple[Tensor, Tensor]:
        """`down` (rank, fan_in) and `up` (fan_out, rank)."""
        rank, fan_in = parts.down_start.shape
        down = parts.down_start + self.mixed(parts, parts.mix_down, (rank, fan_in), 0)
        return down, self.mixed(parts, parts.mix_up, (fan_out, rank), 1)

    def after(self, parts: Parts, x: Tensor, y: Tensor) -> Tensor:
        down, up = self.pair(parts, y.shape[-1])
        return y + (x @ down.T) @ up.T * (self.alpha / self.rank)

    def weight(self, parts: Parts, weight: Tensor) -> Tensor:
        down, up = self.pair(parts, weight.shape[0])
        return weight + up @ down * (self.alpha / self.rank)
