"""Orthogonal matrices from skew-symmetric ones, of which the entries above the diagonal are trained."""

from __future__ import annotations

from typing import TYPE_CHECKING

from surveykit.recipes.base import Parts

if TYPE_CHECKING:
    from torch import Tensor


def angles_of(side: int) -> int:
    """Entries above the diagonal of a square matrix."""
    return side * (side - 1) // 2


def skew(parts: Parts, angles: Tensor, side: int) -> Tensor:
    """(…, side (side − 1) / 2) → (…, side, side), with the angles above the diagonal and their negatives below."""
    rows, columns = parts.triangle(side)
    upper = angles.new_zeros((*angles.shape[:-1], side, side))
    upper[..., rows, columns] = angles
    return upper - upper.transpose(-2, -1)


def cayley(turn: Tensor) -> Tensor:
    """(I − Q) (I + Q)⁻¹ of skew-symmetric Q: orthogonal, and I where Q is zero. In float32: no inverse has fewer bits."""
    wide = turn.float()
    identity = wide.new_ones(wide.shape[-1]).diag()
    return ((identity - wide) @ (identity + wide).inverse()).type_as(turn)


def cayley_neumann(turn: Tensor, terms: int) -> Tensor:
    """The first terms of I + 2 Q + 2 Q² + …, the series of (I + Q) (I − Q)⁻¹; nearly orthogonal where Q is small.

    The last power has the factor 1, and three terms give what four do, as in PEFT.
    Source: Qiu et al. 2025 (arXiv 2506.19847), the Cayley-Neumann parameterization.
    """
    found = turn.new_ones(turn.shape[-1]).diag().expand_as(turn).clone()
    if terms > 1:
        found.add_(turn, alpha=2.0)
    if terms > 2:
        power = turn @ turn
        found.add_(power, alpha=2.0)
        for _ in range(3, terms - 1):
            power = power @ turn
            found.add_(power, alpha=2.0)
        found.add_(power @ turn)
    return found
