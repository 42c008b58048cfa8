"""Means with intervals, and which of two can be told apart: a bootstrap over seeds and examples, both drawn anew.

Source: Efron and Tibshirani 1993, chapters 6 and 13 (percentile intervals). Methods are scored on the same examples, so a draw
of examples is the same for all, and differences are paired.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from zlib import crc32

import numpy

DRAWS = 4000
AT_ONCE = 250
"""Draws whose examples are in memory together: a test set has thousands."""
LEVEL = 0.95
_SEED = 0

Scores = Sequence[Sequence[float]]
"""By seed, the score of each example; every seed has the same examples."""


@dataclass(frozen=True)
class Interval:
    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Place:
    """Where a method stands among others."""

    score: Interval
    best: int
    """One more than the methods that are better for certain."""
    worst: int
    """All methods less those that are worse for certain."""
    like: tuple[str, ...]
    """The methods from which it cannot be told apart."""


def places(scores: Mapping[str, Scores]) -> dict[str, Place]:
    """Each method's mean score with its interval, and its place as far as it can be told.

    Raises:
        ValueError: methods are scored on different numbers of examples.
    """
    if not scores:
        return {}
    arrays = {name: numpy.asarray(values, dtype=float) for name, values in scores.items()}
    sizes = {array.shape[1] for array in arrays.values()}
    if len(sizes) > 1:
        raise ValueError(f"methods are scored on different numbers of examples: {sorted(sizes)}")
    generator = numpy.random.default_rng(_SEED)
    (size,) = sizes
    own = {name: numpy.random.default_rng([_SEED, crc32(name.encode())]) for name in arrays}
    parts: dict[str, list[numpy.ndarray]] = {name: [] for name in arrays}
    for _ in range(DRAWS // AT_ONCE):
        examples = generator.multinomial(size, numpy.full(size, 1 / size), size=AT_ONCE)
        for name, array in arrays.items():
            parts[name].append(_means(array, examples, own[name]))
    draws = {name: numpy.concatenate(some) for name, some in parts.items()}
    found = {}
    for name, mine in draws.items():
        better, worse, like = 0, 0, []
        for other, theirs in draws.items():
            if other == name:
                continue
            low, high = _percentiles(mine - theirs)
            better += high < 0
            worse += low > 0
            if low <= 0 <= high:
                like.append(other)
        score = Interval(float(arrays[name].mean()), *_percentiles(mine))
        found[name] = Place(score, 1 + better, len(draws) - worse, tuple(like))
    return found


def spread(values: Sequence[float]) -> Interval:
    """The median of measurements, and the quartiles around it."""
    low, middle, high = numpy.percentile(values, [25, 50, 75])
    return Interval(float(middle), float(low), float(high))


def _means(array: numpy.ndarray, examples: numpy.ndarray, generator: numpy.random.Generator) -> numpy.ndarray:
    """Mean scores of draws: (seeds, examples), (draws, examples) → (draws,).

    How often each was drawn is a whole number, divided once at the end: equal scores have equal means in every draw, to
    the last bit, and no method is better than another by a rounding.

    Args:
        examples: how often each example was drawn, in each draw.
        generator: of seeds, one for each method: they are drawn alike whatever stands beside it.
    """
    seeds = len(array)
    drawn = generator.multinomial(seeds, numpy.full(seeds, 1 / seeds), size=len(examples))
    found: numpy.ndarray = numpy.einsum("ds,se,de->d", drawn, array, examples, optimize=True)
    return found / array.size


def _percentiles(draws: numpy.ndarray) -> tuple[float, float]:
    low, high = numpy.percentile(draws, [50 * (1 - LEVEL), 50 * (1 + LEVEL)])
    return float(low), float(high)
