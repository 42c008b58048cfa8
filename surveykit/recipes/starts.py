"""How the two factors of LoRA can start: from the weight, or from what a few batches of data show of the layer.

Every function takes the parts at one place, the rank and the scale of the update, and gives the factors that it sets: `up`
(fan_out, rank) and `down` (rank, fan_in). Decompositions are in single precision, whatever the model's. Where a paper leaves open how, it is done as in PEFT.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from surveykit.recipes.base import Parts, Reads

if TYPE_CHECKING:
    from torch import Tensor

Factors = Mapping[str, "Tensor"]


@dataclass(frozen=True)
class Start:
    """One way to start."""

    factors: Callable[[Parts, int, float], Factors]
    moves: bool
    """Whether the frozen weight starts as W - scale · up · down, so that training starts at the backbone nevertheless."""
    reads: Reads | None = None
    """What it is computed from besides the weight. Without data the factors start as those of plain LoRA."""
    vectors: int = 0
    """Singular vectors that a matrix must have for each unit of rank; 0 where missing ones leave zeros."""


def leading(matrix: Tensor, rank: int, scale: float) -> Factors:
    """The best factors for a matrix, scale · up · down ≈ matrix; what it has no singular values for stays zero."""
    left, values, right = matrix.svd()
    return _factors(left, values, right.T, rank, scale)


def _factors(left: Tensor, values: Tensor, right: Tensor, rank: int, scale: float) -> Factors:
    """left · diag(values) · right / scale in two factors of this rank, each with the roots of the values."""
    many = min(rank, len(values))
    root = (values[:many] / scale).sqrt()
    up, down = left.new_zeros(len(left), rank), left.new_zeros(rank, right.shape[1])
    up[:, :many] = left[:, :many] * root
    down[:many] = root[:, None] * right[:many]
    return {"up": up, "down": down}


def _pissa(parts: Parts, rank: int, scale: float) -> Factors:
    """The principal singular values and vectors (Meng et al. 2024)."""
    return leading(parts.unrounded.float(), rank, scale)


def _olora(parts: Parts, rank: int, scale: float) -> Factors:
    """The first columns of Q and rows of R of the weight's QR decomposition (Büyükakyüz 2024)."""
    whole = parts.unrounded.float()
    packed, reflections = whole.geqrf()
    many = len(reflections)
    q = packed[:, :many].orgqr(reflections)
    up, down = whole.new_zeros(len(whole), rank), whole.new_zeros(rank, whole.shape[1])
    many = min(many, rank)
    up[:, :many], down[:many] = q[:, :many], packed[:many].triu()
    return {"up": up, "down": down}


def _mica(parts: Parts, rank: int, scale: float) -> Factors:
    """`up` holds the left singular vectors of the smallest singular values (Rüdiger and Raschka 2026)."""
    left, _, _ = parts.unrounded.float().svd()
    return {"up": left[:, -rank:], "down": parts.down.detach() * 0}


def _corda(parts: Parts, rank: int, scale: float) -> Factors:
    """The principal components of W C, with C the covariance of the inputs, times C⁻¹ (Yang et al. 2024; the
    instruction-previewed mode). C is averaged over examples, each divided by its largest entry, and damped, as in PEFT."""
    if not parts.inputs:
        return {}
    scaled = [x / x.max().abs() for x in parts.inputs]
    covariance = sum((x.T @ x for x in scaled[1:]), scaled[0].T @ scaled[0]) / len(scaled)
    damped, inverse = _inverted(covariance)
    left, values, right = (parts.unrounded.float() @ damped).svd()
    return _factors(left, values, right.T @ inverse, rank, scale)


def _inverted(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """A covariance with just as much added to its diagonal as its inverse needs, and that inverse."""
    identity, damping = matrix.new_zeros(matrix.shape).fill_diagonal_(1), 0.01
    while True:
        damped = matrix + identity * (matrix.diagonal().mean() * damping)
        inverse = damped.inverse()
        if float((damped @ inverse).dist(identity)) < 0.05:
            return damped, inverse
        damping *= 2


def _eva(parts: Parts, rank: int, scale: float) -> Factors:
    """`down` holds the principal directions of the layer's inputs (Paischer et al. 2024), around their mean as in
    PEFT. Every layer keeps its rank; rows for which there are too few inputs keep LoRA's start."""
    if not parts.inputs:
        return {}
    rows = parts.inputs[0].new_zeros(sum(map(len, parts.inputs)), parts.inputs[0].shape[1])
    first = 0
    for x in parts.inputs:
        rows[first : first + len(x)] = x
        first += len(x)
    _, _, right = (rows - rows.mean(dim=0)).svd()
    down = parts.down.detach().float().clone()
    many = min(rank, right.shape[1])
    down[:many] = right.T[:many]
    return {"down": down}


STABLE_GAMMA = 16
"""LoRA-GA's γ, as PEFT's default."""


def _lora_ga(parts: Parts, rank: int, scale: float) -> Factors:
    """Singular vectors of the gradient: the first `rank` on the right in `down`, the next `rank` on the left in `up`, which has
    their singular values and the stable scale fan_out^¼ / √γ besides (Wang et al. 2024; PEFT's defaults)."""
    if parts.gradient is None:
        return {}
    left, values, right = parts.gradient.float().svd()
    second = slice(rank, 2 * rank)
    stable = len(left) ** 0.25 / STABLE_GAMMA**0.5
    return {"up": left[:, second] * values[second] * stable, "down": right.T[:rank]}


STARTS: dict[str, Start] = {
    "pissa": Start(_pissa, moves=True),
    "olora": Start(_olora, moves=True),
    "mica": Start(_mica, moves=False, vectors=1),
    "corda": Start(_corda, moves=True, reads="inputs", vectors=1),
    "eva": Start(_eva, moves=False, reads="inputs"),
    "lora_ga": Start(_lora_ga, moves=True, reads="gradient", vectors=2),
}
"""By PEFT's name."""
