"""Outputs rotated in pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from surveykit.recipes.base import InPeft, Overhead, Parts, Place, Shape
from surveykit.recipes.sites import WeightEdit

if TYPE_CHECKING:
    from torch import Tensor


class PairRotation(WeightEdit):
    """RoAd: R (W x + b), where R turns pairs of outputs by an angle and stretches them, with few operations on single numbers.

    Outputs are taken in groups; the first half of a group is paired with its second half. A pair (p, q) becomes
    (s cos θ p − s' sin θ' q, s' sin θ' p + s cos θ q) in terms of `angle` θ and `scale` s. `road_1` has one angle and
    scale for a pair, `road_2` one for each output, `road_4` two for each output, for cosine and sine. Angles start at zero,
    scales at one: training starts at the backbone.

    Source: Liao and Monz 2024 (arXiv 2409.00119), equation 4 and section 3.2.
    """

    casts_input: ClassVar[bool] = False
    costs: ClassVar[frozenset[Overhead]] = frozenset({"gating"})
    peft: ClassVar[InPeft | None] = InPeft(
        "ROAD", "RoadConfig", "road/qv", {"variant": ("variant", "road_1"), "group_size": ("group_size", 64)}
    )

    kind: Literal["pair_rotation"]
    variant: Literal["road_1", "road_2", "road_4"]
    """How many angles there are: one for two outputs, one or two for each output."""
    group_size: int = Field(ge=2, multiple_of=2)
    """Outputs of a group, in which pairs are made. It changes no count, and must divide the outputs."""

    def tensors(self, place: Place) -> dict[str, Shape]:
        if place.fan_out % self.group_size:
            raise ValueError(
                f"groups of {self.group_size} do not divide {place.fan_out} outputs; set group_size to a divisor"
            )
        width = {"road_1": place.fan_out // 2, "road_2": place.fan_out, "road_4": 2 * place.fan_out}[self.variant]
        return {"angle": Shape((width,), "zeros"), "scale": Shape((width,), "ones")}

    @property
    def changes_bias(self) -> bool:
        return True

    def bias(self, parts: Parts, bias: Tensor) -> Tensor:
        return self.rotated(parts, bias)

    def after(self, parts: Parts, x: Tensor, y: Tensor) -> Tensor:
        return self.rotated(parts, y.type_as(parts.angle))

    def weight(self, parts: Parts, weight: Tensor) -> Tensor:
        return self.rotated(parts, weight.T).T

    def rotated(self, parts: Parts, y: Tensor) -> Tensor:
        """(…, fan_out) → (…, fan_out)."""
        kept, crossed = self._factors(parts)
        first, second = y.reshape(-1, 2, self.group_size // 2).unbind(1)
        turned = y.new_empty((first.shape[0], 2, first.shape[1]))
        turned[:, 0], turned[:, 1] = -second, first
        return y * kept + turned.reshape(y.shape) * crossed

    def _factors(self, parts: Parts) -> tuple[Tensor, Tensor]:
        """What each output is multiplied by, and what its partner, up to the sign, is; both (fan_out,)."""
        angle, scale = parts.angle, parts.scale
        if self.variant == "road_4":
            halves = angle.reshape(-1, 2, self.group_size), scale.reshape(-1, 2, self.group_size)
            (for_cos, for_sin), (first, second) = (half.unbind(1) for half in halves)
            return (first * for_cos.cos()).flatten(), (second * for_sin.sin()).flatten()
        if self.variant == "road_1":
            shared = angle.reshape(-1, self.group_size // 2), scale.reshape(-1, self.group_size // 2)
            angle, scale = (values.repeat_interleave(2, dim=0).flatten() for values in shared)
        return scale * angle.cos(), scale * angle.sin()
