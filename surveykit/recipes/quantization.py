"""Backbones of few bits: what their weights become and how many bytes they take.

Kernels that multiply by packed codes need an accelerator and are not run here. What is computed is what such a
backbone restores: the weight after rounding, at full width.
"""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import pairwise
from statistics import NormalDist
from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, model_validator

from surveykit.recipes.base import Where
from surveykit.record import Record

if TYPE_CHECKING:
    from torch import Tensor

OUTERMOST = 1 - (1 / 32 + 1 / 30) / 2
"""Probability below the outermost level of a normal float, which keeps it finite; of 4 bits, and used for others."""
_SMALLEST = 1e-12
_BLOCKS_AT_ONCE = 512  # bounds the memory of trying all shifts


@lru_cache
def normal_float(bits: int) -> tuple[float, ...]:
    """The levels of a normal float, from -1 to 1: quantiles of the normal distribution, with one more above zero.

    Source: Dettmers et al. 2023, appendix E, for 4 bits; Li et al. 2023 and Guo et al. 2023 use it at other widths.
    """
    quantile, half = NormalDist().inv_cdf, 2 ** (bits - 1)
    above = [quantile(0.5 + (OUTERMOST - 0.5) * n / half) for n in range(1, half + 1)]
    below = [-quantile(0.5 + (OUTERMOST - 0.5) * n / (half - 1)) for n in range(half - 1, 0, -1)]
    return tuple(level / above[-1] for level in (*below, 0.0, *above))


def _boundaries(levels: tuple[float, ...]) -> list[float]:
    return [(low + high) / 2 for low, high in pairwise(levels)]


class Shift(Record):
    """Information calibration (IR-QLoRA): what is taken off each block before rounding, and put back afterwards.

    Of `2 steps + 1` shifts around the median, the one whose codes have the highest entropy.
    Source: survey 9.8; Qin et al. 2024, the authors' code.
    """

    reach: float = Field(gt=0)
    """The farthest shift, relative to the largest distance from the median and to the outermost normal quantile."""
    steps: int = Field(ge=1)
    """Shifts that are tried on each side of the median."""

    def best(self, blocks: Tensor, levels: tuple[float, ...]) -> Tensor:
        """The shift of each block: (blocks, block) → (blocks, 1)."""
        farthest = self.reach / NormalDist().inv_cdf(OUTERMOST)
        factors = blocks.new_tensor([farthest * n / self.steps for n in range(-self.steps, self.steps + 1)])
        boundaries = blocks.new_tensor(_boundaries(levels))
        best = blocks.new_empty(len(blocks), 1)
        for start in range(0, len(blocks), _BLOCKS_AT_ONCE):
            rising = blocks[start : start + _BLOCKS_AT_ONCE].sort(dim=1).values
            middle = rising[:, (rising.shape[1] - 1) // 2, None]
            shifts = middle + factors * (rising - middle).abs().amax(dim=1, keepdim=True)
            largest = (rising[:, :1] - shifts).abs().maximum((rising[:, -1:] - shifts).abs())
            entropy = _entropy(rising, shifts[..., None] + boundaries * largest[..., None])
            best[start : start + _BLOCKS_AT_ONCE] = shifts.gather(1, entropy.argmax(dim=1, keepdim=True))
        return best


def _entropy(rising: Tensor, bounds: Tensor) -> Tensor:
    """Entropy of the codes between bounds: (blocks, block) sorted, (blocks, shifts, codes - 1) → (blocks, shifts)."""
    below = _at_most(rising, bounds.flatten(1)).reshape(bounds.shape)
    edges = bounds.new_zeros(*bounds.shape[:-1], bounds.shape[-1] + 2)
    edges[..., 1:-1] = below
    edges[..., -1] = rising.shape[1]
    share = (edges[..., 1:] - edges[..., :-1]) / rising.shape[1]
    return -(share * share.clamp_min(_SMALLEST).log()).sum(dim=-1)


def _at_most(rising: Tensor, bounds: Tensor) -> Tensor:
    """How many numbers of each sorted row are at most each bound, by halving: (rows, n), (rows, m) → (rows, m)."""
    size = 1 << rising.shape[1].bit_length() - 1
    filled = rising.new_full((len(rising), 2 * size), math.inf)
    filled[:, : rising.shape[1]] = rising
    found = bounds.new_zeros(bounds.shape).long()
    while size:
        further = found + size
        found = further.where(filled.gather(1, further - 1) <= bounds, found)
        size //= 2
    return found


class Quantization(Record):
    """The frozen weights of chosen linear layers, in blocks of few bits.

    Source: survey 9.8; Dettmers et al. 2023, section 3 (normal float); Xu et al. 2023 (uniform, in groups).
    """

    where: Where
    """The linear layers whose weights are quantized; all else keeps its width."""
    grid: Literal["normal_float", "uniform"]
    """`normal_float`: fixed levels times the largest magnitude of a block. `uniform`: evenly spaced levels
    between the smallest and the largest number of a block (a scale and a zero point)."""
    bits: Literal[2, 3, 4, 8]
    block: int = Field(ge=1)
    """Consecutive numbers that share a scale. Blocks of a normal float run on from row to row; on a uniform grid they
    end with the row, so that each belongs to one output and one group of inputs."""
    scale_block: int | None = Field(ge=1)
    """Scales that are themselves quantized to 8 bits together (double quantization); null when they are not."""
    shift: Shift | None = None
    """How a shift of each block is chosen, which is kept in 8 bits beside its scale; null without one."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.grid == "uniform" and (self.scale_block is not None or self.shift is not None):
            raise ValueError("a uniform grid has neither quantized scales nor shifts of its own")
        if self.shift is not None and self.scale_block is None:
            raise ValueError("shifts are kept in 8 bits in groups of `scale_block`, which is null")
        return self

    def bytes(self, entries: int) -> int:
        """Bytes of so many quantized numbers in whole blocks, with their scales.

        A scale takes 4 bytes, or 1 and its share of 4 for `scale_block` of them; so does a shift. On a uniform grid a
        scale and a zero point take 2 bytes each.
        """
        blocks = -(-entries // self.block)
        codes = -(-entries * self.bits // 8)
        if self.scale_block is None:
            return codes + 4 * blocks
        coded = blocks + 4 * -(-blocks // self.scale_block)
        return codes + (coded if self.shift is None else 2 * coded)

    def rounded(self, weight: Tensor) -> Tensor:
        """The weight as it is after quantizing and back, (fan_out, fan_in) → (fan_out, fan_in)."""
        rows = weight if self.grid == "uniform" else weight.reshape(1, -1)
        width = rows.shape[1]
        padded = rows.new_empty(rows.shape[0], width + -width % self.block)
        padded[:, :width] = rows
        padded[:, width:] = rows[:, -1:]  # a number that is there already widens no block
        blocks = padded.reshape(-1, self.block)
        restored = self._uniform(blocks) if self.grid == "uniform" else self._normal_float(blocks)
        return restored.reshape(rows.shape[0], -1)[:, :width].reshape(weight.shape)

    def _uniform(self, blocks: Tensor) -> Tensor:
        low = blocks.amin(dim=1, keepdim=True)
        step = ((blocks.amax(dim=1, keepdim=True) - low) / (2**self.bits - 1)).clamp_min(_SMALLEST)
        return ((blocks - low) / step).round() * step + low

    def _normal_float(self, blocks: Tensor) -> Tensor:
        levels = normal_float(self.bits)
        shift = blocks.new_zeros(()) if self.shift is None else self._coded(self.shift.best(blocks, levels), 0.0)
        centred = blocks - shift
        scale = centred.abs().amax(dim=1, keepdim=True).clamp_min(_SMALLEST)
        codes = (centred[..., None] / scale[..., None] > blocks.new_tensor(_boundaries(levels))).sum(dim=-1)
        kept = scale if self.scale_block is None else self._coded(scale, float(scale.mean()))
        return blocks.new_tensor(levels)[codes] * kept + shift

    def _coded(self, numbers: Tensor, centre: float) -> Tensor:
        """One number for each block after 8 bits and back: evenly spaced around the centre, up to a group's largest.

        The libraries' 8-bit levels are spaced unevenly; sizes are the same, values are close.
        """
        assert self.scale_block is not None
        flat = numbers.flatten() - centre
        groups = flat.new_zeros(len(flat) + -len(flat) % self.scale_block)
        groups[: len(flat)] = flat
        groups = groups.reshape(-1, self.scale_block)
        step = (groups.abs().amax(dim=1, keepdim=True) / 127).clamp_min(_SMALLEST)
        restored = ((groups / step).round() * step).flatten()[: len(flat)] + centre
        return restored.reshape(numbers.shape)
