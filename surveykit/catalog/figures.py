"""Figures as papers print them: kept as text, read as exact decimals."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

_NUMBER = r"[0-9]{1,9}(?:\.[0-9]{1,6})?"
_FIGURE = re.compile(rf"(?P<bound>[<>])?\s*(?P<low>{_NUMBER})(?:\s*-\s*(?P<high>{_NUMBER}))?")

Bound = Literal["exact", "above", "below"]


@dataclass(frozen=True)
class Figure:
    """What a printed figure says: a number, a range, or a bound (">0.5")."""

    printed: str
    low: Decimal
    high: Decimal
    decimals: int
    """Digits after the point, as printed; of a range, those of the finer end."""
    bound: Bound

    @property
    def is_range(self) -> bool:
        return self.low != self.high

    def half_unit(self) -> Decimal:
        """Half a unit in the last printed place: what rounding alone can explain."""
        return Decimal(1).scaleb(-self.decimals) / 2

    def covers(self, value: Decimal) -> bool:
        """Whether a value agrees with this figure at its printed rounding: is it, lies in its range, or beyond its bound.

        This is the one rule by which any printed figure is compared.
        """
        if self.bound == "above":
            return value > self.low
        if self.bound == "below":
            return value < self.low
        return self.low - self.half_unit() <= value <= self.high + self.half_unit()

    def span(self) -> str:
        """The values that agree, in words."""
        if self.bound != "exact":
            return f"more than {self.low}" if self.bound == "above" else f"less than {self.low}"
        return f"{self.low - self.half_unit():f} to {self.high + self.half_unit():f}"


def parse_figure(printed: str) -> Figure:
    """Read a printed figure such as `12.69`, `0.05-0.07`, `0.1 - 6` or `>0.5`.

    Raises:
        ValueError: the text is not such a figure.
    """
    match = _FIGURE.fullmatch(printed.strip())
    if match is None:
        raise ValueError(f"'{printed}' is not a figure like 12.69, 0.05-0.07 or >0.5")
    low = match["low"]
    high = match["high"] or low
    decimals = max(len(part.partition(".")[2]) for part in (low, high))
    bound: Bound = {None: "exact", ">": "above", "<": "below"}[match["bound"]]  # type: ignore[assignment]
    if Decimal(high) < Decimal(low):
        raise ValueError(f"'{printed}' is a range whose end lies below its start")
    return Figure(printed, Decimal(low), Decimal(high), decimals, bound)
