"""Elementwise products with low-rank matrices, whose rank is not low."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from surveykit.recipes.base import InPeft, Parts, Place, Shape
from surveykit.recipes.sites import WeightEdit

if TYPE_CHECKING:
    from torch import Tensor


class HadamardBase(WeightEdit):
    """HiRA: W + W ∗ (up · down), where ∗ is elementwise, with `down` (rank, fan_in) and `up` (fan_out, rank).

    `up` starts at zero. The update is written out in every pass: no factor can be applied to x alone.

    Source: Huang et al. 2025, as in PEFT.
    """

    size_name: ClassVar[str | None] = "rank"
    drops_input: ClassVar[bool] = True
    peft: ClassVar[InPeft | None] = InPeft("HIRA", "HiraConfig", "hira/qv-r32", {"rank": ("r", 32)})

    kind: Literal["hadamard_base"]
    rank: int = Field(ge=1)
    """Rank of the matrix that multiplies W."""

    def tensors(self, place: Place) -> dict[str, Shape]:
        return {
            "down": Shape((self.rank, place.fan_in), "kaiming"),
            "up": Shape((place.fan_out, self.rank), "zeros"),
        }

    def expanded(self, place: Place) -> int:
        return place.fan_in * place.fan_out

    def after(self, parts: Parts, x: Tensor, y: Tensor) -> Tensor:
        return y + x @ (parts.frozen * (parts.up @ parts.down)).T

    def weight(self, parts: Parts, weight: Tensor) -> Tensor:
        return weight + weight * (parts.up @ parts.down)


class HadamardPair(WeightEdit):
    """LoHa: W + (alpha / rank) · (first_up · first_down) ∗ (second_up · second_down), where ∗ is elementwise.

    Both pairs are (fan_out, rank) and (rank, fan_in); `second_down` starts at zero. The update is written out in every pass,
    and the two products are computed again for the backward pass.

    Source: Hyeon-Woo et al. 2021, as an update of a frozen weight: LyCORIS, and PEFT.
    """

    size_name: ClassVar[str | None] = "rank"
    peft: ClassVar[InPeft | None] = InPeft(
        "LOHA", "LoHaConfig", "loha/qv-r8", {"rank": ("r", 8), "alpha": ("alpha", 8)}
    )

    kind: Literal["hadamard_pair"]
    rank: int = Field(ge=1)
    """Rank of each of the two factors."""
    alpha: float = Field(gt=0)
    """The update is scaled by alpha / rank."""

    def tensors(self, place: Place) -> dict[str, Shape]:
        up, down = (place.fan_out, self.rank), (self.rank, place.fan_in)
        return {
            "first_up": Shape(up, "kaiming"),
            "first_down": Shape(down, "kaiming"),
            "second_up": Shape(up, "kaiming"),
            "second_down": Shape(down, "zeros"),
        }

    def update_rank(self, place: Place) -> int:
        return min(self.rank**2, place.fan_in, place.fan_out)

    def expanded(self, place: Place) -> int:
        return place.fan_in * place.fan_out

    def _update(self, first_up: Tensor, first_down: Tensor, second_up: Tensor, second_down: Tensor) -> Tensor:
        return (first_up @ first_down) * (second_up @ second_down) * (self.alpha / self.rank)

    def after(self, parts: Parts, x: Tensor, y: Tensor) -> Tensor:
        factors = parts.first_up, parts.first_down, parts.second_up, parts.second_down
        return y + x @ parts.recomputed(self._update, *factors).T

    def weight(self, parts: Parts, weight: Tensor) -> Tensor:
        return weight + self._update(parts.first_up, parts.first_down, parts.second_up, parts.second_down)
