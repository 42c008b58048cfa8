"""Low-rank matrices of all layers whose entries are the numbers of one short vector, over and over."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from surveykit.recipes.base import InPeft, Parts, Place, Shape
from surveykit.recipes.sites import WeightEdit

if TYPE_CHECKING:
    from torch import Tensor


class OneVector(WeightEdit):
    """Uni-LoRA: W + up · down, with down[i, j] = vector[n] / √uses[n], n = numbers_down[i, j], and likewise `up`.

    One trained `vector` (length,) serves all layers. Which of its numbers stands at an entry is drawn once: `numbers_down`
    (rank, fan_in) and `numbers_up` (fan_out, rank), in each of which all numbers come equally often. `uses` (length,) says
    how often each comes in all layers together, so that the map from the vector to all entries keeps lengths. The vector
    starts small and random, so training starts near the backbone. PEFT shuffles the numbers of all layers together.

    Source: PEFT 0.21.2, tuners/unilora/layer.py (`_get_lora_matrices`) and model.py (`_assign_unilora_indices_and_scales`).
    """

    size_name: ClassVar[str | None] = "length"
    drops_input: ClassVar[bool] = True
    peft: ClassVar[InPeft | None] = InPeft(
        "UNILORA", "UniLoraConfig", "unilora/qv-r4-d256", {"rank": ("r", 4), "length": ("theta_d_length", 256)}
    )

    kind: Literal["one_vector"]
    rank: int = Field(ge=1)
    """Rank of the update of each matrix."""
    length: int = Field(ge=1)
    """Trained numbers of the whole model."""

    def tensors(self, place: Place) -> dict[str, Shape]:
        return {
            "numbers_down": Shape((self.rank, place.fan_in), "permutation", trained=False, kept="seed"),
            "numbers_up": Shape((place.fan_out, self.rank), "permutation", trained=False, kept="seed"),
        }

    def shared_tensors(self, place: Place) -> dict[str, Shape]:
        return {"vector": Shape((self.length,), "normal"), "uses": Shape((self.length,), trained=False, kept="seed")}

    def start(self, parts: Parts, place: Place) -> dict[str, Tensor]:
        found = {name: getattr(parts, name) % self.length for name in ("numbers_down", "numbers_up")}
        for numbers in found.values():
            parts.shared.uses.add_(numbers.flatten().bincount(minlength=self.length))
        return found

    def update_rank(self, place: Place) -> int:
        return min(self.rank, place.fan_in, place.fan_out)

    def expanded(self, place: Place) -> int:
        return place.fan_in * place.fan_out

    def shared_expanded(self, place: Place) -> int:
        return 0

    def pair(self, parts: Parts) -> tuple[Tensor, Tensor]:
        """`down` (rank, fan_in) and `up` (fan_out, rank)."""
        entries = parts.shared.vector * parts.shared.uses.rsqrt()
        return entries[parts.numbers_down.long()], entries[parts.numbers_up.long()]

    def after(self, parts: Parts, x: Tensor, y: Tensor) -> Tensor:
        down, up = self.pair(parts)
        return y + (x @ down.T) @ up.T

    def weight(self, parts: Parts, weight: Tensor) -> Tensor:
        down, up = self.pair(parts)
        return weight + up @ down
