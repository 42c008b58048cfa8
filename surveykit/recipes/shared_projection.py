"""Low-rank updates whose two matrices are random, frozen, and the same for every layer: vectors between them are trained."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from surveykit.recipes.base import InPeft, Kept, Parts, Place, Shape
from surveykit.recipes.sites import WeightEdit

if TYPE_CHECKING:
    from torch import Tensor


class SharedProjection(WeightEdit):
    """VeRA: W + diag(outer) · up · diag(inner) · down, with `inner` (rank,) and `outer` (fan_out,) trained.

    `down` (rank, widest fan_in) and `up` (widest fan_out, rank) are drawn once; a layer takes their first columns and
    rows. `outer` starts at zero, so training starts at the backbone.

    Source: Kopiczko et al. 2023, equation 2 and section 3.2 (its b and d are `outer` and `inner`).
    """

    size_name: ClassVar[str | None] = "rank"
    drops_input: ClassVar[bool] = True
    peft: ClassVar[InPeft | None] = InPeft(
        "VERA", "VeraConfig", "vera/qv-r256", {"rank": ("r", 256), "save_projection": ("save_projection", True)}
    )

    kind: Literal["shared_projection"]
    rank: int = Field(ge=1)
    """Rows of the random `down`, and columns of the random `up`."""
    save_projection: bool
    """Whether the random matrices are kept with what is trained, as PEFT does unless told; else their seed alone is."""

    def tensors(self, place: Place) -> dict[str, Shape]:
        return {"inner": Shape((self.rank,), "normal"), "outer": Shape((place.fan_out,))}

    def shared_tensors(self, place: Place) -> dict[str, Shape]:
        kept: Kept = "task" if self.save_projection else "seed"
        return {
            "down": Shape((self.rank, place.widest_in), "kaiming", trained=False, kept=kept),
            "up": Shape((place.widest_out, self.rank), "kaiming", trained=False, kept=kept),
        }

    def start(self, parts: Parts, place: Place) -> dict[str, Tensor]:
        return {"inner": parts.inner.new_full((self.rank,), 0.1)}

    def update_rank(self, place: Place) -> int:
        return min(self.rank, place.fan_in, place.fan_out)

    def expanded(self, place: Place) -> int:
        return place.fan_in * place.fan_out

    def shared_expanded(self, place: Place) -> int:
        return 0

    def after(self, parts: Parts, x: Tensor, y: Tensor) -> Tensor:
        low = parts.inner * (x @ parts.shared.down[:, : x.shape[-1]].T)
        return y + parts.outer * (low @ parts.shared.up[: y.shape[-1]].T)

    def weight(self, parts: Parts, weight: Tensor) -> Tensor:
        rows, columns = weight.shape
        up, down = parts.shared.up[:rows], parts.shared.down[:, :columns]
        return weight + (parts.outer[:, None] * up) @ (parts.inner[:, None] * down)
