"""Low-rank updates of a weight that has lost its smallest singular components."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from surveykit.recipes.base import InPeft, Parts, Place, Shape
from surveykit.recipes.low_rank import ThinPair

if TYPE_CHECKING:
    from torch import Tensor


class TruncatedLowRank(ThinPair):
    """KaSA: W' + (alpha / rank) · up · diag(diagonal) · down, where W' is W without its `rank` smallest singular components.

    `down` is (rank, fan_in), `diagonal` (rank,), `up` (fan_out, rank). W' follows from the backbone and is not kept. The loss
    grows with the square of `diagonal`, and with how far `up` and `down` are from orthogonal:
    value_penalty · ‖diagonal‖² + orthogonality · (‖upᵀ up − 1‖ + ‖down downᵀ − 1‖), which PEFT leaves to the user to add.

    Source: Wang et al. 2024, equations 9 to 11; KasaLinearVariant in PEFT.
    """

    peft: ClassVar[InPeft | None] = InPeft(
        "LORA", "LoraConfig", "kasa/qv-r8",
        {"rank": ("r", 8), "alpha": ("lora_alpha", 8.0), "value_penalty": ("kasa_config.beta", 1e-4),
         "orthogonality": ("kasa_config.gamma", 1e-3)},
        needs=("kasa_config",),
    )  # fmt: skip

    kind: Literal["truncated_low_rank"]
    value_penalty: float = Field(ge=0)
    """Weight of the squared values of `diagonal` in the loss."""
    orthogonality: float = Field(ge=0)
    """Weight of the penalty that keeps columns of `up` and rows of `down` near orthogonal."""

    def tensors(self, place: Place) -> dict[str, Shape]:
        if self.rank >= min(place.fan_in, place.fan_out):
            shape = f"{place.fan_out} x {place.fan_in}"
            raise ValueError(f"a matrix of {shape} has no singular component left once {self.rank} are dropped")
        return {**super().tensors(place), "diagonal": Shape((self.rank,), "normal")}

    def start(self, parts: Parts, place: Place) -> dict[str, Tensor]:
        left, values, right = parts.frozen.float().svd()
        kept = values.shape[0] - self.rank
        truncated = (left[:, :kept] * values[:kept]) @ right[:, :kept].T
        return {"frozen": truncated, "diagonal": parts.diagonal.new_empty(self.rank).normal_()}

    def update_rank(self, place: Place) -> int:
        return min(2 * self.rank, place.fan_in, place.fan_out)  # what is dropped, and what is added

    def penalty(self, parts: Parts) -> Tensor:
        columns, rows = parts.up.T @ parts.up, parts.down @ parts.down.T
        one = columns.detach().new_ones(self.rank).diag()
        distance: Tensor = (columns - one).norm() + (rows - one).norm()
        return distance * self.orthogonality + parts.diagonal.square().sum() * self.value_penalty

    def branch(self, parts: Parts, x: Tensor) -> Tensor:
        return ((x @ parts.down.T) * parts.diagonal) @ parts.up.T * self.scale

    def update(self, parts: Parts) -> Tensor:
        return (parts.up * parts.diagonal) @ parts.down * self.scale
