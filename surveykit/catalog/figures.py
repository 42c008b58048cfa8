"""Figures as papers print them: kept as text, read as exact decimals."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

_NUMBER = r"(?:[0-9]{1,15}|[0-9]{1,3}(?:,[0-9]{3}){1,4})(?:\.[0-9]{1,6})?"
_FIGURE = re.compile(
    rf"(?P<bound>[<>])?\s*(?P<low>{_NUMBER})(?:\s*-\s*(?P<high>{_NUMBER}))?\s*(?P<suffix>[KMBT]|[KMG]i?B)?"
)
SCALES = {
    "K": 10**3, "M": 10**6, "B": 10**9, "T": 10**12, "KB": 10**3, "MB": 10**6, "GB": 10**9,
    "KiB": 2**10, "MiB": 2**20, "GiB": 2**30,
}  # fmt: skip
"""What a suffix multiplies a printed figure by."""

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
    scale: int = 1
    """What a printed suffix multiplies the figure by: 1000 for `147K`."""

    @property
    def is_range(self) -> bool:
        return self.low != self.high

    def half_unit(self) -> Decimal:
        """Half a unit in the last printed place: what rounding alone can explain."""
        return Decimal(1).scaleb(-self.decimals) / 2

    def covers(self, value: Decimal, tolerance: Decimal = Decimal(0)) -> bool:
        """Whether a value agrees with this figure at its printed rounding: is it, lies in its range, or beyond its bound.

        This is the one rule by which any printed figure is compared.

        Args:
            tolerance: share of the value by which the figure may differ besides.
        """
        value = value / self.scale
        if self.bound == "above":
            return value > self.low
        if self.bound == "below":
            return value < self.low
        room = self.half_unit() + value * tolerance
        return self.low - room <= value <= self.high + room

    def truncates(self, value: Decimal) -> bool:
        """Whether the figure is a value cut off after its last printed place, not rounded there."""
        unit = Decimal(1).scaleb(-self.decimals)
        return self.bound == "exact" and not self.is_range and self.low <= value / self.scale < self.low + unit

    def span(self) -> str:
        """The values that agree, in words."""
        if self.bound != "exact":
            return f"more than {self.low}" if self.bound == "above" else f"less than {self.low}"
        return f"{self.low - self.half_unit():f} to {self.high + self.half_unit():f}"


def parse_figure(printed: str) -> Figure:
    """Read a printed figure such as `12.69`, `0.05-0.07`, `0.1 - 6`, `>0.5`, `18,353,664` or `147K`.

    Raises:
        ValueError: the text is not such a figure.
    """
    match = _FIGURE.fullmatch(printed.strip())
    if match is None:
        raise ValueError(f"'{printed}' is not a figure like 12.69, 0.05-0.07, 147K or >0.5")
    low = match["low"].replace(",", "")
    high = (match["high"] or low).replace(",", "")
    decimals = max(len(part.partition(".")[2]) for part in (low, high))
    bound: Bound = {None: "exact", ">": "above", "<": "below"}[match["bound"]]  # type: ignore[assignment]
    if Decimal(high) < Decimal(low):
        raise ValueError(f"'{printed}' is a range that ends below its start")
    return Figure(printed, Decimal(low), Decimal(high), decimals, bound, SCALES.get(match["suffix"] or "", 1))
