"""Low-rank updates whose ranks compete for a budget while training (survey 9.6)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, model_validator

from surveykit.recipes.base import Parts, Place, Shape
from surveykit.recipes.sites import BudgetedEdit

if TYPE_CHECKING:
    from torch import Tensor


class AdaptiveLowRank(BudgetedEdit):
    """AdaLoRA: W + (alpha / rank) · left · diag(diagonal) · right.

    `left` is (fan_out, rank), `diagonal` (rank,), `right` (rank, fan_in): a column, a value and a row are one triplet.
    `diagonal` start at zero, so training starts at the backbone. The deployed form keeps the triplets that survive;
    it scales as before, so its alpha shrinks with its rank.

    Source: survey 9.6; Zhang et al. 2023, equations 3 (update), 4 (orthogonality), 7 to 10 (importance).
    """

    tracked: ClassVar[int] = 2  # the two running averages
    drops_input: ClassVar[bool] = True

    size_name: ClassVar[str | None] = "rank"

    kind: Literal["adaptive_low_rank"]
    rank: int = Field(ge=1)
    """Triplets of each matrix at the start."""
    target: int = Field(ge=1)
    """Triplets that are left at the end for each matrix on average."""
    alpha: float = Field(gt=0)
    """The update is scaled by alpha / rank."""
    orthogonality: float = Field(ge=0)
    """Weight of the penalty that keeps columns of `left` and rows of `right` near orthogonal."""

    @model_validator(mode="after")
    def _target_is_below(self) -> Self:
        if self.target > self.rank:
            raise ValueError("the target is at most the rank")
        return self

    def sized(self, size: int) -> Self:
        shrunk = {
            "rank": size,
            "target": max(1, size * self.target // self.rank),
            "alpha": self.alpha * size / self.rank,
        }
        return type(self).model_validate({**self.model_dump(), **shrunk})

    def tensors(self, place: Place) -> dict[str, Shape]:
        return {
            "left": Shape((place.fan_out, self.rank), "normal"),
            "diagonal": Shape((self.rank,), "zeros"),
            "right": Shape((self.rank, place.fan_in), "normal"),
        }

    def deployed(self) -> AdaptiveLowRank:
        """With the budget spread evenly, as it is on average."""
        return self.model_copy(update={"rank": self.target, "alpha": self.alpha * self.target / self.rank})

    def update_rank(self, place: Place) -> int:
        # One matrix may keep all its triplets, at the cost of others.
        return min(self.rank, place.fan_in, place.fan_out)

    def penalty(self, parts: Parts) -> Tensor | None:
        columns, rows = parts.left.T @ parts.left, parts.right @ parts.right.T
        one = columns.detach().new_ones(columns.shape[0]).diag()
        distance = (columns - one).square().sum() + (rows - one).square().sum()
        return distance * self.orthogonality

    def after(self, parts: Parts, x: Tensor, y: Tensor) -> Tensor:
        update = (x @ parts.right.T * parts.diagonal) @ parts.left.T
        return y + update * (self.alpha / self.rank)

    def weight(self, parts: Parts, weight: Tensor) -> Tensor:
        return weight + (parts.left * parts.diagonal) @ parts.right * (self.alpha / self.rank)

    def importance(self, scores: Mapping[str, Tensor]) -> Tensor:
        return scores["diagonal"] + scores["left"].mean(dim=0) + scores["right"].mean(dim=1)

    def silence(self, parts: Parts, kept: Tensor) -> None:
        parts.diagonal.mul_(kept)

    def survivors(self, parts: Parts, kept: Tensor) -> Mapping[str, Tensor]:
        return {"left": parts.left[:, kept], "diagonal": parts.diagonal[kept], "right": parts.right[kept]}
