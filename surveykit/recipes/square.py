"""A square matrix between folded inputs and repeated outputs, so that few parameters give an update of high rank."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from surveykit.arithmetic import whole_root
from surveykit.recipes.base import Parts, Place, Shape
from surveykit.recipes.sites import WeightEdit

if TYPE_CHECKING:
    from torch import Tensor

_BASE = 10_000.0
"""The slowest rotation is nearly this many times as slow as the quickest, as in rotary positions."""


class Square(WeightEdit):
    """MoRA: W + expand · square · fold, with `square` (side, side) trained; it starts at zero.

    The side is √(rank · (fan_in + fan_out)), rounded, so that LoRA of that rank has as many parameters; for `rotate`, the next even
    number from below. Both take x in pieces of `side` features, the last one filled up from the front of x. `sum` adds the pieces,
    multiplies, and repeats the result over the outputs. `rotate` turns each piece as rotary positions do, by its number,
    multiplies each, and joins the results, repeated where they are too few.

    Source: Jiang et al. 2024, equations 6 and 9; types 1 and 6 of the authors' code (kongds/MoRA, peft-mora, `_apply_mora`).
    """

    size_name: ClassVar[str | None] = "rank"
    drops_input: ClassVar[bool] = True

    kind: Literal["square"]
    rank: int = Field(ge=1)
    """Rank of LoRA with as many parameters."""
    fold: Literal["sum", "rotate"]
    """How inputs become pieces of the square's side."""

    def _side(self, place: Place) -> int:
        rounded = (whole_root(4 * self.rank * (place.fan_in + place.fan_out)) + 1) // 2
        return rounded // 2 * 2 if self.fold == "rotate" else rounded

    def tensors(self, place: Place) -> dict[str, Shape]:
        side = self._side(place)
        if side < 2:
            raise ValueError(f"no square of side 2 fits {place.fan_in} inputs and {place.fan_out} outputs at this rank")
        return {"square": Shape((side, side), "zeros")}

    def update_rank(self, place: Place) -> int:
        most = min(place.fan_in, place.fan_out)
        return most if self.fold == "rotate" else min(self._side(place), most)

    def changed(self, place: Place) -> int:
        if self.fold == "sum":
            return super().changed(place)
        return place.fan_out * min(self._side(place), place.fan_in)  # each output reads one piece of the input

    def expanded(self, place: Place) -> int:
        return place.fan_in * place.fan_out

    def _branch(self, square: Tensor, x: Tensor, fan_out: int) -> Tensor:
        """The update of x: (…, fan_in) → (…, fan_out)."""
        side, features = square.shape[0], x.shape[-1]
        number = -(-features // side)
        filled = x if features == number * side else _repeated(x, number * side)
        pieces = filled.reshape(*x.shape[:-1], number, side)
        if self.fold == "sum":
            return _repeated(pieces.sum(-2) @ square.T, fan_out)
        return _repeated((_turned(pieces) @ square.T).flatten(-2), fan_out)

    def after(self, parts: Parts, x: Tensor, y: Tensor) -> Tensor:
        return y + self._branch(parts.square, x, y.shape[-1])

    def weight(self, parts: Parts, weight: Tensor) -> Tensor:
        rows, columns = weight.shape
        units = weight.new_zeros(columns, columns).fill_diagonal_(1.0)
        return weight + self._branch(parts.square, units, rows).T


def _repeated(x: Tensor, width: int) -> Tensor:
    """Copies of x behind each other, (…, width), the last one cut off."""
    times = -(-width // x.shape[-1])
    whole = x if times == 1 else x.repeat(*(1 for _ in x.shape[:-1]), times)
    return whole[..., :width]


def _turned(pieces: Tensor) -> Tensor:
    """Pieces (…, number, side), the features i and i + side / 2 of each turned by an angle that grows with its number."""
    number, side = pieces.shape[-2:]
    half = side // 2
    steps = pieces.new_ones(half).cumsum(0) - 1
    angles = (pieces.new_ones(number).cumsum(0) - 1)[:, None] * _BASE ** (-2 * steps / side)
    cos, sin = angles.cos().repeat(1, 2), angles.sin().repeat(1, 2)
    sin[:, :half] *= -1
    return pieces * cos + pieces.roll(half, -1) * sin
