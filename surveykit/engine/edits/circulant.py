"""Products with block-circulant matrices."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.fft import fft, ifft


class Circulant(torch.autograd.Function):
    """x (…, columns · side) → (…, rows · side) for kernels (rows, columns, side), the first rows of circulant blocks.

    In float32, the only precision that all Fourier transforms have. What is kept for backward are the two inputs.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, kernels: Tensor) -> Tensor:
        x, wide = x.float().reshape(*x.shape[:-1], *kernels.shape[1:]), kernels.float()
        ctx.save_for_backward(x, wide)
        product: Tensor = fft(torch.einsum("...nb,mnb->...mb", ifft(x), fft(wide))).real.flatten(-2)
        return product

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        x, wide = ctx.saved_tensors
        gradient = fft(gradients[0].reshape(*gradients[0].shape[:-1], *wide.shape[::2]))
        into = ifft(torch.einsum("...mb,mnb->...nb", gradient, fft(wide))).real.flatten(-2)
        return into, fft(torch.einsum("...mb,...nb->mnb", gradient, ifft(x))).real
