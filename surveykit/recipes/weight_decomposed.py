"""Low-rank updates with the length of each row apart from its direction (survey 9.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from surveykit.recipes.base import Parts, Place, Shape
from surveykit.recipes.low_rank import ThinPair

if TYPE_CHECKING:
    from torch import Tensor


class WeightDecomposed(ThinPair):
    """DoRA: magnitude · D / ‖D‖ by rows, with D = W + (alpha / rank) · up · down.

    `down` is (rank, fan_in), `up` (fan_out, rank), `magnitude` (fan_out,). The magnitude starts at the lengths of the
    rows of W, and `up` at zero, so training starts at the backbone. No gradient passes through ‖D‖.

    Source: survey 9.4; Liu et al. 2024, equation 5 and section 4.3. The paper's notation has one length for each
    column of a (d, k) matrix; its code, and PEFT, have one for each output feature, as here.
    """

    kind: Literal["weight_decomposed"]
    bias_apart: ClassVar[bool] = True

    def tensors(self, place: Place) -> dict[str, Shape]:
        return {**super().tensors(place), "magnitude": Shape((place.fan_out,), "ones")}

    def update_rank(self, place: Place) -> int:
        return min(place.fan_in, place.fan_out)  # each row has a length of its own

    def start(self, parts: Parts, place: Place) -> dict[str, Tensor]:
        return {"magnitude": parts.frozen.norm(dim=1)}

    def after(self, parts: Parts, x: Tensor, y: Tensor) -> Tensor:
        # Written out only for its length, a constant to the gradient; the branch itself stays thin.
        length = super().weight(parts, parts.frozen.type_as(x)).detach().norm(dim=1)
        factor = parts.magnitude / length
        # Not (y + branch) * factor, which keeps one product less for backward: this is how PEFT computes it.
        result: Tensor = y + (y * (factor - 1) + self.branch(parts, x) * factor)
        return result

    def weight(self, parts: Parts, weight: Tensor) -> Tensor:
        direction = super().weight(parts, weight)
        merged: Tensor = direction * (parts.magnitude / direction.norm(dim=1))[:, None]
        return merged
