"""How far apart: outputs of two models, and a pretrained tensor before and after."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

TOLERANCE = 1e-4
"""Largest difference of outputs that counts as equal, relative to their largest magnitude (32-bit floats)."""
_RANK_TOLERANCE = 1e-5


@dataclass(frozen=True)
class Difference:
    """The largest difference of two tensors."""

    absolute: float
    relative: float
    """Divided by the largest magnitude of what was wanted."""

    @property
    def equal(self) -> bool:
        return self.relative <= TOLERANCE


def difference(found: Tensor, wanted: Tensor) -> Difference:
    """Compare two tensors of the same shape."""
    apart, magnitude = float((found - wanted).abs().max()), float(wanted.abs().max())
    return Difference(apart, apart / magnitude if magnitude else apart and float("inf"))


def rank(delta: Tensor, before: Tensor) -> int:
    """Rank of the change of a matrix; 0 for vectors. Rounding its sum with the weight is noise of full rank: singular
    values up to what that noise can have (√m + √n times its largest entry) do not count."""
    if delta.dim() != 2 or not bool(delta.any()):
        return 0
    rounding = torch.finfo(before.dtype).eps * float((before.abs() + delta.abs()).max())
    noise = rounding * sum(size**0.5 for size in delta.shape)
    return int(torch.linalg.matrix_rank(delta.double(), atol=noise, rtol=_RANK_TOLERANCE))
