"""Masks: which of the trained entries may move."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from surveykit.record import Record

if TYPE_CHECKING:
    from torch import Tensor

MILLION = 1_000_000


class Mask(Record):
    """A sparse choice among trained entries. The optimizer holds all of them; the others are given no gradient."""

    of: Literal["pretrained", "added"]
    """Whether it is chosen among trained entries of the backbone, or among those that the edits add."""
    keep_ppm: int = Field(ge=1, le=MILLION)
    """Entries that stay, in parts per million of those it is chosen among; rounded down."""
    across: Literal["model", "tensor"]
    """`model`: one threshold for all tensors. `tensor`: the same share of each."""
    rule: Literal["squared_gradient", "sensitivity", "change", "magnitude", "random"]
    """What is kept: entries with the largest summed squared gradient (the diagonal of the empirical Fisher
    information), with the largest |gradient × value|, that the previous stage moved most, that are largest, or any."""
    dense: tuple[str, ...] = ()
    """Names of added tensors that are left out: all their entries stay."""

    def kept(self, entries: int) -> int:
        """How many of so many entries stay."""
        return entries * self.keep_ppm // MILLION

    @property
    def needs_gradients(self) -> bool:
        return self.rule in ("squared_gradient", "sensitivity")

    def scores(self, value: Tensor, gradients: list[Tensor], change: Tensor) -> Tensor:
        """A score for each entry of one tensor; the largest stay.

        Args:
            value: the tensor.
            gradients: its gradient for each example; empty unless the rule needs them.
            change: how far the previous stage moved it.
        """
        match self.rule:
            case "squared_gradient":
                return sum((g * g for g in gradients[1:]), gradients[0] * gradients[0])
            case "sensitivity":
                return (sum(gradients[1:], gradients[0]) * value).abs()
            case "change":
                return change.abs()
            case "magnitude":
                return value.abs()
            case "random":
                return value.detach().clone().uniform_()


def index_bytes(kept: int, entries: int) -> int:
    """Bytes that say which entries of a tensor stay: one 32-bit number for each, or one bit for every entry."""
    return min(4 * kept, -(-entries // 8))
