"""Low-rank updates that keep a few numbers of their input for backward."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from surveykit.recipes.base import Initial, InPeft, Parts, Place, Shape
from surveykit.recipes.low_rank import ThinPair

if TYPE_CHECKING:
    from torch import Tensor


class CompressedLowRank(ThinPair):
    """VeLoRA: LoRA's W + (alpha / rank) · up · down, with an approximate gradient of `down`.

    The features of x are cut into `groups`, padded with zeros where that leaves a rest. Of each group its product with one
    `direction`, of length 1, is kept for backward, and x is restored from these: gain · product · direction. What x itself
    is given is exact. The restored x is never written out here: its product with `down` is the product of the few numbers
    with `down` along `direction`, and has the same gradient.

    Source: Miles et al. 2024; VeloraFunction in PEFT.
    """

    peft: ClassVar[InPeft | None] = InPeft(
        "LORA", "LoraConfig", "velora/qv-r8",
        {"rank": ("r", 8), "alpha": ("lora_alpha", 8.0), "groups": ("velora_config.num_groups", 64),
         "gain": ("velora_config.scale", 1.0), "along": ("velora_config.init_type", "batch_average")},
        needs=("velora_config",),
    )  # fmt: skip

    kind: Literal["compressed_low_rank"]
    groups: int = Field(ge=1)
    """Numbers of each position that are kept for backward."""
    gain: float = Field(gt=0)
    """Factor on the restored x."""
    along: Literal["batch_average", "batch_average_once", "random"]
    """`direction` is the average group of each batch, that of the first batch, or random and fixed."""

    def size(self, width: int) -> int:
        """Features of a group; the last is padded."""
        return -(-width // self.groups)

    def tensors(self, place: Place) -> dict[str, Shape]:
        start: Initial = "normal" if self.along == "random" else "zeros"
        return {**super().tensors(place), "direction": Shape((self.size(place.fan_in),), start, trained=False)}

    def start(self, parts: Parts, place: Place) -> dict[str, Tensor]:
        return {"direction": parts.direction / parts.direction.norm()} if self.along == "random" else {}

    def branch(self, parts: Parts, x: Tensor) -> Tensor:
        if not parts.training:
            return super().branch(parts, x)
        direction = self._direction(parts, x.detach())
        few = self._grouped(x.detach()) @ direction * self.gain
        restored = few @ (self._grouped(parts.down) @ direction).T
        low = x @ parts.down.detach().T + (
            restored - restored.detach()
        )  # the latter is zero, and has the gradient of `down`
        return low @ parts.up.T * self.scale

    def _grouped(self, x: Tensor) -> Tensor:
        """(…, width) → (…, groups, features of a group)."""
        size, width = self.size(x.shape[-1]), x.shape[-1]
        if size * self.groups != width:
            x = x.new_zeros(*x.shape[:-1], size * self.groups).slice_scatter(x, -1, 0, width)
        return x.reshape(*x.shape[:-1], self.groups, size)

    def _direction(self, parts: Parts, x: Tensor) -> Tensor:
        if self.along == "random":
            return parts.direction
        average = self._grouped(x).flatten(0, -2).mean(dim=0)
        average = average + (average.norm() == 0)  # ones where it is zero
        found: Tensor = average / average.norm()
        if self.along == "batch_average_once":
            found = parts.direction.where(parts.direction.any(), found)
        parts.direction.copy_(found)
        return found
