"""Backbones of few bits: what their weights become and how many bytes they take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from surveykit.recipes.base import Where
from surveykit.record import Record

if TYPE_CHECKING:
    from torch import Tensor

NORMAL_FLOAT_4 = (
    -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
    -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
    0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
)  # fmt: skip
"""The sixteen levels of the 4-bit normal float (Dettmers et al. 2023, appendix E)."""


class Quantization(Record):
    """The frozen weights of chosen linear layers, in blocks of few bits.

    Source: survey 9.8; Dettmers et al. 2023, section 3.
    """

    where: Where
    """The linear layers whose weights are quantized; all else keeps its width."""
    grid: Literal["normal_float", "uniform"]
    """`normal_float`: sixteen fixed levels times the largest magnitude of a block. `uniform`: evenly spaced levels
    between the smallest and the largest number of a block (a scale and a zero point)."""
    bits: Literal[2, 4, 8]
    block: int = Field(ge=1)
    """Consecutive numbers along a row that share a scale."""
    scale_block: int | None = Field(ge=1)
    """Scales that are themselves quantized to 8 bits together (double quantization); null when they are not."""

    def bytes(self, entries: int) -> int:
        """Bytes of so many quantized numbers with their scales (and zero points, of 16 bits each)."""
        blocks = -(-entries // self.block)
        codes = -(-entries * self.bits // 8)
        if self.grid == "uniform":
            return codes + 4 * blocks
        if self.scale_block is None:
            return codes + 4 * blocks
        return codes + blocks + 4 * -(-blocks // self.scale_block)

    def rounded(self, weight: Tensor) -> Tensor:
        """The weight as it is after quantizing and back, (fan_out, fan_in) → (fan_out, fan_in)."""
        flat = weight.flatten()
        padding = -flat.shape[0] % self.block
        blocks = flat.new_zeros(flat.shape[0] + padding)
        blocks[: flat.shape[0]] = flat
        blocks = blocks.reshape(-1, self.block)
        if self.grid == "uniform":
            low = blocks.amin(dim=1, keepdim=True)
            step = ((blocks.amax(dim=1, keepdim=True) - low) / (2**self.bits - 1)).clamp_min(1e-12)
            restored = ((blocks - low) / step).round() * step + low
        else:
            scale = blocks.abs().amax(dim=1, keepdim=True).clamp_min(1e-12)
            levels = blocks.new_tensor(NORMAL_FLOAT_4)
            nearest = (blocks[..., None] / scale[..., None] - levels).abs().argmin(dim=-1)
            restored = levels[nearest] * scale
        result: Tensor = restored.flatten()[: flat.shape[0]].reshape(weight.shape)
        return result
