"""Updates of single entries of a weight, at places that are chosen once, before training."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from surveykit.recipes.base import InPeft, Parts, Place, Shape
from surveykit.recipes.sites import WeightEdit

if TYPE_CHECKING:
    from torch import Tensor


class SparseUpdate(WeightEdit):
    """W + D, where D is zero but for `delta` (entries,), which are trained and start at zero. `index` says where they are.

    While unmerged, D is written out at each forward pass and kept for backward, as wide as W: PEFT keeps W + D so.
    """

    casts_input: ClassVar[bool] = False

    def entries(self, place: Place) -> int:
        """How many entries of the weight are trained."""
        raise NotImplementedError

    def dense(self, parts: Parts, like: Tensor, rows: int, columns: int) -> Tensor:
        """D itself, (rows, columns), of the other tensor's precision."""
        raise NotImplementedError

    def changed(self, place: Place) -> int:
        return self.entries(place)

    def update_rank(self, place: Place) -> int:
        return min(self.entries(place), place.fan_in, place.fan_out)

    def expanded(self, place: Place) -> int:
        return place.fan_in * place.fan_out

    def after(self, parts: Parts, x: Tensor, y: Tensor) -> Tensor:
        return y + x @ self.dense(parts, x, y.shape[-1], x.shape[-1]).T

    def weight(self, parts: Parts, weight: Tensor) -> Tensor:
        return weight + self.dense(parts, weight, *weight.shape)


class RandomEntries(SparseUpdate):
    """SHiRA with a random mask: as many entries as LoRA of this rank has, r · (fan_in + fan_out), drawn once for each matrix.

    `index` (2, entries) holds rows and columns, 32 bits each, and is saved with them.

    Source: Bhardwaj et al. 2024 (SHiRA-Rand), as in PEFT's `peft/tuners/shira`; the paper's text was not at hand.
    """

    size_name: ClassVar[str | None] = "rank"
    peft: ClassVar[InPeft | None] = InPeft("SHIRA", "ShiraConfig", "shira/qv-r32", {"rank": ("r", 32)})

    kind: Literal["random_entries"]
    rank: int = Field(ge=1)
    """Rank of the LoRA that trains as many numbers; the update itself may be of any rank."""

    def entries(self, place: Place) -> int:
        return self.rank * (place.fan_in + place.fan_out)

    def tensors(self, place: Place) -> dict[str, Shape]:
        entries, there = self.entries(place), place.fan_in * place.fan_out
        if entries > there:
            raise ValueError(f"rank {self.rank} asks for {entries:,} entries of a matrix that has {there:,}")
        return {"delta": Shape((entries,)), "index": Shape((2, entries), "first", trained=False)}

    def start(self, parts: Parts, place: Place) -> dict[str, Tensor]:
        index: Tensor = parts.index.long()
        chances = parts.frozen.float().detach().clone().flatten().uniform_()
        flat = chances.topk(self.entries(place)).indices.sort().values
        index[0], index[1] = flat // place.fan_in, flat % place.fan_in
        return {"index": index}

    def dense(self, parts: Parts, like: Tensor, rows: int, columns: int) -> Tensor:
        row, column = parts.index.long()
        return like.new_zeros(rows, columns).index_put((row, column), parts.delta.type_as(like))


class MagnitudeEntries(SparseUpdate):
    """Super-Tuning: the entries of largest magnitude, a fixed share of each matrix; with a rank, LoRA beside them (Supra).

    `index` (entries,) counts entries of W row by row, in 32 bits. It follows from the pretrained weight, and is saved all the
    same unless told otherwise. Supra adds (alpha / rank) · up · down, `down` (rank, fan_in) and `up` (fan_out, rank).

    Source: Ilin et al. 2026, as in PEFT's `peft/tuners/supertuning`; the paper's text was not at hand.
    """

    peft: ClassVar[InPeft | None] = InPeft("SUPERTUNING", "SupertuningConfig", "supertuning/qv-s99", {
        "sparsity": ("sparsity", 0.99), "largest": ("select_top", True), "save_index": ("save_precomputed_indices", True),
        "rank": ("r", None), "alpha": ("lora_alpha", None),
    })  # fmt: skip

    kind: Literal["magnitude_entries"]
    sparsity: float = Field(ge=0, lt=1)
    """Share of entries that stay as they are, of each matrix; the number of the others is rounded down."""
    largest: bool
    """Whether the largest entries are trained; else the smallest."""
    save_index: bool
    """Whether the index is kept with the values; else it is found anew from the pretrained weight."""
    rank: int | None = Field(ge=1)
    """Rank of the low-rank update beside them; null without one."""
    alpha: float | None = Field(gt=0)
    """That update is scaled by alpha / rank; null for 2 · rank."""

    def entries(self, place: Place) -> int:
        return int(place.fan_in * place.fan_out * (1 - self.sparsity))

    def tensors(self, place: Place) -> dict[str, Shape]:
        entries = self.entries(place)
        if not entries:
            raise ValueError(f"sparsity {self.sparsity} leaves no entry of {place.fan_in * place.fan_out:,} to train")
        index = Shape((entries,), "first", trained=False, kept="task" if self.save_index else "backbone")
        pair = {} if self.rank is None else {
            "down": Shape((self.rank, place.fan_in), "kaiming"), "up": Shape((place.fan_out, self.rank)),
        }  # fmt: skip
        return {"delta": Shape((entries,)), "index": index, **pair}

    def start(self, parts: Parts, place: Place) -> dict[str, Tensor]:
        size = parts.frozen.detach().abs().flatten()
        return {"index": size.topk(self.entries(place), largest=self.largest).indices}

    def changed(self, place: Place) -> int:
        return super().changed(place) if self.rank is None else place.fan_in * place.fan_out

    def update_rank(self, place: Place) -> int:
        return min(self.entries(place) + (self.rank or 0), place.fan_in, place.fan_out)

    def dense(self, parts: Parts, like: Tensor, rows: int, columns: int) -> Tensor:
        flat = like.new_zeros(rows * columns).scatter_add(0, parts.index.long(), parts.delta.type_as(like))
        return flat.reshape(rows, columns)

    @property
    def _scale(self) -> float:
        assert self.rank is not None
        return (self.alpha or 2 * self.rank) / self.rank

    def after(self, parts: Parts, x: Tensor, y: Tensor) -> Tensor:
        y = super().after(parts, x, y)
        if self.rank is None:
            return y
        low = (x.type_as(parts.down) @ parts.down.T) @ parts.up.T
        return y + (low * self._scale).type_as(y)

    def weight(self, parts: Parts, weight: Tensor) -> Tensor:
        merged = super().weight(parts, weight)
        return merged if self.rank is None else merged + parts.up @ parts.down * self._scale
