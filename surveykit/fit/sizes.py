"""Amounts as people write them: 24GB, 24GiB and 80000MB of memory; 0.5%, 2M and 300k of trained parameters."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from surveykit.errors import SurveyError

_UNITS = {
    "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12,
    "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40,
}  # fmt: skip
_COUNTS = {"": 1, "k": 10**3, "m": 10**6, "b": 10**9}
_WRITTEN = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,15})?)\s*([a-z]*)", re.IGNORECASE)


def parse_size(text: str) -> int:
    """Bytes. GB is 10^9 bytes and GiB 2^30; a number needs its unit.

    Raises:
        SurveyError: it is no amount of memory.
    """
    example = "write it like 24GB, 24GiB or 80000MB"
    found = _WRITTEN.fullmatch(text.strip())
    if found is None:
        raise SurveyError(f"'{text}' is not an amount of memory; {example}")
    unit = found[2].lower()
    if not unit:
        raise SurveyError(f"'{text}' has no unit; {example}")
    if unit not in _UNITS:
        raise SurveyError(f"'{found[2]}' is not a unit of memory; {example}")
    size = int(float(found[1]) * _UNITS[unit])
    if size < 1:
        raise SurveyError(f"'{text}' must be more than 0; {example}")
    return size


@dataclass(frozen=True)
class Budget:
    """A number of parameters, or a share of a model's."""

    amount: Fraction
    is_share: bool

    def of(self, parameters: int) -> Fraction:
        """Parameters, for a model of so many."""
        return self.amount * parameters if self.is_share else self.amount


def parse_budget(text: str) -> Budget:
    """0.5% of a model, 2M, 300k, 1000000.

    Raises:
        SurveyError: it is no budget.
    """
    word = text.strip().replace(",", "").replace("_", "").lower()
    share, unit = word.endswith("%"), word[-1:] if word[-1:] in _COUNTS else ""
    try:
        number = Fraction(word.removesuffix("%").removesuffix(unit) if unit else word.removesuffix("%"))
    except (ValueError, ZeroDivisionError):
        raise SurveyError(f"'{text}' is not a budget; write 0.5%, 2M or 300000") from None
    if number <= 0 or (share and number > 100) or (not share and number * _COUNTS[unit] < 1):
        raise SurveyError(f"'{text}' is not a budget: a share is above 0% and at most 100%, a number at least 1")
    return Budget(number / 100 if share else number * _COUNTS[unit], share)


def gigabytes(size: float) -> str:
    """Bytes in 10^9, to two decimals."""
    return f"{size / 1e9:.2f} GB"


def both(size: float) -> str:
    """Bytes in 10^9 and in 2^30: `24.00 GB (22.35 GiB)`."""
    return f"{gigabytes(size)} ({size / 2**30:.2f} GiB)"
