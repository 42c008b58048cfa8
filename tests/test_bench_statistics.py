"""Intervals and places: they cover what they should, and tell apart what differs and nothing else."""

from __future__ import annotations

import random

import numpy
import pytest

from surveykit.bench.report import relative
from surveykit.bench.statistics import LEVEL, Interval, places, spread


def drawn(generator: numpy.random.Generator, right: float, seeds: int = 3, examples: int = 200) -> list[list[float]]:
    return (generator.random((seeds, examples)) < right).astype(float).tolist()


def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    generator = numpy.random.default_rng(1)
    truth, covered, times = 0.7, 0, 120
    for _ in range(times):
        # Seeds score the same examples: an example is hard or easy for all of them.
        ease = generator.random(150)
        scores = [(ease < truth).astype(float).tolist() for _ in range(3)]
        found = places({"one": scores})["one"].score
        covered += found.low <= truth <= found.high
    assert covered / times == pytest.approx(LEVEL, abs=0.05)


def test_alike_is_not_ranked_and_apart_is() -> None:
    generator = numpy.random.default_rng(2)
    same = drawn(generator, 0.6)
    found = places({"a": same, "b": same, "good": drawn(generator, 0.95), "bad": drawn(generator, 0.2)})
    assert (found["good"].best, found["good"].worst) == (1, 1)
    assert (found["bad"].best, found["bad"].worst) == (4, 4)
    assert (found["a"].best, found["a"].worst, found["a"].like) == (2, 3, ("b",))


def test_methods_that_are_alike_are_seldom_told_apart() -> None:
    generator = numpy.random.default_rng(3)
    apart = 0
    for _ in range(60):
        found = places({"a": drawn(generator, 0.6), "b": drawn(generator, 0.6)})
        apart += found["a"].best != 1 or found["b"].best != 1
    assert apart / 60 < 0.15


def test_a_draw_does_not_depend_on_what_stands_beside() -> None:
    generator = numpy.random.default_rng(4)
    one, other = drawn(generator, 0.6), drawn(generator, 0.7)
    assert places({"one": one})["one"].score == places({"one": one, "other": other})["one"].score


def test_other_examples_are_refused() -> None:
    with pytest.raises(ValueError, match="different numbers of examples"):
        places({"a": [[1.0, 0.0]], "b": [[1.0]]})


def test_nothing_is_nothing_and_the_spread_is_of_quartiles() -> None:
    assert places({}) == {}
    found = spread([1.0, 2.0, 3.0, 4.0, 5.0])
    assert (found.low, found.mean, found.high) == (2.0, 3.0, 4.0)


@pytest.mark.parametrize("seeds", [1, 2, 3, 7])
@pytest.mark.parametrize("examples", [3, 10, 49])
def test_no_rounding_tells_equal_scores_apart(seeds: int, examples: int) -> None:
    right = [[1.0] * examples] * seeds
    found = places({"a": right, "b": [[1.0] * examples] * (seeds + 1)})
    for place in found.values():
        assert (place.score, place.best, place.worst) == (Interval(1.0, 1.0, 1.0), 1, 2)


def test_the_baseline_is_a_hundred_whatever_its_speed() -> None:
    generator = random.Random(0)
    for speed in (generator.uniform(1, 1e6) for _ in range(1000)):
        own = Interval(speed, speed * 0.9, speed * 1.1)
        found = relative(own, own)
        assert found is not None
        assert found.mean == 100, speed
