"""Updates of full rank that are sums of products of random matrices, which all layers share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from surveykit.recipes.base import Edit, InPeft, Kept, Parts, Place, Shape
from surveykit.recipes.sites import WeightEdit

if TYPE_CHECKING:
    from torch import Tensor


class RandomBases(WeightEdit):
    """RandLoRA: W + (alpha / rank) · Σ_n wide[:, n, :] · diag(inner[:, n]) · narrow · diag(outer[n]), where W has no fewer
    rows than columns; else the transpose of the same.

    With s the shorter side of W and l the longer, `inner` (rank, ⌈s / rank⌉) and `outer` (⌈s / rank⌉, s) are trained; as many
    products of rank `rank` are summed as W can have ranks. `narrow` (rank, 1, s) and `wide` (l, ⌈s / rank⌉, rank) are drawn
    once for the longest sides of all layers. `inner` starts at zero, so training starts at the backbone.

    Source: PEFT 0.21.2, tuners/randlora/layer.py (`get_scaled_bases`, `UniqueBaseGrad`) and model.py
    (`_init_randlora_A_randlora_B`).
    """

    drops_input: ClassVar[bool] = True
    trained_size: ClassVar[float] = 0.1  # the update is scaled by some twenty, of random matrices of deviation 1
    peft: ClassVar[InPeft | None] = InPeft(
        "RANDLORA", "RandLoraConfig", "randlora/qv-r32",
        {"rank": ("r", 32), "alpha": ("randlora_alpha", 640), "save_projection": ("save_projection", True)},
    )  # fmt: skip

    kind: Literal["random_bases"]
    rank: int = Field(ge=1)
    """Rank of each product. The larger it is, the fewer products there are, and the fewer numbers are trained."""
    alpha: float = Field(gt=0)
    """The update is scaled by alpha / rank."""
    save_projection: bool
    """Whether the random matrices are kept with what is trained, as PEFT does unless told; else their seed alone is."""
    copied: bool = Field(default=False, exclude_if=lambda copied: not copied)
    """Whether every layer has the random matrices once more: so PEFT saves them, and so `deployed` says."""

    def sides(self, place: Place) -> tuple[int, int]:
        """The number of products, and the shorter side."""
        shorter = min(place.fan_in, place.fan_out)
        return -(-shorter // self.rank), shorter

    def tensors(self, place: Place) -> dict[str, Shape]:
        products, shorter = self.sides(place)
        own = {"inner": Shape((self.rank, products)), "outer": Shape((products, shorter), "normal")}
        copies = {f"{name}_again": shape for name, shape in self._random(place).items()} if self.copied else {}
        return {**own, **copies}

    def shared_tensors(self, place: Place) -> dict[str, Shape]:
        return self._random(place)

    def _random(self, place: Place) -> dict[str, Shape]:
        kept: Kept = "task" if self.save_projection else "seed"
        longer, shorter = (side(place.widest_in, place.widest_out) for side in (max, min))
        products = -(-shorter // self.rank)
        return {
            "narrow": Shape((self.rank, 1, shorter), "normal", trained=False, kept=kept),
            "wide": Shape((longer, products, self.rank), "normal", trained=False, kept=kept),
        }

    def start(self, parts: Parts, place: Place) -> dict[str, Tensor]:
        return {"outer": parts.outer.new_full(parts.outer.shape, 1 / max(parts.outer.shape))}

    def update_rank(self, place: Place) -> int:
        return min(place.fan_in, place.fan_out)

    def expanded(self, place: Place) -> int:
        return place.fan_in * place.fan_out

    def shared_expanded(self, place: Place) -> int:
        return 0

    def pair(self, parts: Parts, fan_in: int, fan_out: int) -> tuple[Tensor, Tensor]:
        """`down` (rank · products, fan_in) and `up` (fan_out, rank · products)."""
        products, shorter = parts.outer.shape
        narrow = parts.shared.narrow[:, :, :shorter]
        wide = parts.shared.wide[: max(fan_in, fan_out), :products].flatten(1)
        scaled = parts.recomputed(_scaled, narrow, parts.inner, parts.outer).flatten(0, 1)
        return (scaled, wide) if shorter == fan_in else (wide.T, scaled.T)

    def after(self, parts: Parts, x: Tensor, y: Tensor) -> Tensor:
        down, up = self.pair(parts, x.shape[-1], y.shape[-1])
        return y + (x @ down.T) @ up.T * (self.alpha / self.rank)

    def weight(self, parts: Parts, weight: Tensor) -> Tensor:
        down, up = self.pair(parts, weight.shape[1], weight.shape[0])
        return weight + up @ down * (self.alpha / self.rank)

    def deployed(self) -> Edit:
        return self.model_copy(update={"copied": self.save_projection})

    def deployed_tensors(self, parts: Parts, place: Place) -> Mapping[str, Tensor]:
        copies = {f"{name}_again": getattr(parts.shared, name) for name in self._random(place)}
        return {"inner": parts.inner, "outer": parts.outer, **copies}


def _scaled(narrow: Tensor, inner: Tensor, outer: Tensor) -> Tensor:
    """(rank, 1, shorter), (rank, products), (products, shorter) → (rank, products, shorter)."""
    return inner[:, :, None] * narrow * outer
