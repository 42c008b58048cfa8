"""Low-rank matrices made of sub-vectors from one bank that all layers share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from surveykit.recipes.base import Edit, InPeft, Parts, Place, Shape
from surveykit.recipes.sites import WeightEdit

if TYPE_CHECKING:
    from torch import Tensor


class BankedPair(WeightEdit):
    """W + up · down, with `down` (rank, fan_in) and `up` (fan_out, rank) cut into sub-vectors of `length` numbers. Each is a
    weighted sum of `top` vectors of a trained `bank` (vectors, length)."""

    size_name: ClassVar[str | None] = "rank"
    drops_input: ClassVar[bool] = True

    rank: int = Field(ge=1)
    """Rank of the update of each matrix."""
    vectors: int = Field(ge=1)
    """Vectors in the bank."""
    length: int = Field(ge=1)
    """Numbers of each; it has to divide the widths of every layer."""
    top: int = Field(ge=1)
    """How many vectors each sub-vector is made of."""

    def sub_vectors(self, place: Place) -> tuple[tuple[int, int], tuple[int, int]]:
        """Where sub-vectors are in `down` and in `up`.

        Raises:
            ValueError: vectors of this length do not fill a row, or the bank has fewer vectors than are chosen.
        """
        if wrong := [width for width in (place.fan_in, place.fan_out) if width % self.length]:
            raise ValueError(
                f"vectors of {self.length} numbers do not fill a width of {wrong[0]}; choose another length"
            )
        if self.top > self.vectors:
            raise ValueError(f"a bank of {self.vectors} vectors has no {self.top} to choose")
        return (self.rank, place.fan_in // self.length), (place.fan_out // self.length, self.rank)

    def shared_tensors(self, place: Place) -> dict[str, Shape]:
        return {"bank": Shape((self.vectors, self.length), "normal")}

    def update_rank(self, place: Place) -> int:
        return min(self.rank, place.fan_in, place.fan_out)

    def expanded(self, place: Place) -> int:
        return place.fan_in * place.fan_out

    def shared_expanded(self, place: Place) -> int:
        return 0

    def chosen(self, parts: Parts, side: Literal["down", "up"]) -> tuple[Tensor, Tensor]:
        """Weights and numbers of the vectors of each sub-vector, both (…, top)."""
        raise NotImplementedError

    def composed(self, parts: Parts, side: Literal["down", "up"]) -> Tensor:
        """The sub-vectors, (…, length)."""
        weights, numbers = self.chosen(parts, side)
        found: Tensor = (weights[..., None] * parts.shared.bank[numbers]).sum(-2)
        return found

    def pair(self, parts: Parts) -> tuple[Tensor, Tensor]:
        """`down` and `up`."""
        down = self.composed(parts, "down").reshape(self.rank, -1)
        return down, self.composed(parts, "up").transpose(1, 2).reshape(-1, self.rank)

    def after(self, parts: Parts, x: Tensor, y: Tensor) -> Tensor:
        down, up = self.pair(parts)
        return y + (x @ down.T) @ up.T

    def weight(self, parts: Parts, weight: Tensor) -> Tensor:
        down, up = self.pair(parts)
        return weight + up @ down


class VectorBank(BankedPair):
    """VB-LoRA: the vectors of a sub-vector are those with the `top` largest of its trained logits, and a softmax over these
    logits weighs them. `logits_down` is (rank, fan_in / length, vectors), `logits_up` (fan_out / length, rank, vectors).

    The bank starts small and random, so that training starts near the backbone.

    Source: PEFT 0.21.2, tuners/vblora/layer.py (`_get_low_rank_matrix`, `_get_lora_matrices`), model.py (what is saved).
    """

    peft: ClassVar[InPeft | None] = InPeft(
        "VBLORA", "VBLoRAConfig", "vblora/qv-r4",
        {"rank": ("r", 4), "vectors": ("num_vectors", 256), "length": ("vector_length", 256), "top": ("topk", 2),
         "save_top": ("save_only_topk_weights", False)},
    )  # fmt: skip

    kind: Literal["vector_bank"]
    save_top: bool
    """Whether only weights and numbers of the chosen vectors are kept, with which no training goes on; else all logits."""

    def tensors(self, place: Place) -> dict[str, Shape]:
        down, up = self.sub_vectors(place)
        return {
            "logits_down": Shape((*down, self.vectors), "normal"),
            "logits_up": Shape((*up, self.vectors), "normal"),
        }

    def start(self, parts: Parts, place: Place) -> dict[str, Tensor]:
        return {name: getattr(parts, name).clone().normal_(std=0.1) for name in ("logits_down", "logits_up")}

    def chosen(self, parts: Parts, side: Literal["down", "up"]) -> tuple[Tensor, Tensor]:
        logits = parts.logits_down if side == "down" else parts.logits_up
        largest, numbers = logits.topk(self.top, dim=-1)
        return largest.softmax(-1), numbers

    def deployed(self) -> Edit:
        if not self.save_top:
            return self
        fields = self.model_dump(exclude={"kind", "save_top"})
        return ChosenVectors.model_validate({**fields, "kind": "chosen_vectors"})

    def deployed_tensors(self, parts: Parts, place: Place) -> Mapping[str, Tensor]:
        if not self.save_top:
            return super().deployed_tensors(parts, place)
        found: dict[str, Tensor] = {}
        sides: tuple[Literal["down", "up"], ...] = ("down", "up")
        for side in sides:
            weights, numbers = self.chosen(parts, side)
            found |= {f"weights_{side}": weights[..., :-1], f"numbers_{side}": numbers}
        return found


class ChosenVectors(BankedPair):
    """VB-LoRA as it is kept for use: numbers of the chosen vectors, and their weights but the last, which the others leave."""

    kind: Literal["chosen_vectors"]

    def tensors(self, place: Place) -> dict[str, Shape]:
        found: dict[str, Shape] = {}
        for side, dims in zip(("down", "up"), self.sub_vectors(place), strict=True):
            found[f"weights_{side}"] = Shape((*dims, self.top - 1), "normal")
            found[f"numbers_{side}"] = Shape((*dims, self.top), "permutation", trained=False, below=self.vectors)
        return found

    def chosen(self, parts: Parts, side: Literal["down", "up"]) -> tuple[Tensor, Tensor]:
        kept, numbers = getattr(parts, f"weights_{side}"), getattr(parts, f"numbers_{side}")
        weights = kept.new_empty(numbers.shape)
        weights[..., :-1] = kept
        weights[..., -1] = 1 - kept.sum(-1)
        return weights, numbers.long()
