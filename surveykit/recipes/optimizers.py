"""What an optimizer holds where it is not the plain one."""

from __future__ import annotations

from typing import Annotated, Literal

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


class FactorRates(Record):
    """LoRA+: the factor `up` of every low-rank update learns at a rate of its own, with plain Adam.

    Source: Hayou et al. 2024 (λ is the ratio of the rates of B and A), as in PEFT's `create_loraplus_optimizer`.
    """

    kind: Literal["factor_rates"]
    up_rate: float = Field(gt=0)
    """Learning rate of `up` as a multiple of that of all else."""


class Preconditioning(Record):
    """Gradients of the factors are multiplied by a matrix made of the other factor, before plain Adam.

    That of `up` by (down · downᵀ + damping)⁻¹, that of `down` by (upᵀ · up + damping)⁻¹, both (rank, rank). LoRA-FA, which
    trains `up` alone, also divides by the squared scale of the update, which Adam takes out again.

    Source: Zhang and Pilanci 2024 (`both`) and Zhang et al. 2023 (`up`), as in PEFT's `create_riemannian_optimizer` and
    `create_lorafa_optimizer`.
    """

    kind: Literal["preconditioning"]
    factors: Literal["up", "both"]
    """Whose gradients."""
    damping: float = Field(gt=0)
    """Added to the diagonal before it is inverted."""


Optimizer = Annotated[Projection | FactorRates | Preconditioning, Field(discriminator="kind")]
"""What differs from Adam with two moments for each trained number."""
