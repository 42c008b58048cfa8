"""One small matrix, repeated over the width of the weight, as its update."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from surveykit.recipes.base import InPeft, Parts, Place, Shape
from surveykit.recipes.sites import WeightEdit

if TYPE_CHECKING:
    from torch import Tensor


class _Shard(WeightEdit):
    """W + [shardᵀ shardᵀ …], with a shard of `rank` inputs that is repeated over the width of the layer.

    The branch sums the input's pieces of `rank` features before it multiplies. The last copy may be cut off.
    """

    size_name: ClassVar[str | None] = "rank"
    drops_input: ClassVar[bool] = True

    rank: int = Field(ge=1)
    """Inputs that one copy of the shard covers."""

    def _outputs(self, place: Place) -> int:
        """Outputs that one copy of the shard covers."""
        raise NotImplementedError

    def tensors(self, place: Place) -> dict[str, Shape]:
        if self.rank > place.fan_in:
            raise ValueError(f"a shard of {self.rank} inputs is wider than a layer of {place.fan_in}")
        return {"shard": Shape((self.rank, self._outputs(place)), "zeros")}

    def update_rank(self, place: Place) -> int:
        return min(self.rank, self._outputs(place), place.fan_in)

    def expanded(self, place: Place) -> int:
        return place.fan_in * place.fan_out

    def _shard(self, parts: Parts, fan_out: int) -> Tensor:
        """The shard at the width of all outputs, (rank, fan_out)."""
        outputs = parts.shard.shape[1]
        return parts.shard if outputs == fan_out else parts.shard.repeat(1, fan_out // outputs)

    def after(self, parts: Parts, x: Tensor, y: Tensor) -> Tensor:
        shard, whole = self._shard(parts, y.shape[-1]), x.shape[-1] // self.rank * self.rank
        pieces = x[..., :whole].reshape(*x.shape[:-1], -1, self.rank)
        summed, rest = pieces.sum(-2), x[..., whole:]
        if rest.shape[-1]:  # added to the sum, so that backward keeps the sum alone
            summed[..., : rest.shape[-1]] += rest
        return y + summed @ shard

    def weight(self, parts: Parts, weight: Tensor) -> Tensor:
        rows, columns = weight.shape
        copies = -(-columns // self.rank)
        return weight + self._shard(parts, rows).T.repeat(1, copies)[:, :columns]


class ShardSharing(_Shard):
    """MiSS: W + [shardᵀ shardᵀ …], with `shard` (rank, fan_out) repeated over the inputs. It starts at zero.

    Source: Kang and Yin 2024, as in PEFT (its default, `init_weights=True`).
    """

    peft: ClassVar[InPeft | None] = InPeft(
        "MISS", "MissConfig", "miss/qv-r64", {"rank": ("r", 64)}, idle=frozenset({"mini_r"})
    )

    kind: Literal["shard_sharing"]

    def _outputs(self, place: Place) -> int:
        return place.fan_out


class MiniShardSharing(_Shard):
    """MiSS mini: as MiSS, with `shard` (rank, mini_rank) repeated over the outputs too.

    Source: as in PEFT (`init_weights="mini"`).
    """

    peft: ClassVar[InPeft | None] = InPeft(
        "MISS", "MissConfig", "miss/qv-mini-r64", {"rank": ("r", 64), "mini_rank": ("mini_r", 1)},
        means={"init_weights": "mini"},
    )  # fmt: skip

    kind: Literal["shard_sharing_mini"]
    mini_rank: int = Field(ge=1)
    """Outputs that one copy of the shard covers; they must divide those of the layer."""

    def _outputs(self, place: Place) -> int:
        if place.fan_out % self.mini_rank:
            raise ValueError(f"a shard of {self.mini_rank} outputs does not divide {place.fan_out}")
        return self.mini_rank


class BlockwiseShards(WeightEdit):
    """Bat: each square block V of the weight, `rank` a side, becomes V + V · shard + shard, where all blocks of `rank` rows share
    a `shard` (rank, rank). The shards, (fan_out / rank, rank, rank), start at zero.

    Every pass computes the whole weight, since the update depends on W.

    Source: Kang and Yin 2024 (its Bat; `init_weights="bat"` in PEFT).
    """

    peft: ClassVar[InPeft | None] = InPeft(
        "MISS", "MissConfig", "miss/qv-bat-r16", {"rank": ("r", 64)},
        means={"init_weights": "bat"}, idle=frozenset({"mini_r"}),
    )  # fmt: skip

    kind: Literal["shard_sharing_blockwise"]
    rank: int = Field(ge=1)
    """Rows, and columns, of a block."""

    def tensors(self, place: Place) -> dict[str, Shape]:
        for what, width in {"inputs": place.fan_in, "outputs": place.fan_out}.items():
            if width % self.rank:
                raise ValueError(f"blocks of {self.rank} do not divide {width} {what}")
        return {"shards": Shape((place.fan_out // self.rank, self.rank, self.rank), "zeros")}

    def expanded(self, place: Place) -> int:
        return place.fan_in * place.fan_out

    def _update(self, parts: Parts, weight: Tensor) -> Tensor:
        rows, columns = weight.shape
        grid = weight.reshape(rows // self.rank, self.rank, columns // self.rank, self.rank)
        blocks = grid.permute(2, 0, 1, 3)  # (column, row, rank, rank)
        return (blocks @ parts.shards + parts.shards).permute(1, 2, 0, 3).reshape(weight.shape)

    def after(self, parts: Parts, x: Tensor, y: Tensor) -> Tensor:
        return y + x @ self._update(parts, parts.frozen.type_as(parts.shards)).T

    def weight(self, parts: Parts, weight: Tensor) -> Tensor:
        return weight + self._update(parts, weight)
