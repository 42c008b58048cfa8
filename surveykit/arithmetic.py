"""Whole-number arithmetic that recipes and formulas both speak of."""

from __future__ import annotations

import math


def near_square_factor(number: int) -> int:
    """The largest divisor of `number` that is not above its square root.

    >>> near_square_factor(768), near_square_factor(65536)
    (24, 256)
    """
    if not 1 <= number <= 2**32:  # the search takes the root of the number in steps
        raise ValueError(f"near_square_factor needs a number from 1 to 2^32, not {number}")
    factor = math.isqrt(number)
    while number % factor:
        factor -= 1
    return factor
