"""Inputs of a layer rotated by a product of sparse rotations."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, model_validator

from surveykit.recipes.base import InPeft, Parts, Place, Shape
from surveykit.recipes.rotations import cayley
from surveykit.recipes.sites import WeightEdit

if TYPE_CHECKING:
    from torch import Tensor


class Butterfly(WeightEdit):
    """BOFT: diag(scale) W Rᵀ with R = B_m … B₁, each B block-diagonal between two permutations.

    `rotations` (factors, blocks, side, side) are made skew-symmetric, (D − Dᵀ) / 2, and orthogonal by Cayley's transform.
    `order` (factors, fan_in, fan_in) are the permutations, as matrices; they follow from the width. `scale` (fan_out,). Blocks
    start at zero and scales at one, so training starts at the backbone.

    Source: Liu et al. 2023 (arXiv 2311.06243), section 5, and PEFT, which writes R out.
    """

    casts_before: ClassVar[bool] = False  # R has the backbone's precision by the time that x is multiplied by it
    casts_input: ClassVar[bool] = False
    bias_apart: ClassVar[bool] = True
    peft: ClassVar[InPeft | None] = InPeft(
        "BOFT",
        "BOFTConfig",
        "boft/qv-b4",
        {
            "side": ("boft_block_size", 4),
            "blocks": ("boft_block_num", 0),
            "factors": ("boft_n_butterfly_factor", 1),
        },
    )

    kind: Literal["butterfly"]
    side: int = Field(ge=0)
    """Rows of a block; 0 where the number of blocks is given."""
    blocks: int = Field(ge=0)
    """Number of blocks of a factor; 0 where their side is given."""
    factors: int = Field(ge=1, le=20)
    """Number of factors, m. With one, R is block-diagonal as in OFT."""

    @model_validator(mode="after")
    def _one_is_given(self) -> Self:
        if bool(self.blocks) == bool(self.side):
            raise ValueError("one of `blocks` and `side` is given, and the other is 0")
        return self

    def tensors(self, place: Place) -> dict[str, Shape]:
        width = place.fan_in
        if width % (self.side or self.blocks):
            raise ValueError(f"{self.side or self.blocks} does not divide {width} inputs")
        side = self.side or width // self.blocks
        if self.factors > 1 and (side % 2 or width % (side * 2 ** (self.factors - 1))):
            whole = f"a multiple of the side times 2^{self.factors - 1}, and an even side"
            raise ValueError(
                f"{self.factors} factors with blocks of {side} rows need {whole}; there are {width} inputs"
            )
        return {
            "rotations": Shape((self.factors, width // side, side, side), "zeros"),
            "scale": Shape((place.fan_out,), "ones"),
            "order": Shape((self.factors, width, width), trained=False, kept="backbone"),
        }

    def start(self, parts: Parts, place: Place) -> dict[str, Tensor]:
        identity = parts.order.new_ones(place.fan_in).diag()
        side = parts.rotations.shape[-1]
        matrices = parts.order.clone()
        for number, matrix in enumerate(matrices):
            matrix.copy_(identity[self._order(place.fan_in, side, side * 2**number)])
        return {"order": matrices}

    def _order(self, width: int, side: int, group: int) -> list[int]:
        """In each group, the half-blocks at even positions, then those at odd ones."""
        half = side // 2
        if self.factors == 1 or not half:
            return [*range(width)]
        pieces = [[*range(first, first + half)] for first in range(0, width, half)]
        groups = [pieces[first : first + group // half] for first in range(0, len(pieces), group // half)]
        return [entry for one in groups for piece in (*one[::2], *one[1::2]) for entry in piece]

    def expanded(self, place: Place) -> int:
        return place.fan_in * place.fan_out

    def rotation(self, parts: Parts, like: Tensor) -> Tensor:
        """R, (fan_in, fan_in), in the precision of another tensor."""
        data = parts.rotations.flatten(0, 1)
        blocks = cayley(0.5 * (data - data.transpose(1, 2))).reshape(parts.rotations.shape)
        factors, number, side, _ = blocks.shape
        diagonal = blocks.new_zeros((factors, number, side, number, side))
        diagonal.diagonal(dim1=1, dim2=3).copy_(blocks.permute(0, 2, 3, 1))
        order = parts.order.to(like.dtype)
        sparse = order.bmm(diagonal.reshape(order.shape).to(like.dtype).bmm(order.transpose(1, 2)))
        product = sparse[0]
        for factor in sparse[1:]:
            product = factor @ product
        return product @ like.new_ones(product.shape[0]).diag()  # so does PEFT, and keeps the identity

    def before(self, parts: Parts, x: Tensor) -> Tensor:
        return x @ self.rotation(parts, x)

    def after(self, parts: Parts, x: Tensor, y: Tensor) -> Tensor:
        return y * parts.scale

    def weight(self, parts: Parts, weight: Tensor) -> Tensor:
        merged: Tensor = weight @ self.rotation(parts, weight).T * parts.scale[:, None]
        return merged
