"""Low-rank updates of a weight (survey 9.2)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field

from surveykit.recipes.base import Edit, Overhead, Parts, Place, Reads, Shape
from surveykit.recipes.sites import Gate, WeightEdit, gate_tensors, gated
from surveykit.recipes.starts import STARTS, Start, leading

if TYPE_CHECKING:
    from torch import Tensor


class ThinPair(WeightEdit):
    """W + scale · up · down, with `down` (rank, fan_in) and `up` (fan_out, rank)."""

    size_name: ClassVar[str | None] = "rank"
    drops_input: ClassVar[bool] = True

    rank: int = Field(ge=1)
    """Rank of the update of each matrix."""
    alpha: float = Field(gt=0)
    """The update is scaled by alpha / rank, unless `scaling` says otherwise."""
    scaling: Literal["rank", "root_rank"] = Field(default="rank", exclude_if=lambda chosen: chosen == "rank")
    """`root_rank` divides alpha by the root of the rank (rsLoRA; Kalajdzievski 2023), as PEFT's `use_rslora` does."""

    @property
    def scale(self) -> float:
        """The factor on up · down."""
        return self.alpha / (self.rank if self.scaling == "rank" else math.sqrt(self.rank))

    def sized(self, size: int) -> Self:
        found = super().sized(size)
        if self.scaling == "rank":
            return found
        return found.model_copy(update={"alpha": self.alpha * math.sqrt(size / self.rank)})

    def tensors(self, place: Place) -> dict[str, Shape]:
        return {
            "down": Shape((self.rank, place.fan_in), "kaiming"),
            "up": Shape((place.fan_out, self.rank), "zeros"),
        }

    def update_rank(self, place: Place) -> int:
        return min(self.rank, place.fan_in, place.fan_out)

    def expanded(self, place: Place) -> int:
        return place.fan_in * place.fan_out

    def branch(self, parts: Parts, x: Tensor) -> Tensor:
        """The update of x, never written out: (…, fan_in) → (…, fan_out)."""
        return (x @ parts.down.T) @ parts.up.T * self.scale

    def after(self, parts: Parts, x: Tensor, y: Tensor) -> Tensor:
        return y + self.branch(parts, x)

    def weight(self, parts: Parts, weight: Tensor) -> Tensor:
        return weight + self.update(parts)

    def update(self, parts: Parts) -> Tensor:
        """The update of the weight, (fan_out, fan_in)."""
        return parts.up @ parts.down * self.scale


class LowRank(ThinPair):
    """LoRA: W + scale · up · down, with `down` (rank, fan_in) and `up` (fan_out, rank).

    Source: survey 9.2; Hu et al. 2022, section 4.1. Training starts at the backbone: `up` starts at zero, or the frozen
    weight starts as W - scale · up · down. What such a weight becomes follows from the backbone and is not kept, unless it was
    made from data: then the change of both factors is kept, as a pair of twice the rank (PEFT's conversion to LoRA).
    """

    kind: Literal["low_rank"]
    gate: Gate
    """A learned factor on the update, read from the layer's input; `none` for plain LoRA."""
    initial: Literal["zeros", "pissa", "olora", "mica", "corda", "eva", "lora_ga"] = Field(
        default="zeros", exclude_if=lambda chosen: chosen == "zeros"
    )
    """Where the factors start, by PEFT's names (`surveykit/recipes/starts.py`); `zeros`: a random `down`, and `up` at zero."""
    trains: Literal["both", "up", "down"] = Field(default="both", exclude_if=lambda chosen: chosen == "both")
    """Which factor is trained; the other stays as it starts, and is kept all the same."""

    def model_post_init(self, context: Any, /) -> None:
        super().model_post_init(context)
        if self.trains == "down" and self.initial in ("zeros", "eva"):
            raise ValueError(
                f"`up` starts at zero with initial={self.initial}, so that training `down` alone does nothing"
            )

    @property
    def _start(self) -> Start | None:
        return STARTS.get(self.initial)

    @property
    def _moves(self) -> bool:
        return self._start is not None and self._start.moves

    @property
    def reads(self) -> Reads | None:
        return None if self._start is None else self._start.reads

    def tensors(self, place: Place) -> dict[str, Shape]:
        vectors = self.rank * (0 if self._start is None else self._start.vectors)
        if vectors > (side := min(place.fan_in, place.fan_out)):
            raise ValueError(
                f"initial={self.initial} with rank {self.rank} needs {vectors} singular vectors of each matrix, and "
                f"{place.name or place.role} has {side}"
            )
        pair = super().tensors(place)
        if self.trains != "both":
            fixed = "down" if self.trains == "up" else "up"
            pair[fixed] = replace(pair[fixed], trained=False)
        return {**pair, **gate_tensors(self.gate, place.fan_in)}

    def start(self, parts: Parts, place: Place) -> dict[str, Tensor]:
        if self._start is None or not (found := dict(self._start.factors(parts, self.rank, self.scale))):
            return {}
        if self._moves:
            whole = parts.unrounded.float()
            found["frozen"] = parts.rounded(whole - found["up"] @ found["down"] * self.scale)
        return found

    @property
    def _converts(self) -> bool:
        """Whether only the change of the factors can be kept, since the frozen weight was made from data."""
        return self._moves and self.reads is not None

    def deployed(self) -> Edit:
        if not self._converts:
            return self
        return self.sized(2 * self.rank).model_copy(update={"initial": "zeros", "trains": "both"})

    def deployed_tensors(self, parts: Parts, place: Place) -> Mapping[str, Tensor]:
        own = super().deployed_tensors(parts, place)
        if not self._converts:
            return own
        first = leading(parts.unrounded.float() - parts.frozen.float(), self.rank, self.scale)
        up = parts.up.new_zeros(place.fan_out, 2 * self.rank)
        up[:, : self.rank], up[:, self.rank :] = parts.up, -first["up"]
        down = parts.down.new_zeros(2 * self.rank, place.fan_in)
        down[: self.rank], down[self.rank :] = parts.down, first["down"]
        return {**own, "up": up, "down": down}

    def merge_obstacle(self) -> str | None:
        return None if self.gate == "none" else "its gate depends on the input"

    def overhead(self) -> frozenset[Overhead]:
        return frozenset({"linear"} if self.gate == "none" else {"linear", "gating"})

    def update_rank(self, place: Place) -> int:
        if self.gate != "none":
            return 0
        # The backbone has neither the factors that it ends with nor those that were taken off it at the start.
        return min((2 if self._moves else 1) * self.rank, place.fan_in, place.fan_out)

    def expanded(self, place: Place) -> int:
        gate = sum(shape.numel for shape in gate_tensors(self.gate, place.fan_in).values())
        return super().expanded(place) + gate

    def after(self, parts: Parts, x: Tensor, y: Tensor) -> Tensor:
        return y + gated(self.gate, parts, x, self.branch(parts, x))
