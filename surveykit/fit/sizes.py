"""Amounts of memory as people write them: 24GB, 24GiB, 80000MB."""

from __future__ import annotations

import re

from surveykit.errors import SurveyError

_UNITS = {
    "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12,
    "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40,
}  # fmt: skip
_WRITTEN = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,15})?)\s*([a-z]*)", re.IGNORECASE)


def parse_size(text: str) -> int:
    """Bytes. GB is 10^9 bytes and GiB 2^30; a number needs its unit.

    Raises:
        SurveyError: it is no amount of memory.
    """
    example = "write it like 24GB, 24GiB or 80000MB"
    found = _WRITTEN.fullmatch(text.strip())
    if found is None:
        raise SurveyError(f"'{text}' is no amount of memory; {example}")
    unit = found[2].lower()
    if not unit:
        raise SurveyError(f"'{text}' has no unit; {example}")
    if unit not in _UNITS:
        raise SurveyError(f"'{found[2]}' is no unit of memory; {example}")
    size = int(float(found[1]) * _UNITS[unit])
    if size < 1:
        raise SurveyError(f"'{text}' is no memory at all; {example}")
    return size


def gigabytes(size: float) -> str:
    """Bytes in 10^9, to two decimals."""
    return f"{size / 1e9:.2f} GB"
