"""Inputs of a layer rotated in blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, model_validator

from surveykit.arithmetic import nearest_divisor
from surveykit.recipes.base import InPeft, Parts, Place, Shape
from surveykit.recipes.rotations import angles_of, cayley, cayley_neumann, skew
from surveykit.recipes.sites import WeightEdit

if TYPE_CHECKING:
    from torch import Tensor


class BlockRotation(WeightEdit):
    """OFT: W Rᵀ, where R is block-diagonal and each block is the Cayley transform of a skew-symmetric matrix.

    `angles` (blocks, side (side − 1) / 2) are the entries above the diagonals; all blocks are one with `shared`. They start at
    zero, so training starts at the backbone. A number of blocks, or a side, that does not divide the inputs is replaced by
    the nearest that does, as in PEFT.

    Source: Qiu et al. 2023 (arXiv 2306.07280), equation 3; in the form that multiplies inputs, Qiu et al. 2025 (arXiv
    2506.19847).
    """

    peft: ClassVar[InPeft | None] = InPeft(
        "OFT",
        "OFTConfig",
        "oft/qv-b32",
        {
            "blocks": ("r", 0),
            "side": ("oft_block_size", 32),
            "shared": ("block_share", False),
            "neumann": ("use_cayley_neumann", True),
            "terms": ("num_cayley_neumann_terms", 5),
        },
        idle=frozenset({"eps"}),
    )

    kind: Literal["block_rotation"]
    blocks: int = Field(ge=0)
    """Number of blocks; 0 where their side is given."""
    side: int = Field(ge=0)
    """Rows of a block; 0 where the number of blocks is given."""
    shared: bool
    """Whether all blocks of a layer are one."""
    neumann: bool
    """Whether the inverse of the Cayley transform is replaced by the first terms of its series."""
    terms: int = Field(ge=1)
    """How many terms."""

    @model_validator(mode="after")
    def _one_is_given(self) -> Self:
        if bool(self.blocks) == bool(self.side):
            raise ValueError("one of `blocks` and `side` is given, and the other is 0")
        return self

    def _side(self, fan_in: int) -> int:
        return nearest_divisor(fan_in, self.side) if self.side else fan_in // nearest_divisor(fan_in, self.blocks)

    def tensors(self, place: Place) -> dict[str, Shape]:
        side = self._side(place.fan_in)
        return {"angles": Shape((1 if self.shared else place.fan_in // side, angles_of(side)), "zeros")}

    def update_rank(self, place: Place) -> int:
        side = self._side(place.fan_in)  # a skew-symmetric matrix of an odd side is singular
        return min(place.fan_in // side * (side - side % 2), place.fan_out)

    def expanded(self, place: Place) -> int:
        return place.fan_in * place.fan_out

    def rotation(self, parts: Parts, fan_in: int) -> Tensor:
        """The blocks of R, (fan_in / side, side, side)."""
        side = self._side(fan_in)
        turn = skew(parts, parts.angles, side)
        blocks = cayley_neumann(turn, self.terms) if self.neumann else cayley(turn)
        return blocks.repeat(fan_in // side, 1, 1) if self.shared else blocks

    def before(self, parts: Parts, x: Tensor) -> Tensor:
        rotation = self.rotation(parts, x.shape[-1])
        folded = x.reshape(-1, *rotation.shape[:2]).transpose(0, 1)
        return folded.bmm(rotation).transpose(0, 1).reshape(x.shape)

    def weight(self, parts: Parts, weight: Tensor) -> Tensor:
        rotation = self.rotation(parts, weight.shape[1])
        folded = weight.reshape(-1, *rotation.shape[:2]).transpose(0, 1)
        return folded.bmm(rotation.transpose(1, 2)).transpose(0, 1).reshape(weight.shape)
