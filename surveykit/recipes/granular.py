"""A grid of low-rank updates: each block of the weight has one of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from surveykit.recipes.base import InPeft, Parts, Place, Shape
from surveykit.recipes.sites import WeightEdit

if TYPE_CHECKING:
    from torch import Tensor


class Granular(WeightEdit):
    """GraLoRA: W is cut into blocks × blocks parts, and each gets a low-rank update of rank `rank / blocks`.

    `down` (blocks · rank, fan_in / blocks) holds the lower factors of all blocks of one column of the grid below each other,
    then those of the next column; `up` (fan_out, rank) the upper ones, row by row. With a hybrid rank, the pair
    `whole_down` (hybrid_rank, fan_in) and `whole_up` (fan_out, hybrid_rank) is LoRA's beside them. All is scaled by
    alpha / (rank + hybrid_rank). The upper factors start at zero.

    Source: Jung et al. 2025, with its hybrid, as in PEFT.
    """

    drops_input: ClassVar[bool] = True
    casts_input: ClassVar[bool] = False  # PEFT casts x for the grid and again for the hybrid, and backward keeps both
    peft: ClassVar[InPeft | None] = InPeft(
        "GRALORA", "GraloraConfig", "gralora/qv-r32",
        {
            "rank": ("r", 32), "hybrid_rank": ("hybrid_r", 0), "blocks": ("gralora_k", 2), "alpha": ("alpha", 64),
        },
    )  # fmt: skip

    kind: Literal["granular_low_rank"]
    rank: int = Field(ge=1)
    """Sum of the ranks of the blocks of one row of the grid."""
    hybrid_rank: int = Field(ge=0)
    """Rank of a plain low-rank update beside the grid; 0 for none."""
    blocks: int = Field(ge=1)
    """Rows, and columns, of the grid."""
    alpha: float = Field(gt=0)
    """The update is scaled by alpha / (rank + hybrid_rank)."""

    def tensors(self, place: Place) -> dict[str, Shape]:
        for what, width in {"inputs": place.fan_in, "outputs": place.fan_out, "ranks": self.rank}.items():
            if width % self.blocks:
                raise ValueError(f"{self.blocks} blocks do not divide {width} {what}")
        shapes = {
            "down": Shape((self.blocks * self.rank, place.fan_in // self.blocks), "kaiming"),
            "up": Shape((place.fan_out, self.rank), "zeros"),
        }
        if self.hybrid_rank:
            shapes["whole_down"] = Shape((self.hybrid_rank, place.fan_in), "kaiming")
            shapes["whole_up"] = Shape((place.fan_out, self.hybrid_rank), "zeros")
        return shapes

    def update_rank(self, place: Place) -> int:
        return min(self.blocks * self.rank + self.hybrid_rank, place.fan_in, place.fan_out)

    def expanded(self, place: Place) -> int:
        return place.fan_in * place.fan_out

    @property
    def _scale(self) -> float:
        return self.alpha / (self.rank + self.hybrid_rank)

    def _grid(self, parts: Parts) -> tuple[Tensor, Tensor]:
        """Lower factors by column of the grid, (blocks, rank, inputs), upper ones by row, (blocks, outputs, rank)."""
        outputs, inputs = parts.up.shape[0] // self.blocks, parts.down.shape[1]
        return parts.down.reshape(self.blocks, self.rank, inputs), parts.up.reshape(self.blocks, outputs, self.rank)

    def after(self, parts: Parts, x: Tensor, y: Tensor) -> Tensor:
        down, up = self._grid(parts)
        columns = x.type_as(down).reshape(-1, self.blocks, down.shape[2]).movedim(1, 0)  # (column, positions, inputs)
        low = (columns @ down.mT).reshape(self.blocks, -1, self.blocks, self.rank // self.blocks)
        rows = low.permute(2, 1, 0, 3).flatten(2)  # (row, positions, rank), from all columns
        result = y + self._scale * (rows @ up.mT).movedim(0, 1).reshape(y.shape)
        if self.hybrid_rank:
            result = result + self._scale * ((x.type_as(down) @ parts.whole_down.T) @ parts.whole_up.T)
        return result

    def weight(self, parts: Parts, weight: Tensor) -> Tensor:
        down, up = self._grid(parts)
        share = self.rank // self.blocks
        lower = down.reshape(self.blocks, self.blocks, share, -1).movedim(1, 0)  # (row, column, share, inputs)
        upper = up.reshape(self.blocks, -1, self.blocks, share).movedim(2, 1)  # (row, column, outputs, share)
        update = (upper @ lower).movedim(1, 2).reshape(weight.shape)
        if self.hybrid_rank:
            update = update + parts.whole_up @ parts.whole_down
        return weight + self._scale * update
