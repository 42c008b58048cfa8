"""Rank correlation: the one function of it."""

from __future__ import annotations

from collections.abc import Sequence


def rank_correlation(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Spearman's correlation of two equally long rows of values; equal values share the mean of their ranks.

    None where there is none: fewer than two values, or one side has a single value.

    >>> rank_correlation([1, 2, 2, 3], [10, 20, 30, 40])
    0.9486832980505138
    """
    from statistics import correlation

    if len(set(first)) < 2 or len(set(second)) < 2:
        return None
    return correlation(_ranks(first), _ranks(second))


def _ranks(values: Sequence[float]) -> list[float]:
    return [(sum(u < v for u in values) + sum(u <= v for u in values)) / 2 for v in values]
