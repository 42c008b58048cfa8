"""What else could be done: the cheapest changes that make a configuration fit, and how much longer a batch or text may be.

Pure: what a step needs is asked of a function that traces it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, Literal

from pydantic import ValidationError

from surveykit.catalog.training import Training
from surveykit.errors import SurveyError
from surveykit.fit.candidates import STANDINGS, Question, Standing

MOST_BATCH = 1024
MOST_LENGTH = 131072
"""Batches and lengths beyond these are not looked for."""
_STEP = 64
"""Lengths from here on are looked for among its multiples."""
_TRACES = 16
"""Traces that one search takes at most."""
_SAVES = 0.995
"""A change that leaves more of the peak than this is none."""

Peak = Callable[[Question], int]
"""Bytes of a step as a question states it. Raises SurveyError where such a step cannot run."""
Judge = Callable[[Question], Question]
"""Gives a question the error of predictions in its own setting."""


@dataclass(frozen=True, eq=False)
class Way:
    """One thing to change."""

    words: str
    """As it is typed: `checkpointing full`."""
    cost: str
    """What it costs whoever trains."""
    fields: Mapping[str, Any]
    """Fields of the setting, or the batch or length, with their new values."""

    def of(self, question: Question) -> Question | None:
        """The question with this changed; None where it is so already, or cannot be."""
        rest = dict(self.fields)
        own = {name: rest.pop(name) for name in ("batch", "length") if name in rest}
        try:
            training = Training.model_validate({**question.training.model_dump(), **rest})
        except ValidationError:  # it cannot be combined with the rest of the setting
            return None
        changed = replace(question, training=training, **own)
        return None if changed == question else changed


FREE = "costs nothing"
_WAYS = (
    Way("attention sdpa", FREE, {"attention": "sdpa"}),
    Way("optimizer adamw-fused", FREE, {"optimizer": "adamw-fused"}),
    Way("no-keep-cache", FREE, {"keep_cache": False}),
    Way("loss chunked", "needs a trainer or kernels that have it", {"loss": "chunked"}),
    Way(
        "kernels liger and loss chunked", "needs Liger's kernels for the model", {"loss": "chunked", "kernels": "liger"}
    ),
    Way("checkpointing full", "about a third more compute", {"checkpointing": "full"}),
    Way("adapter-dtype bfloat16", "coarser updates", {"adapter_dtype": "bfloat16"}),
    Way("optimizer adamw-8bit", "moments rounded to 8 bits", {"optimizer": "adamw-8bit"}),
    Way("dtype bfloat16", "coarser weights and updates", {"dtype": "bfloat16", "autocast": False}),
    Way("base-bits 4", "rounded base weights, slower", {"base_bits": 4, "double_quant": True}),
)
"""What could be changed in a setting, the cheapest first."""
_MORE_DEVICES = tuple(
    Way(f"devices {n} and shard fsdp", f"{n} GPUs", {"devices": n, "shard": "fsdp"}) for n in (2, 4, 8)
)
_PAIRS = 8
"""Pairs that are traced, those that should save most first."""
_BEST = 3
"""Single changes that are shown where none is enough."""


@dataclass(frozen=True)
class Change:
    """One or more things changed, and the peak then."""

    ways: tuple[Way, ...]
    peak: int
    standing: Standing

    @property
    def words(self) -> str:
        """As they are typed."""
        return " and ".join(way.words for way in self.ways)

    @property
    def cost(self) -> str:
        """What they cost."""
        return ", ".join(dict.fromkeys(way.cost for way in self.ways))


@dataclass(frozen=True)
class Options:
    """What could be done with a configuration."""

    changes: tuple[Change, ...]
    """Those that make it fit, the cheapest first, then those that make it tight; where no single one does but to cut texts,
    several together too, and where none helps so far, those that help most."""
    largest_batch: int
    """At the length that is asked for; 0: not even one example fits."""
    largest_length: int
    """At the batch that is asked for."""
    code: str | None = None
    """Python that trains so."""


def options(question: Question, peak: Peak, judge: Judge) -> Options:
    """Trace what could be done, whether it fits as it was asked or not."""
    batch, length = largest(question, peak, "batch"), largest(question, peak, "length")
    if question.standing(peak(question)) == "fits":
        return Options((), batch, length)
    return Options(_changes(question, peak, judge, batch, length), batch, length)


def _changes(question: Question, peak: Peak, judge: Judge, batch: int, length: int) -> tuple[Change, ...]:
    before = peak(question)

    def tried(*ways: Way) -> Change | None:
        changed: Question | None = question
        for way in ways:
            changed = None if changed is None else way.of(changed)
        try:
            after = math.inf if changed is None else peak(changed)
        except SurveyError:  # the method, or the model, cannot be trained so
            return None
        if changed is None or after > before * _SAVES:
            return None
        return Change(ways, int(after), judge(changed).standing(int(after)))

    def fitting(changes: Iterable[Change | None]) -> Change | None:
        return next((change for change in changes if change is not None and change.standing == "fits"), None)

    smaller = []
    if 0 < batch < question.batch:
        smaller.append(Way(f"batch {batch}", "more steps for as many examples", {"batch": batch}))
    if 0 < length < question.length:
        smaller.append(Way(f"length {length}", "longer texts are cut", {"length": length}))
    singles = [change for way in (*_WAYS, *smaller) if (change := tried(way)) is not None]
    shown = [change for word in ("fits", "tight") for change in singles if change.standing == word]
    if any(change.standing == "fits" and "length" not in change.ways[0].fields for change in shown):
        return tuple(shown)
    if question.batch > 1 and (change := tried(Way("batch 1", "more steps for as many examples", {"batch": 1}))):
        singles.append(change)
    saved = {change.ways[0]: before - change.peak for change in singles if "length" not in change.ways[0].fields}
    pairs = sorted(combinations(saved, 2), key=lambda pair: saved[pair[0]] + saved[pair[1]], reverse=True)
    promising = [pair for pair in pairs[:_PAIRS] if _differ(pair)]
    together = fitting(tried(*pair) for pair in promising) or fitting(tried(way) for way in _MORE_DEVICES)
    best = shown or sorted(singles, key=lambda change: change.peak)[:_BEST]
    if together is not None:
        return tuple(sorted((*best, together), key=lambda change: STANDINGS.index(change.standing)))
    every: tuple[Way, ...] = ()
    for way in sorted(saved, key=lambda way: saved[way], reverse=True):
        every = (*every, way) if _differ((*every, way)) else every
    together = tried(*every) if len(every) > 1 else None
    return tuple(best) if together is None else (*best, together)


def _differ(ways: Iterable[Way]) -> bool:
    """Whether no two of the ways change the same field."""
    names = [name for way in ways for name in way.fields]
    return len(names) == len(set(names))


def largest(question: Question, peak: Peak, name: Literal["batch", "length"]) -> int:
    """The largest batch or length that fits, the rest being as it was asked; lengths are looked for in steps of 64.

    What it answers was traced, and fits. Peaks are nearly polynomials of at most second degree in either, so that a guess
    from three traces is soon exact. 0: not even the smallest fits.
    """
    step, most = (1, MOST_BATCH) if name == "batch" else (_STEP, MOST_LENGTH // _STEP)
    known: dict[int, float] = {}

    def fits(n: int) -> bool:
        if n not in known:
            asked = replace(question, batch=n) if name == "batch" else replace(question, length=n * step)
            try:
                known[n] = float(question.high(peak(asked)))
            except SurveyError:  # the model has no so many positions
                known[n] = math.inf
        return known[n] <= question.room

    low, high, guess = 0, most + 1, max(1, getattr(question, name) // step)
    for _ in range(_TRACES):
        if fits(guess):
            low = max(low, guess)
        else:
            high = min(high, guess)
        if high - low <= 1:
            break
        guess = 1 if 1 not in known else _guess(known, low, high, question.room)
    return low * step


def _guess(known: Mapping[int, float], low: int, high: int, room: float) -> int:
    """Where the curve through the known points that are nearest to the bounds reaches the room, strictly between these."""
    finite = [n for n, value in known.items() if math.isfinite(value)]
    near = sorted(finite, key=lambda n: min(abs(n - low), abs(n - high)))[:3]
    if len(near) < 2:
        return min(2 * low, (low + high) // 2) if low else (low + high) // 2
    below, above = low, high
    while above - below > 1:
        middle = (below + above) // 2
        below, above = (middle, above) if _curve(known, near, middle) <= room else (below, middle)
    if above == high and known.get(high) == math.inf:  # what bounds it is not memory
        return (low + high) // 2
    return max(below, low + 1)


def _curve(known: Mapping[int, float], through: Sequence[int], at: int) -> float:
    """The polynomial through some known points, by Lagrange's formula."""
    return sum(known[n] * math.prod((at - other) / (n - other) for other in through if other != n) for n in through)
