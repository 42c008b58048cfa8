"""Whole-number arithmetic that recipes and formulas both speak of."""

from __future__ import annotations

import math


def whole_root(number: int) -> int:
    """The square root, rounded down to a whole number.

    >>> whole_root(35), whole_root(36)
    (5, 6)
    """
    if number < 0:
        raise ValueError(f"root needs a number from 0, not {number}")
    return math.isqrt(number)


def near_square_factor(number: int, at_most: int | None = None) -> int:
    """The largest divisor of `number` that is not above its square root, nor above `at_most`.

    >>> near_square_factor(768), near_square_factor(65536), near_square_factor(90, at_most=8)
    (24, 256, 6)
    """
    if not 1 <= number <= 2**32:  # the search takes the root of the number in steps
        raise ValueError(f"near_square_factor needs a number from 1 to 2^32, not {number}")
    factor = math.isqrt(number) if at_most is None else min(math.isqrt(number), at_most)
    while number % factor:
        factor -= 1
    return factor


def nearest_divisor(number: int, wanted: int) -> int:
    """The divisor of `number` that is nearest to `wanted`; the smaller of two.

    >>> nearest_divisor(768, 32), nearest_divisor(60, 32), nearest_divisor(60, 8)
    (32, 30, 6)
    """
    if not 1 <= number <= 2**20 or wanted < 1:  # the search goes in steps
        raise ValueError(f"nearest_divisor needs numbers from 1, the first up to 2^20, not {number} and {wanted}")
    if wanted >= number:
        return number
    away = next(step for step in range(number) if number % (wanted - step) == 0 or number % (wanted + step) == 0)
    return wanted - away if number % (wanted - away) == 0 else wanted + away
