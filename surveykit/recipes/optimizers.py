"""What an optimizer holds where it is not the plain one."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from surveykit.recipes.base import Where
from surveykit.record import Record


class Projection(Record):
    """GaLore: gradients of chosen matrices are projected to few dimensions, and Adam works there.

    Source: survey 9.7; Zhao et al. 2024, section 4.
    """

    kind: Literal["projected_gradient"]
    where: Where
    """The matrices whose gradients are projected; all others have plain Adam."""
    rank: int = Field(ge=1)
    """Dimensions that are kept of the smaller side."""
    every: int = Field(ge=1)
    """Steps after which the projection is computed anew."""
    scale: float = Field(gt=0)
    """Factor on the step that is projected back."""

    def state(self, shape: tuple[int, ...]) -> int:
        """Numbers held for one matrix: the projection along the smaller side and Adam's two moments."""
        small, large = min(shape), max(shape)
        rank = min(self.rank, small)
        return rank * small + 2 * rank * large
