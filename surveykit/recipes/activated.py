"""Low-rank updates of the last positions alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from surveykit.recipes.base import InPeft, Parts, Place
from surveykit.recipes.low_rank import ThinPair

if TYPE_CHECKING:
    from torch import Tensor


class ActivatedLowRank(ThinPair):
    """aLoRA: LoRA's update for the positions from an invocation sequence on; those before it see the backbone alone.

    Keys and values of earlier positions are therefore those of the backbone, and a cache of them serves every such adapter.
    Where the sequence begins is in the data; a recipe says how many positions it is from the end.

    Source: Greenewald et al. 2025; ALoraLinearVariant in PEFT.
    """

    obstacle: ClassVar[str | None] = "it changes the positions from the invocation sequence on, and no others"
    peft: ClassVar[InPeft | None] = InPeft(
        "LORA", "LoraConfig", "alora/qv-r8",
        {"rank": ("r", 8), "alpha": ("lora_alpha", 8.0), "invocation": ("alora_invocation_tokens", None)},
        needs=("alora_invocation_tokens",),
    )  # fmt: skip

    kind: Literal["activated_low_rank"]
    invocation: tuple[int, ...] = Field(min_length=1)
    """Tokens of the invocation sequence."""
    last: int = Field(ge=1)
    """Positions at the end of a sequence that are changed, those of the invocation sequence among them."""

    def update_rank(self, place: Place) -> int:
        return 0

    def positions_compared(self) -> int:
        return self.last

    def after(self, parts: Parts, x: Tensor, y: Tensor) -> Tensor:
        first = max(0, x.shape[-2] - self.last)
        late = x[..., first:, :].contiguous()  # a copy: nothing of earlier positions is kept for backward
        changed = y[..., first:, :] + self.branch(parts, late)
        return y.slice_scatter(changed.to(y.dtype), -2, first)
