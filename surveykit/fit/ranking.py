"""Which candidates fit, best first, and why. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from surveykit.catalog.training import SURVEYS
from surveykit.errors import SurveyError, nearest
from surveykit.fit.candidates import STANDINGS, Candidate, Evidence, Question, Standing
from surveykit.fit.options import Options
from surveykit.recipes.base import OVERHEAD_KINDS

RULE = (
    "first what fits, then what is tight, then what does not fit; within these by the score in the survey's experiment, "
    "those that it did not run, or whose score is doubtful, after those that it did; then by peak memory"
)


@dataclass(frozen=True)
class Choice:
    """A candidate in its place."""

    candidate: Candidate
    standing: Standing
    options: Options | None = None
    """What else could be done; None where it was not traced."""

    @property
    def can_be_trained(self) -> bool:
        """Whether it fits, or may, at the batch that is asked for or a smaller one."""
        return self.standing in ("fits", "tight") or bool(self.candidate.batch_that_fits)


def standing(peak: int, question: Question, evidence: Evidence | None = None) -> Standing:
    """Whether a predicted peak fits. Where Table 5 prints more than the memory for the configuration on this model, at no
    larger batch, it is tight at best."""
    found = question.standing(peak)
    return "tight" if found == "fits" and evidence is not None and printed_exceeds(evidence, question) else found


def printed_exceeds(evidence: Evidence, question: Question) -> bool:
    """Whether Table 5 prints more than the memory for this configuration on this model, at no larger batch, where the
    setting is the survey's."""
    measured, batch = evidence.memory_gb, evidence.memory_batch
    if measured is None or batch is None or question.training.differences(SURVEYS).keys() - {"dtype"}:
        return False
    return batch <= question.batch and measured * 1e9 > question.memory


def largest_batch(low: int, high: int, batch: int, question: Question) -> int:
    """Largest batch that fits, given the peaks at batch 1 and at `batch`; 0 if not even one example does.

    A peak is the highest of amounts that are affine in the batch, hence never above the line between the two.
    """
    fitting = (n for n in range(1, batch) if question.standing(_between(low, high, n, batch)) == "fits")
    return max(fitting, default=0)


def with_evidence(candidate: Candidate, evidence: Evidence, question: Question) -> Candidate:
    """The same with what the survey says of it: a printed peak beyond the memory bounds the batch that fits."""
    fitting = candidate.batch_that_fits
    if printed_exceeds(evidence, question):
        smaller = (evidence.memory_batch or 1) - 1
        fitting = smaller if fitting is None else min(fitting, smaller)
    return replace(candidate, evidence=evidence, batch_that_fits=fitting)


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
        raise SurveyError(f"'{kind}' is not a kind of overhead ({', '.join(allowed)}){nearest(kind, allowed)}")
    return kinds


def allowed(overhead: str, overhead_merged: str, question: Question) -> bool:
    """Whether an inference overhead, before and after merging, is what is asked for."""
    if question.max_overhead is None:
        return True
    return overhead_kinds(overhead_merged if question.merge else overhead) <= question.max_overhead


def rank(candidates: Iterable[Candidate], question: Question) -> tuple[Choice, ...]:
    """Candidates whose overhead is allowed, in the order of `RULE`."""
    choices = [
        Choice(c, standing(c.parts.peak, question, c.evidence))
        for c in candidates
        if allowed(c.overhead, c.overhead_merged, question)
    ]

    def place(choice: Choice) -> tuple[int, bool, float, int, str]:
        c = choice.candidate
        score = c.evidence.ranked_score
        return STANDINGS.index(choice.standing), score is None, -(score or 0.0), c.parts.peak, c.configuration

    return tuple(sorted(choices, key=place))


def best_scored(choices: Sequence[Choice]) -> Choice | None:
    """Of all that can be trained at the batch that is asked for or a smaller one, the one with the highest score in the
    survey's experiment that is not doubtful."""
    scored = [
        choice for choice in choices if choice.candidate.evidence.ranked_score is not None and choice.can_be_trained
    ]
    return max(scored, key=lambda c: c.candidate.evidence.ranked_score or 0.0, default=None)
