"""Updates between singular vectors of the backbone's matrix, which stay as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from surveykit.recipes.base import InPeft, Kept, Parts, Place, Shape
from surveykit.recipes.sites import WeightEdit

if TYPE_CHECKING:
    from torch import Tensor


class BetweenSingularVectors(WeightEdit):
    """W + scale · up · R · down, with `down` (rank, fan_in) and `up` (fan_out, rank) from the largest singular values of W,
    and R (rank, rank) from what is trained. A matrix with fewer rows or columns has a smaller rank."""

    size_name: ClassVar[str | None] = "rank"
    drops_input: ClassVar[bool] = True
    factors_kept: ClassVar[Kept]
    """Whether `up` and `down` are kept with what is trained, or computed again from the backbone."""

    rank: int = Field(ge=1)
    """Singular values that are taken of each matrix."""

    def rank_at(self, place: Place) -> int:
        return min(self.rank, place.fan_in, place.fan_out)

    def tensors(self, place: Place) -> dict[str, Shape]:
        rank, kept = self.rank_at(place), self.factors_kept
        return {
            "down": Shape((rank, place.fan_in), trained=False, kept=kept),
            "up": Shape((place.fan_out, rank), trained=False, kept=kept),
        }

    def factors(self, parts: Parts, place: Place) -> tuple[Tensor, Tensor, Tensor]:
        """The largest singular values of W, (rank,), with left vectors (fan_out, rank) and right ones (rank, fan_in)."""
        rank = self.rank_at(place)
        left, values, right = parts.frozen.float().svd()
        return values[:rank], left[:, :rank], right[:, :rank].T

    def update_rank(self, place: Place) -> int:
        return self.rank_at(place)

    def expanded(self, place: Place) -> int:
        return place.fan_in * place.fan_out

    def shared_expanded(self, place: Place) -> int:
        return 0

    def between(self, parts: Parts) -> Tensor:
        """R with its scale, (rank, rank)."""
        raise NotImplementedError

    def after(self, parts: Parts, x: Tensor, y: Tensor) -> Tensor:
        return y + ((x @ parts.down.T) @ self.between(parts).T) @ parts.up.T

    def weight(self, parts: Parts, weight: Tensor) -> Tensor:
        return weight + parts.up @ self.between(parts) @ parts.down


class LatentSquare(BetweenSingularVectors):
    """LoRA-XS: W + (alpha / rank) · up · square · down, with `square` (rank, rank) trained, `up` the left singular vectors of
    W times its singular values, and `down` the right singular vectors.

    `square` starts from a normal distribution of deviation 1e-5, so training starts near the backbone.

    Source: MohammadrezaBanaei/LoRA-XS, utils/initialization_utils.py (`get_svd_replacement_module`,
    `find_and_initialize`) and utils/latent_utils.py (`forward_latent`).
    """

    factors_kept: ClassVar[Kept] = "backbone"

    kind: Literal["latent_square"]
    alpha: float = Field(gt=0)
    """The update is scaled by alpha / rank."""

    def tensors(self, place: Place) -> dict[str, Shape]:
        return {"square": Shape((self.rank_at(place),) * 2, "normal"), **super().tensors(place)}

    def start(self, parts: Parts, place: Place) -> dict[str, Tensor]:
        values, left, right = self.factors(parts, place)
        return {"up": left * values, "down": right, "square": parts.square.clone().normal_(std=1e-5)}

    def between(self, parts: Parts) -> Tensor:
        return parts.square * (self.alpha / self.rank)


class TinyVector(BetweenSingularVectors):
    """TinyLoRA: W + up · R · down, R the sum of `numbers` fixed random matrices `mixed` (numbers, rank, rank), each times one
    number of a trained `vector` (numbers,) that the layers of a group share. `up` and `down` each have the roots of the
    singular values.

    `vector` starts at zero, so training starts at the backbone.

    Source: PEFT 0.21.2, tuners/tinylora/layer.py (`_init_svd`, `_compute_R`) and model.py (`_create_and_replace`: groups).
    """

    factors_kept: ClassVar[Kept] = "task"
    peft: ClassVar[InPeft | None] = InPeft(
        "TINYLORA", "TinyLoraConfig", "tinylora/qv-r2-u64",
        {"rank": ("r", 2), "numbers": ("u", 64), "tying": ("weight_tying", 0.0), "save_projection": ("save_projection", True)},
    )  # fmt: skip

    kind: Literal["tiny_vector"]
    numbers: int = Field(ge=1)
    """Trained numbers of each group."""
    tying: float = Field(ge=0, le=1)
    """0: each layer is a group; 1: all layers are one; between, groups are as many as layers times (1 - tying)."""
    save_projection: bool
    """Whether the random matrices are kept with what is trained, as PEFT does unless told; else their seed alone is."""

    def tensors(self, place: Place) -> dict[str, Shape]:
        rank, kept = self.rank_at(place), "task" if self.save_projection else "seed"
        mixed = Shape((self.numbers, rank, rank), "normal", trained=False, kept=kept)  # type: ignore[arg-type]
        return {**super().tensors(place), "mixed": mixed}

    def shared_tensors(self, place: Place) -> dict[str, Shape]:
        return {"vector": Shape((self.numbers,))}

    def group(self, place: Place) -> str:
        groups = max(1, round(place.places * (1 - self.tying)))
        return str(min(place.number // max(1, place.places // groups), groups - 1))

    def start(self, parts: Parts, place: Place) -> dict[str, Tensor]:
        values, left, right = self.factors(parts, place)
        root = values.sqrt()
        found = {"up": left * root, "down": root[:, None] * right}
        if self.save_projection:
            found["mixed"] = parts.mixed.clone().normal_(std=self.rank_at(place) ** -0.5)
        return found

    def between(self, parts: Parts) -> Tensor:
        flat = parts.shared.vector @ parts.mixed.flatten(1)
        return flat.reshape(parts.mixed.shape[1:])
