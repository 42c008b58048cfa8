"""The answer in sentences: the same for the command line and for the site."""

from __future__ import annotations

from collections.abc import Sequence

from surveykit.fit.candidates import Candidate, Question
from surveykit.fit.ranking import RULE, Choice, best_scored
from surveykit.fit.sizes import gigabytes


def headline(choices: Sequence[Choice], question: Question) -> str:
    """How many fit, in a sentence."""
    if not choices:
        return f"No method leaves so little at inference ({_condition(question)})."
    counts = {word: sum(c.standing == word for c in choices) for word in ("fits", "tight")}
    what = f" with {_condition(question)}" if question.max_overhead is not None else ""
    total = f"Of {len(choices)} configurations{what}, {counts['fits']}"
    text = f"{total} {'fits' if counts['fits'] == 1 else 'fit'} in {gigabytes(question.memory)}"
    return f"{text} and {counts['tight']} {'is' if counts['tight'] == 1 else 'are'} tight."


def advice(choices: Sequence[Choice], question: Question) -> tuple[str, ...]:
    """What to use and why: what has the highest score among all that fit at some batch, and the first in the ranking."""
    if not choices:
        return ()
    found = []
    first, best = choices[0], best_scored(choices)
    if best is not None:
        found.append(f"Highest score in the survey's experiment: {_described(best, question)}.")
    if first.standing != "does not fit" and first is not best:
        found.append(f"First in the ranking: {_described(first, question)}.")
    return tuple(found)


def _described(choice: Choice, question: Question) -> str:
    c = choice.candidate
    left = c.overhead_merged if question.merge else c.overhead
    merged = " once merged" if question.merge else ""
    at = f", and fits at batch {c.batch_that_fits}" if c.batch_that_fits and choice.standing != "fits" else ""
    overhead = f"no inference overhead{merged}" if left == "none" else f"inference overhead{merged}: {left}"
    score = score_words(c)
    return (
        f"{c.name} ({c.configuration}) {_stands(choice)} with a peak of {gigabytes(c.parts.peak)}{at}; "
        f"it trains {percent(c.trainable_percent)} % of the model; {overhead}; {score}"
    )


def percent(value: float) -> str:
    """A percentage with the digits that tell something."""
    if value >= 99.5:
        return f"{value:.0f}"
    if value >= 0.095:
        return f"{value:.2f}"
    return f"{value:.4f}" if value >= 0.00095 else f"{value:.6f}"


def _stands(choice: Choice) -> str:
    return "is tight" if choice.standing == "tight" else choice.standing


def score_words(candidate: Candidate) -> str:
    """Its score in the survey's experiment."""
    e = candidate.evidence
    if e.score is None:
        return "the survey did not run it"
    other = f" (run as {e.score_of})" if e.score_of else ""
    return f"score {e.score:.1f} on {e.score_on}{other}"


def _condition(question: Question) -> str:
    kinds = "+".join(sorted(question.max_overhead or ())) or "none"
    most = "no inference overhead" if kinds == "none" else f"at most {kinds} as inference overhead"
    return f"{most} once merged" if question.merge else most


def setting(question: Question) -> str:
    """The question's own figures."""
    return (
        f"Setting: batch {question.batch}, inputs of {question.length} positions, targets of {question.target_length} "
        f"(where there is a decoder behind an encoder), {question.dtype} for weights, gradients, activations and "
        "optimizer state alike."
    )


def assumptions(question: Question) -> tuple[str, ...]:
    """What every figure rests on, whatever the setting."""
    if question.error_percent is None:
        margin = "Predictions were not compared with the survey's Table 5 here, so no margin is kept."
    else:
        margin = (
            f"The mean error of such predictions against the memory that the survey's Table 5 prints is "
            f"{question.error_percent:.0f} %: it fits if the peak fits with that margin, and is tight if the answer lies "
            "within it."
        )
    return (
        "AdamW with two moments, eager attention, dropout on, no activation checkpointing, nothing offloaded. The peak is "
        "that of live tensors in the stage that needs most: nothing is allowed for fragmentation or the CUDA context.",
        "A decoder alone has its loss at every position; an encoder alone is traced without a head for a task.",
        "Parts are each at their highest; what else is live at the peak, less what of them is not live then, is the rest.",
        margin,
        f"Ranking: {RULE}.",
        "Scores: means over RTE, COPA, BoolQ and CNN/Daily Mail, recomputed from the survey's Appendix B for the T5 that "
        "is nearest in size; they say nothing certain about another model or task. Evaluated: whether Table 2 says so for "
        "this size of model.",
    )
