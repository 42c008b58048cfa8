"""Low-rank updates with the length of each row apart from its direction (survey 9.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from surveykit.recipes.base import Parts, Place, Shape
from surveykit.recipes.sites import WeightEdit

if TYPE_CHECKING:
    from torch import Tensor


class WeightDecomposed(WeightEdit):
    """DoRA: magnitude · D / ‖D‖ by rows, with D = W + (alpha / rank) · up · down.

    `down` is (rank, fan_in), `up` (fan_out, rank), `magnitude` (fan_out,). The magnitude starts at the lengths of the
    rows of W, and `up` at zero, so training starts at the backbone. No gradient passes through ‖D‖.

    Source: survey 9.4; Liu et al. 2024, equation 5 and section 4.3. The paper's notation has one length for each
    column of a (d, k) matrix; its code, and PEFT, have one for each output feature, as here.
    """

    size_name: ClassVar[str | None] = "rank"

    kind: Literal["weight_decomposed"]
    rank: int = Field(ge=1)
    """Rank of the update of the direction."""
    alpha: float = Field(gt=0)
    """That update is scaled by alpha / rank."""

    def tensors(self, place: Place) -> dict[str, Shape]:
        return {
            "down": Shape((self.rank, place.fan_in), "kaiming"),
            "up": Shape((place.fan_out, self.rank), "zeros"),
            "magnitude": Shape((place.fan_out,), "ones"),
        }

    def start(self, parts: Parts, place: Place) -> dict[str, Tensor]:
        return {"magnitude": parts.frozen.norm(dim=1)}

    def expanded(self, place: Place) -> int:
        return place.fan_in * place.fan_out

    def _direction(self, parts: Parts, weight: Tensor) -> Tensor:
        direction: Tensor = weight + parts.up @ parts.down * (self.alpha / self.rank)
        return direction

    def after(self, parts: Parts, x: Tensor, y: Tensor) -> Tensor:
        # Written out only for its length, a constant to the gradient; the branch itself stays thin.
        length = self._direction(parts, parts.frozen).detach().norm(dim=1)
        update = (x @ parts.down.T) @ parts.up.T * (self.alpha / self.rank)
        result: Tensor = (y + update) * (parts.magnitude / length)
        return result

    def weight(self, parts: Parts, weight: Tensor) -> Tensor:
        direction = self._direction(parts, weight)
        merged: Tensor = direction * (parts.magnitude / direction.norm(dim=1))[:, None]
        return merged
