"""Low-rank updates of which one factor is block-diagonal."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from surveykit.recipes.base import InPeft, Parts, Place, Shape
from surveykit.recipes.low_rank import ThinPair

if TYPE_CHECKING:
    from torch import Tensor


class BlockDiagonal(ThinPair):
    """BD-LoRA: W + (alpha / rank) · up · down, where `up` or `down` is zero outside `blocks` blocks on its diagonal.

    The blocks are stored below each other: (fan_out, rank / blocks) for `up`, (rank, fan_in / blocks) for `down`. Where the
    layers are cut over as many devices, each device then has what it needs: a layer cut by its outputs (query, key, value, the
    first of a feed-forward) has a block-diagonal `up`, one cut by its inputs a block-diagonal `down`.

    Source: Wang et al. 2025, section 3; BlockDiagonalLinear in PEFT.
    """

    peft: ClassVar[InPeft | None] = InPeft(
        "LORA", "LoraConfig", "bd-lora/all-linear-r8-b2",
        {"rank": ("r", 8), "alpha": ("lora_alpha", 8.0), "blocks": ("use_bdlora.nblocks", 1)},
        needs=("use_bdlora",),
        listed={"split": {"use_bdlora.target_modules_bd_a": "down", "use_bdlora.target_modules_bd_b": "up"}},
    )  # fmt: skip

    kind: Literal["block_diagonal"]
    blocks: int = Field(ge=1)
    """Blocks of the factor, as many as devices that a layer is cut over."""
    split: Literal["down", "up"]
    """Which factor is block-diagonal."""

    def tensors(self, place: Place) -> dict[str, Shape]:
        side = place.fan_in if self.split == "down" else place.fan_out
        if self.rank % self.blocks or side % self.blocks:
            raise ValueError(f"{self.blocks} blocks do not divide a factor of rank {self.rank} and {side} features")
        down, up = (self.rank, place.fan_in), (place.fan_out, self.rank)
        if self.split == "down":
            down = (self.rank, place.fan_in // self.blocks)
        else:
            up = (place.fan_out, self.rank // self.blocks)
        return {"down": Shape(down, "kaiming"), "up": Shape(up, "zeros")}

    def branch(self, parts: Parts, x: Tensor) -> Tensor:
        if self.split == "down":
            update = self._by_blocks(x, parts.down) @ parts.up.T
        else:
            update = self._by_blocks(x @ parts.down.T, parts.up)
        return update * self.scale

    def _by_blocks(self, x: Tensor, factor: Tensor) -> Tensor:
        """x times the factor, block by block: (…, fan_in) → (…, fan_out of the factor)."""
        apart = x.reshape(-1, self.blocks, factor.shape[1]).transpose(0, 1)
        product = apart.bmm(factor.reshape(self.blocks, -1, factor.shape[1]).transpose(1, 2))
        return product.transpose(0, 1).reshape(*x.shape[:-1], factor.shape[0])

    def update(self, parts: Parts) -> Tensor:
        whole = {name: self._whole(getattr(parts, name)) if name == self.split else getattr(parts, name)
                 for name in ("down", "up")}  # fmt: skip
        return whole["up"] @ whole["down"] * self.scale

    def _whole(self, factor: Tensor) -> Tensor:
        """The factor with its zeros."""
        one = factor.detach().new_ones(self.blocks).diag()
        blocks = factor.reshape(self.blocks, -1, factor.shape[1])
        whole: Tensor = (one[:, None, :, None] * blocks[:, :, None, :]).flatten(2, 3).flatten(0, 1)
        return whole
