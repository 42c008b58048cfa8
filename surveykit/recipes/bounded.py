"""A low-rank update of unit components, whose norm a trained number bounds."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from surveykit.recipes.base import InPeft, Parts, Place, Shape
from surveykit.recipes.sites import WeightEdit

if TYPE_CHECKING:
    from torch import Tensor

_SMALLEST = 1e-4
"""Norms below this count as this, so that a factor that starts at zero can be divided by its norm."""


class Bounded(WeightEdit):
    """DeLoRA: W + up · diag(strength / (rank · |down row| · |up column|)) · down · diag(norms).

    `down` (rank, fan_in), `up` (fan_out, rank) and `strength` (1) are trained. `norms` (fan_in) are those of W's columns, found
    at the start and kept with what is trained. `up` starts at zero, so training starts at the backbone.

    Source: Bini et al. 2025, as in PEFT, which scales by the norm of each column of W.
    """

    size_name: ClassVar[str | None] = "rank"
    drops_input: ClassVar[bool] = True
    peft: ClassVar[InPeft | None] = InPeft(
        "DELORA", "DeloraConfig", "delora/qv-r8", {"rank": ("r", 8), "strength": ("delora_lambda", 15)}
    )

    kind: Literal["bounded_low_rank"]
    rank: int = Field(ge=1)
    """Components of the update."""
    strength: float = Field(gt=0)
    """Where the trained number starts that bounds the norm of the update."""

    def tensors(self, place: Place) -> dict[str, Shape]:
        return {
            "down": Shape((self.rank, place.fan_in), "kaiming"),
            "up": Shape((place.fan_out, self.rank), "zeros"),
            "bound": Shape((1,), "ones"),
            "norms": Shape((place.fan_in,), "ones", trained=False),
        }

    def start(self, parts: Parts, place: Place) -> dict[str, Tensor]:
        return {"bound": parts.bound.new_full((1,), self.strength), "norms": parts.frozen.norm(dim=0)}

    def update_rank(self, place: Place) -> int:
        return min(self.rank, place.fan_in, place.fan_out)

    def expanded(self, place: Place) -> int:
        return place.fan_in * place.fan_out

    def _scale(self, parts: Parts) -> Tensor:
        """The factor on each component, (rank)."""
        norms = parts.down.norm(dim=1).clamp(min=_SMALLEST) * parts.up.norm(dim=0).clamp(min=_SMALLEST)
        scale: Tensor = parts.bound / self.rank / norms
        return scale

    def after(self, parts: Parts, x: Tensor, y: Tensor) -> Tensor:
        return y + ((x * parts.norms) @ parts.down.T * self._scale(parts)) @ parts.up.T

    def weight(self, parts: Parts, weight: Tensor) -> Tensor:
        return weight + (parts.up * self._scale(parts)) @ parts.down * parts.norms
