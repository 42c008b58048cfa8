"""Updates of a weight that are made of circulant blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from surveykit.recipes.base import InPeft, Parts, Place, Shape
from surveykit.recipes.sites import WeightEdit

if TYPE_CHECKING:
    from torch import Tensor


class BlockCirculant(WeightEdit):
    """C3A: W + C / fan_in, where each block of C, `block_size` on each side, is circulant: each of its rows is the row above,
    moved on by one.

    `kernels` (fan_out / block_size, fan_in / block_size, block_size) are the first rows. Products with them go through Fourier
    transforms. They start at random and small, as in PEFT, so training does not start at the backbone.

    Source: Chen et al. 2024 (arXiv 2407.19342), section 3.
    """

    peft: ClassVar[InPeft | None] = InPeft("C3A", "C3AConfig", "c3a/qv-b32", {"block_size": ("block_size", 256)})

    kind: Literal["block_circulant"]
    block_size: int = Field(ge=1)
    """Rows and columns of a block. It must divide inputs and outputs."""

    def tensors(self, place: Place) -> dict[str, Shape]:
        for width in (place.fan_in, place.fan_out):
            if width % self.block_size:
                raise ValueError(
                    f"blocks of {self.block_size} do not divide a side of {width}; set block_size to a divisor"
                )
        blocks = place.fan_out // self.block_size, place.fan_in // self.block_size
        return {"kernels": Shape((*blocks, self.block_size), "kaiming")}

    def expanded(self, place: Place) -> int:
        return place.fan_in * place.fan_out

    def after(self, parts: Parts, x: Tensor, y: Tensor) -> Tensor:
        return y + parts.circulant(x, parts.kernels) / x.shape[-1]

    def weight(self, parts: Parts, weight: Tensor) -> Tensor:
        position = parts.kernels.new_ones(self.block_size).cumsum(0).long()
        blocks = parts.kernels[..., (position - position[:, None]) % self.block_size]
        return weight + blocks.transpose(1, 2).reshape(weight.shape) / weight.shape[1]
