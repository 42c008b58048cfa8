"""A learned difference to every pretrained entry, times a learned gate (survey 8.2)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from surveykit.recipes.base import Parts, Place, Shape
from surveykit.recipes.sites import ParameterEdit

if TYPE_CHECKING:
    from torch import Tensor

SMALLEST = 1e-4
"""Uniform noise stays this far from 0 and 1, where its logarithms would be infinite."""


class GatedDifference(ParameterEdit):
    """DiffPruning: θ + gate · value, where value and gate have the shape of the tensor θ.

    A gate is hard concrete: sigmoid(noise + log_alpha), stretched from (0, 1) to (low, high) and cut at 0 and 1, so that
    it is exactly closed or open with some probability; without noise when not training. With `structured`, each tensor
    has one more gate, which multiplies all of its own. The loss grows with the expected number of open gates,
    Σ sigmoid(log_alpha − log(−low / high)): a differentiable stand-in for the L0 norm of the difference.

    Source: survey 8.2; Guo et al. 2020, section 3 (equations as in their code, dguo98/DiffPruning).
    """

    kind: Literal["gated_difference"]
    start_log_alpha: float
    """Where log_alpha begins; 5 opens nearly all gates."""
    low: float = Field(lt=0)
    """Lower end of the stretched interval."""
    high: float = Field(gt=1)
    """Upper end of the stretched interval."""
    sparsity: float = Field(ge=0)
    """What each open gate costs in the loss."""
    structured: bool
    """Whether a whole tensor has a gate of its own beside those of its entries."""

    def tensors(self, place: Place) -> dict[str, Shape]:
        own = {"value": Shape(place.shape), "log_alpha": Shape(place.shape)}
        return own | {"tensor_log_alpha": Shape((1,))} if self.structured else own

    def start(self, parts: Parts, place: Place) -> dict[str, Tensor]:
        gates = [name for name in self.tensors(place) if name != "value"]
        return {name: getattr(parts, name).detach() * 0 + self.start_log_alpha for name in gates}

    def value(self, parts: Parts, tensor: Tensor, place: Place) -> Tensor:
        difference = parts.value * self._gate(parts, parts.log_alpha)
        if self.structured:
            difference = difference * self._gate(parts, parts.tensor_log_alpha)
        return tensor + difference

    def _gate(self, parts: Parts, log_alpha: Tensor) -> Tensor:
        if parts.training:
            uniform = log_alpha.detach().clone().uniform_(SMALLEST, 1 - SMALLEST)
            log_alpha = log_alpha + uniform.log() - (1 - uniform).log()
        stretched: Tensor = log_alpha.sigmoid() * (self.high - self.low) + self.low
        return stretched.clamp(0, 1)

    def penalty(self, parts: Parts) -> Tensor:
        closed = math.log(-self.low / self.high)
        open_gates: Tensor = (parts.log_alpha - closed).sigmoid().sum()
        if self.structured:
            open_gates = open_gates + (parts.tensor_log_alpha - closed).sigmoid().sum()
        return open_gates * self.sparsity
