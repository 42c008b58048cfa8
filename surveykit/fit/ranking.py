"""Which candidates fit, best first, and why. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from surveykit.errors import SurveyError, nearest
from surveykit.fit.candidates import Candidate, Question
from surveykit.recipes.base import OVERHEAD_KINDS

Standing = Literal["fits", "tight", "does not fit"]
STANDINGS: tuple[Standing, ...] = ("fits", "tight", "does not fit")
RULE = (
    "first what fits, then what is tight; within these by the score in the survey's experiment, those that it did not "
    "run after those that it did; then by peak memory"
)


@dataclass(frozen=True)
class Choice:
    """A candidate in its place."""

    candidate: Candidate
    standing: Standing


def standing(peak: int, question: Question) -> Standing:
    """Whether a predicted peak fits: clearly, within the error of such predictions, or not."""
    if peak * (1 + question.margin) <= question.memory:
        return "fits"
    return "tight" if peak * (1 - question.margin) <= question.memory else "does not fit"


def largest_batch(low: int, high: int, batch: int, question: Question) -> int:
    """Largest batch that fits clearly, given the peaks at batch 1 and at `batch`; 0 if not even one example does.

    A peak is the highest of amounts that are affine in the batch, hence never above the line between the two.
    """
    return max(
        (n for n in range(1, batch) if standing(_between(low, high, n, batch), question) == "fits"),
        default=0,
    )


def _between(low: int, high: int, n: int, batch: int) -> int:
    return low + (high - low) * (n - 1) // (batch - 1)


def overhead_kinds(canonical: str) -> frozenset[str]:
    """Kinds of overhead in `none`, `ffn`, `ffn+input`…

    Raises:
        SurveyError: there is no such kind.
    """
    kinds = frozenset(canonical.lower().split("+")) - {"none"}
    for kind in sorted(kinds - set(OVERHEAD_KINDS)):
        allowed = ("none", *OVERHEAD_KINDS)
        raise SurveyError(f"'{kind}' is no kind of overhead ({', '.join(allowed)}){nearest(kind, allowed)}")
    return kinds


def allowed(overhead: str, overhead_merged: str, question: Question) -> bool:
    """Whether an inference overhead, with edits beside the weights and merged, is what is asked for."""
    if question.max_overhead is None:
        return True
    return overhead_kinds(overhead_merged if question.merge else overhead) <= question.max_overhead


def rank(candidates: Iterable[Candidate], question: Question) -> tuple[Choice, ...]:
    """Candidates whose overhead is allowed, in the order of `RULE`."""
    choices = [
        Choice(c, standing(c.parts.peak, question))
        for c in candidates
        if allowed(c.overhead, c.overhead_merged, question)
    ]

    def place(choice: Choice) -> tuple[int, bool, float, int, str]:
        c = choice.candidate
        score = c.evidence.score
        return STANDINGS.index(choice.standing), score is None, -(score or 0.0), c.parts.peak, c.configuration

    return tuple(sorted(choices, key=place))


def best_scored(choices: Sequence[Choice]) -> Choice | None:
    """Of all that fit at the batch that is asked for or a smaller one, the one with the highest score in the survey's
    experiment."""
    scored = [
        choice
        for choice in choices
        if choice.candidate.evidence.score is not None
        and (choice.standing != "does not fit" or choice.candidate.batch_that_fits)
    ]
    return max(scored, key=lambda c: c.candidate.evidence.score or 0.0, default=None)
