"""The Walsh-Hadamard transform."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class Hadamard(torch.autograd.Function):
    """(length,), a power of two, times the matrix of Sylvester's construction, without its factor: O(length log length).

    In place in one copy. The matrix is symmetric, so that backward is the same transform of the gradient, and nothing is kept
    for it.

    Source: published copies of the code of Aghajanyan et al. 2020, where it is an operator of its own, too; some of them also
    scale its gradient by 1 / √length, which is not its derivative, and is left out here.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return _transformed(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return _transformed(gradients[0])


def _transformed(x: Tensor) -> Tensor:
    found, step = x.clone(memory_format=torch.contiguous_format), 1
    while step < len(found):
        first, second = found.view(-1, 2, step).unbind(1)
        first.add_(second)
        second.mul_(-2).add_(first)  # the difference of what both were
        step *= 2
    return found
