"""The Walsh-Hadamard transform."""

from __future__ import annotations

import torch
from torch import Tensor


@torch.library.custom_op("surveykit::hadamard", mutates_args=())
def hadamard(x: Tensor) -> Tensor:
    """(length,), a power of two, times the matrix of Sylvester's construction, without its factor: O(length log length).

    In place in one copy. The matrix is symmetric, so that backward is the same transform of the gradient, and nothing is kept
    for it.

    Source: published copies of the code of Aghajanyan et al. 2020, where it is an operator of its own, too; some of them also
    scale its gradient by 1 / √length, which is not its derivative, and is left out here.
    """
    found, step = x.clone(memory_format=torch.contiguous_format), 1
    while step < len(found):
        first, second = found.view(-1, 2, step).unbind(1)
        first.add_(second)
        second.mul_(-2).add_(first)  # the difference of what both were
        step *= 2
    return found


@hadamard.register_fake
def _(x: Tensor) -> Tensor:
    return torch.empty_like(x, memory_format=torch.contiguous_format)


hadamard.register_autograd(lambda _, gradient: hadamard(gradient))
HADAMARD = torch.ops.surveykit.hadamard.default


def written(length: int) -> tuple[int, int]:
    """Numbers that the transform writes, as the extents of a tensor: a copy, and half of all three times at each step."""
    steps = (length - 1).bit_length()
    return (2 + 3 * steps, length // 2) if steps else (1, 1)
