"""What an optimizer holds where it is not the plain one."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from surveykit.recipes.base import Where
from surveykit.record import Record


class Reduced(Record):
    """A rule that keeps Adam's two moments of chosen matrices for a projection of their gradients alone."""

    kind: str
    where: Where
    """The matrices whose gradients are projected; all others have plain Adam."""
    rank: int = Field(ge=1)
    """Dimensions that are kept of the smaller side."""
    every: int = Field(ge=1)
    """Steps after which the projection is made anew."""
    scale: float = Field(gt=0)
    """Factor on the step; see the rule."""

    def state(self, shape: tuple[int, ...]) -> int:
        """Numbers held for one matrix: the projection along the smaller side and Adam's two moments."""
        small, large = min(shape), max(shape)
        rank = min(self.rank, small)
        return rank * small + 2 * rank * large


class Projection(Reduced):
    """GaLore: gradients are projected on their leading singular directions, Adam works there, and its step is projected back
    and multiplied by `scale`.

    Source: survey 9.7; Zhao et al. 2024, section 4.
    """

    kind: Literal["projected_gradient"]


class GradientScale(Reduced):
    """APOLLO: the gradient itself is the step, multiplied by how much Adam would lengthen it on a random projection of it, and
    by the square root of `scale`.

    A limiter keeps the length of a step from growing by more than 1 % at once.

    Source: Zhu et al. 2024, algorithm 1, as the authors' package apollo-torch 1.0.3 has it (apollo.py), which also holds the
    projection between steps.
    """

    kind: Literal["scaled_gradient"]
    one: Literal["channel", "tensor"]
    """What has one factor: each row or column along the longer side (APOLLO), or a whole matrix (APOLLO-Mini)."""
