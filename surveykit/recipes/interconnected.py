"""Low-rank updates whose factors are shared between layers, and mixed by routers."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from surveykit.recipes.base import InPeft, Overhead, Parts, Place, Shape
from surveykit.recipes.sites import WeightEdit

if TYPE_CHECKING:
    from torch import Tensor


class Interconnected(WeightEdit):
    """Lily: y + scaling · Σₑ pₑ · ups[e] · down · x, with p the softmax of a router, averaged over all positions of the batch.

    Layers of one kind and width (all queries, say) share: `stride` neighbours have one `down` (rank, fan_in), and all of them
    the `experts` upper factors (rank, fan_out). Only the `router` (experts, rank) is a layer's own; it reads down · x. Both
    shared tensors are stacked, the first by groups of neighbours. The upper factors start at zero.

    Source: Zhong, Zhao and Zhou 2024, as in PEFT, which averages the routers over the positions.
    """

    costs: ClassVar[frozenset[Overhead]] = frozenset({"linear", "gating"})
    obstacle: ClassVar[str | None] = "its routers weigh the upper factors by the input"
    size_name: ClassVar[str | None] = "rank"
    peft: ClassVar[InPeft | None] = InPeft(
        "LILY", "LilyConfig", "lily/qv-r32",
        {
            "rank": ("r", 32), "stride": ("stride_A", 1), "experts": ("num_B", 2), "scaling": ("scaling", 1.0),
        },
    )  # fmt: skip

    kind: Literal["interconnected_low_rank"]
    rank: int = Field(ge=1)
    """Rank of the update."""
    stride: int = Field(ge=1)
    """Neighbouring layers that share a lower factor."""
    experts: int = Field(ge=2)
    """Upper factors that all layers of a kind share."""
    scaling: float = Field(gt=0)
    """Factor on the update."""

    @property
    def depth_uniform(self) -> bool:
        return self.stride == 1  # else a few layers share as many lower factors as more layers do

    def group(self, place: Place) -> str:
        # PEFT goes by the target that a name ends with and by the shape; one expression is one target.
        targets = self.where.modules or ()
        end = next((end for end in targets if place.name.endswith(end)), place.name.rpartition(".")[2])
        return f"{place.role} {self.where.pattern or end} {place.fan_out} {place.fan_in}"

    def tensors(self, place: Place) -> dict[str, Shape]:
        return {"router": Shape((self.experts, self.rank), "kaiming")}

    def shared_tensors(self, place: Place) -> dict[str, Shape]:
        neighbours = -(-place.together // self.stride)
        return {
            "down": Shape((neighbours * self.rank, place.fan_in), "kaiming"),
            "ups": Shape((self.experts * self.rank, place.fan_out), "zeros"),
        }

    def after(self, parts: Parts, x: Tensor, y: Tensor) -> Tensor:
        group = parts.place.order // self.stride
        low = x @ parts.shared.down[group * self.rank : (group + 1) * self.rank].T
        weights = (low @ parts.router.T).softmax(-1).reshape(-1, self.experts).mean(0)
        up = (weights @ parts.shared.ups.reshape(self.experts, -1)).reshape(self.rank, -1)
        return y + (low @ up) * self.scaling
