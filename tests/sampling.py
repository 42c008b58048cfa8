"""Tests that walk a product, of which most cases take a path that another one takes too: a third of them runs each time,
another third with another commit, and of each path one at least. `--exhaustive` runs all of them, as a scheduled workflow does.

    @pytest.mark.sampled("family", "kind")           each family and each kind is run
    @pytest.mark.sampled(name=lambda name: …)        each of what this makes of the argument `name` is run
    @pytest.mark.sampled                             a third, and no more: for cases that are dear and alike
    @pytest.mark.sampled(group="…")                  with one commit of three: for tests of what others test each time
                                                     on less, which are dear together, such as all that need one build
"""

from __future__ import annotations

import os
import subprocess
import zlib
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path
from typing import Any

import pytest

TURN = "SURVEYKIT_TEST_TURN"
"""Which part runs is decided by this text: the commit, where nobody says another."""
PARTS = 3


def turn() -> str:
    """The text that chooses the part, the same for all workers."""
    if TURN not in os.environ:
        try:
            asked = subprocess.run(
                ["git", "rev-parse", "HEAD"], cwd=Path(__file__).parent, capture_output=True, text=True
            )
            os.environ[TURN] = asked.stdout.strip() or "no commit"
        except OSError:
            os.environ[TURN] = "no commit"
    return os.environ[TURN]


def falls_to(name: str, turn: str) -> bool:
    """Whether what has this name is in the part of this turn."""
    return (zlib.crc32(name.encode()) + zlib.crc32(turn.encode())) % PARTS == 0


def chosen(cases: Sequence[tuple[str, Sequence[Hashable]]], turn: str) -> list[bool]:
    """Which cases run.

    Args:
        cases: the id of each, and the paths that it takes.
    """
    now = zlib.crc32(turn.encode())
    kept = [falls_to(name, turn) for name, _ in cases]
    taking: dict[tuple[int, Hashable], list[int]] = defaultdict(list)
    for number, (_, paths) in enumerate(cases):
        for axis, path in enumerate(("", *paths)):  # of each test one case at least
            taking[axis, path].append(number)
    for numbers in taking.values():
        if not any(kept[number] for number in numbers):
            kept[numbers[now % len(numbers)]] = True
    return kept


def left_out(items: Sequence[pytest.Item]) -> set[pytest.Item]:
    """Cases of tests that are marked as sampled, which do not run this time."""
    of_tests: dict[tuple[Path, str], list[pytest.Function]] = defaultdict(list)
    now, found = turn(), set()
    for item in items:
        if isinstance(item, pytest.Function) and (marker := item.get_closest_marker("sampled")):
            if (group := marker.kwargs.get("group")) is None:
                of_tests[item.path, item.originalname].append(item)
            elif not falls_to(group, now):
                found.add(item)
    for cases in of_tests.values():
        kept = chosen([(case.name, _paths(case)) for case in cases], now)
        found |= {case for case, runs in zip(cases, kept, strict=True) if not runs}
    return found


def _paths(case: pytest.Function) -> list[Hashable]:
    marker, values = case.get_closest_marker("sampled"), case.callspec.params
    assert marker is not None
    made: dict[str, Callable[[Any], Hashable]] = marker.kwargs
    return [*(repr(values[name]) for name in marker.args), *(make(values[name]) for name, make in made.items())]


def sentence(sampled: int, out_of: int) -> str:
    """What the last lines of a run say."""
    return f"sampled: {sampled} of {out_of} cases that take the paths of others, chosen by {turn()}; all: --exhaustive"
