"""What an optimizer holds where it is not the plain one."""

from __future__ import annotations

from typing import Annotated, Literal

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


Optimizer = Annotated[Projection | GradientScale | FactorRates | Preconditioning, Field(discriminator="kind")]
"""What differs from Adam with two moments for each trained number."""
