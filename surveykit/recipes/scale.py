"""Learned elementwise scaling (survey 7.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from surveykit.recipes.base import Overhead, Parts, Place, Shape
from surveykit.recipes.sites import WeightEdit

if TYPE_CHECKING:
    from torch import Tensor


class Scale(WeightEdit):
    """(IA)³: one learned factor per feature, on what a linear layer gives or on what it is fed.

    `output` multiplies rows of the weight, `input` its columns; both merge exactly. Factors start at one.
    Source: survey 7.2; Liu et al. 2022, section 3.3.
    """

    kind: Literal["scale"]
    side: Literal["output", "input"]
    """Whether the factors act after or before the layer."""

    def tensors(self, place: Place) -> dict[str, Shape]:
        return {"factor": Shape((place.fan_out if self.side == "output" else place.fan_in,), "ones")}

    def overhead(self) -> frozenset[Overhead]:
        return frozenset({"gating"})

    def before(self, parts: Parts, x: Tensor) -> Tensor:
        scaled: Tensor = x * parts.factor if self.side == "input" else x
        return scaled

    def after(self, parts: Parts, x: Tensor, y: Tensor) -> Tensor:
        scaled: Tensor = y * parts.factor if self.side == "output" else y
        return scaled

    def weight(self, parts: Parts, weight: Tensor) -> Tensor:
        factor = parts.factor[:, None] if self.side == "output" else parts.factor
        merged: Tensor = weight * factor
        return merged
