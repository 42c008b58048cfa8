"""Trained keys and values of which the first stay as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from surveykit.recipes.base import InPeft, Parts, Place, Shape
from surveykit.recipes.sites import KeyValueEdit

if TYPE_CHECKING:
    from torch import Tensor


class Cartridge(KeyValueEdit):
    """Cartridges: `length` keys and values before those of each attention, the first `frozen` of which are not trained.

    `first_key`, `first_value` (frozen, width) and `key`, `value` (length - frozen, width). They start at random here; the authors
    take the keys and values that the model computes for the first words of a text, and train on questions about it.

    Source: Eyuboglu et al. 2025, as in PEFT's `peft/tuners/cartridge`; the paper's abstract and PEFT's notes were read.
    """

    moves_text: ClassVar[bool] = True
    size_name: ClassVar[str | None] = "length"
    peft: ClassVar[InPeft | None] = InPeft(
        "CARTRIDGE", "CartridgeConfig", "cartridge/p128",
        {"length": ("num_virtual_tokens", None), "frozen": ("num_frozen_tokens", 1)}, targeted=False,
    )  # fmt: skip

    kind: Literal["cartridge"]
    length: int = Field(ge=1)
    """Positions added to each attention."""
    frozen: int = Field(ge=0)
    """How many of them, from the first on, are not trained: models take the first position as a place to rest attention on."""

    def positions_added(self) -> int:
        return self.length

    def tensors(self, place: Place) -> dict[str, Shape]:
        if self.frozen >= self.length:
            raise ValueError(f"of {self.length} positions {self.frozen} are frozen, which leaves none to train")
        widths = {"key": place.keys, "value": place.values or place.keys}
        trained = {name: Shape((self.length - self.frozen, width), "normal") for name, width in widths.items()}
        first = {f"first_{name}": Shape((self.frozen, w), "normal", trained=False) for name, w in widths.items()}
        return {**trained, **(first if self.frozen else {})}

    def key_value(self, parts: Parts, place: Place) -> tuple[Tensor, Tensor]:
        if not self.frozen:
            return parts.key, parts.value
        return _joined(parts.first_key, parts.key), _joined(parts.first_value, parts.value)


def _joined(first: Tensor, then: Tensor) -> Tensor:
    out = then.new_zeros(len(first) + len(then), then.shape[-1])
    out[: len(first)], out[len(first) :] = first, then
    return out
