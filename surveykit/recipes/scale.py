"""Learned elementwise scaling (survey 7.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from surveykit.recipes.base import Overhead, Parts, Place, Shape
from surveykit.recipes.sites import WeightEdit

if TYPE_CHECKING:
    from torch import Tensor


class Scale(WeightEdit):
    """(IA)³: one learned factor per feature, on what a linear layer gives or on what it is fed.

    `output` multiplies rows of the weight, `input` its columns, `layer` is one factor for all; they merge exactly. What a
    layer gives includes its bias, where it has one. Factors start at one. On the last layer of a residual branch they
    scale the branch: DiffFit.
    Source: survey 7.2 and 8.5; Liu et al. 2022, section 3.3.
    """

    casts_input: ClassVar[bool] = False
    costs: ClassVar[frozenset[Overhead]] = frozenset({"gating"})

    kind: Literal["scale"]
    side: Literal["output", "input", "layer"]
    """Whether there is a factor for each feature after the layer, for each before it, or one for the whole layer."""

    def tensors(self, place: Place) -> dict[str, Shape]:
        width = {"output": place.fan_out, "input": place.fan_in, "layer": 1}[self.side]
        return {"factor": Shape((width,), "ones")}

    @property
    def changes_input(self) -> bool:
        return self.side == "input"

    @property
    def changes_bias(self) -> bool:
        return self.side != "input"

    def bias(self, parts: Parts, bias: Tensor) -> Tensor:
        return bias if self.side == "input" else bias * parts.factor

    def before(self, parts: Parts, x: Tensor) -> Tensor:
        return x * parts.factor if self.side == "input" else x

    def after(self, parts: Parts, x: Tensor, y: Tensor) -> Tensor:
        return y if self.side == "input" else y * parts.factor

    def weight(self, parts: Parts, weight: Tensor) -> Tensor:
        factor = parts.factor[:, None] if self.side == "output" else parts.factor
        return weight * factor
