"""Low-rank updates of a weight (survey 9.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from surveykit.recipes.base import Overhead, Parts, Place, Shape
from surveykit.recipes.sites import Gate, WeightEdit, gate_tensors, gated

if TYPE_CHECKING:
    from torch import Tensor


class ThinPair(WeightEdit):
    """W + (alpha / rank) · up · down, with `down` (rank, fan_in) and `up` (fan_out, rank)."""

    size_name: ClassVar[str | None] = "rank"
    drops_input: ClassVar[bool] = True

    rank: int = Field(ge=1)
    """Rank of the update of each matrix."""
    alpha: float = Field(gt=0)
    """The update is scaled by alpha / rank."""

    @property
    def scale(self) -> float:
        """The factor on up · down."""
        return self.alpha / self.rank

    def tensors(self, place: Place) -> dict[str, Shape]:
        return {
            "down": Shape((self.rank, place.fan_in), "kaiming"),
            "up": Shape((place.fan_out, self.rank), "zeros"),
        }

    def update_rank(self, place: Place) -> int:
        return min(self.rank, place.fan_in, place.fan_out)

    def expanded(self, place: Place) -> int:
        return place.fan_in * place.fan_out

    def branch(self, parts: Parts, x: Tensor) -> Tensor:
        """The update of x, never written out: (…, fan_in) → (…, fan_out)."""
        return (x @ parts.down.T) @ parts.up.T * (self.alpha / self.rank)

    def after(self, parts: Parts, x: Tensor, y: Tensor) -> Tensor:
        return y + self.branch(parts, x)

    def weight(self, parts: Parts, weight: Tensor) -> Tensor:
        return weight + self.update(parts)

    def update(self, parts: Parts) -> Tensor:
        """The update of the weight, (fan_out, fan_in)."""
        return parts.up @ parts.down * (self.alpha / self.rank)


class LowRank(ThinPair):
    """LoRA: W + (alpha / rank) · up · down, with `down` (rank, fan_in) and `up` (fan_out, rank).

    Source: survey 9.2; Hu et al. 2022, section 4.1. `up` starts at zero, so training starts at the backbone.
    """

    kind: Literal["low_rank"]
    gate: Gate
    """A learned factor on the update, read from the layer's input; `none` for plain LoRA."""

    def tensors(self, place: Place) -> dict[str, Shape]:
        return {**super().tensors(place), **gate_tensors(self.gate, place.fan_in)}

    def merge_obstacle(self) -> str | None:
        return None if self.gate == "none" else "its gate depends on the input"

    def overhead(self) -> frozenset[Overhead]:
        return frozenset({"linear"} if self.gate == "none" else {"linear", "gating"})

    def update_rank(self, place: Place) -> int:
        return super().update_rank(place) if self.gate == "none" else 0

    def expanded(self, place: Place) -> int:
        gate = sum(shape.numel for shape in gate_tensors(self.gate, place.fan_in).values())
        return super().expanded(place) + gate

    def after(self, parts: Parts, x: Tensor, y: Tensor) -> Tensor:
        return y + gated(self.gate, parts, x, self.branch(parts, x))
