"""Low-rank updates whose two matrices are random, frozen, and the same for every layer: vectors between them are trained."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from surveykit.recipes.base import InPeft, Kept, Parts, Place, Shape
from surveykit.recipes.sites import WeightEdit

if TYPE_CHECKING:
    from torch import Tensor


class RandomPair(WeightEdit):
    """W + diag(outer) · up · diag(inner) · down, with `inner` and `outer` (fan_out,) trained.

    `down` (rank, widest fan_in) and `up` (widest fan_out, rank) are drawn once; a layer takes their first columns and
    rows. `outer` starts at zero, so training starts at the backbone.
    """

    size_name: ClassVar[str | None] = "rank"
    drops_input: ClassVar[bool] = True
    halves: ClassVar[int] = 1
    """How many numbers each direction of the rank has: as many times as long are `inner` and `down`."""

    rank: int = Field(ge=1)
    """Rank of the update of each matrix."""
    save_projection: bool
    """Whether the random matrices are kept with what is trained, as PEFT does unless told; else their seed alone is."""

    def tensors(self, place: Place) -> dict[str, Shape]:
        return {"inner": Shape((self.halves * self.rank,), "normal"), "outer": Shape((place.fan_out,))}

    def shared_tensors(self, place: Place) -> dict[str, Shape]:
        kept: Kept = "task" if self.save_projection else "seed"
        return {
            "down": Shape((self.halves * self.rank, place.widest_in), "kaiming", trained=False, kept=kept),
            "up": Shape((place.widest_out, self.rank), "kaiming", trained=False, kept=kept),
        }

    def start(self, parts: Parts, place: Place) -> dict[str, Tensor]:
        return {"inner": parts.inner.new_full(parts.inner.shape, 0.1)}

    def update_rank(self, place: Place) -> int:
        return min(self.rank, place.fan_in, place.fan_out)

    def expanded(self, place: Place) -> int:
        return place.fan_in * place.fan_out

    def shared_expanded(self, place: Place) -> int:
        return 0

    def low(self, parts: Parts, x: Tensor) -> Tensor:
        """What the rank's directions carry: (…, fan_in) → (…, rank)."""
        raise NotImplementedError

    def after(self, parts: Parts, x: Tensor, y: Tensor) -> Tensor:
        return y + parts.outer * (self.low(parts, x) @ parts.shared.up[: y.shape[-1]].T)

    def weight(self, parts: Parts, weight: Tensor) -> Tensor:
        rows, columns = weight.shape
        up, down = parts.shared.up[:rows], parts.shared.down[: self.rank, :columns]
        return weight + (parts.outer[:, None] * up) @ (parts.inner[: self.rank, None] * down)


class SharedProjection(RandomPair):
    """VeRA: W + diag(outer) · up · diag(inner) · down, with `inner` (rank,) and `outer` (fan_out,) trained.

    Source: Kopiczko et al. 2023, equation 2 and section 3.2 (its b and d are `outer` and `inner`).
    """

    peft: ClassVar[InPeft | None] = InPeft(
        "VERA", "VeraConfig", "vera/qv-r256", {"rank": ("r", 256), "save_projection": ("save_projection", True)}
    )

    kind: Literal["shared_projection"]

    def low(self, parts: Parts, x: Tensor) -> Tensor:
        return parts.inner * (x @ parts.shared.down[:, : x.shape[-1]].T)


class SampledProjection(RandomPair):
    """PVeRA: VeRA between whose matrices a vector is drawn while training, and is its mean otherwise and when merged.

    `down` (2 rank, widest fan_in) and `inner` (2 rank,) give `rank` means and `rank` logarithms of variances for each
    position; z = mean + exp(log_variance / 2) · noise, noise from a standard normal distribution; the update is
    outer · (up z).

    Source: PEFT 0.21.2, tuners/pvera/layer.py (`_reparametrize`, `forward`, `get_delta_weight`).
    """

    halves: ClassVar[int] = 2
    peft: ClassVar[InPeft | None] = InPeft(
        "PVERA", "PveraConfig", "pvera/qv-r256", {"rank": ("r", 256), "save_projection": ("save_projection", True)}
    )

    kind: Literal["sampled_projection"]

    def low(self, parts: Parts, x: Tensor) -> Tensor:
        both = parts.inner * (x @ parts.shared.down[:, : x.shape[-1]].T)
        mean, log_variance = both.chunk(2, dim=-1)
        if not parts.training:
            return mean
        deviation = (0.5 * log_variance).exp()
        return mean + deviation.new_empty(deviation.shape).normal_() * deviation
