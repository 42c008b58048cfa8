"""The answer in sentences: the same for the command line and for the site."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from surveykit.fit.candidates import Candidate, Question
from surveykit.fit.ranking import RULE, STANDINGS, Choice, best_scored, printed_exceeds
from surveykit.fit.sizes import gigabytes

SHOWN_OVER = 3
"""Contradicting figures beyond so many are counted, not listed."""


def headline(choices: Sequence[Choice], question: Question) -> str:
    """How many fit, under which assumptions, in a few sentences; what does not fit is final only where it says so."""
    counts = [sum(c.standing == word for c in choices) for word in STANDINGS]
    fit, tight, traced, never = counts
    what = f" with {condition(question)}" if question.max_overhead is not None else ""
    noun = "configuration" if len(choices) == 1 else "configurations"
    lines = [
        f"With eager attention, no activation checkpointing and AdamW, all numbers in {question.dtype}: of {len(choices)} "
        f"{noun}{what}, {fit} {'fits' if fit == 1 else 'fit'} in {gigabytes(question.memory)} and {tight} "
        f"{'is' if tight == 1 else 'are'} tight."
    ]
    if traced:
        lines.append(
            f"{traced} {'does' if traced == 1 else 'do'} not fit as traced, but may fit with another attention (SDPA, "
            f"FlashAttention) or activation checkpointing: weights, gradients and optimizer state alone take "
            f"{_least(choices)}."
        )
    if never:
        lines.append(
            f"{never} {'does' if never == 1 else 'do'} not fit whatever the attention: weights, gradients and optimizer "
            "state alone exceed the memory."
        )
    return " ".join(lines)


def nothing_left(question: Question, unwanted: int, reasons: Sequence[str]) -> str:
    """Why there is nothing to rank: the limit on overhead, the reasons of what cannot be put on the model, or both."""
    limit = f"the limit on inference overhead ({condition(question)})"
    if not reasons:
        return f"No method meets {limit}."
    told = Counter(reasons).most_common()
    why = "; ".join(reason for reason, _ in told[:2]) + (f"; and {len(told) - 2} more" if len(told) > 2 else "")
    if not unwanted:
        return f"No method can be put on this model: {why}."
    return f"No method is left: {unwanted} do not meet {limit}, {len(reasons)} cannot be put on this model: {why}."


def advice(choices: Sequence[Choice], question: Question) -> tuple[str, ...]:
    """What to use and why: what has the highest score among all that fit at some batch, and the first in the ranking; then
    what is known to contradict a prediction."""
    if not choices:
        return ()
    found = []
    first, best = choices[0], best_scored(choices)
    if best is not None:
        found.append(f"Highest score in the survey's experiment: {_described(best, question)}.")
    if first.standing in ("fits", "tight") and first is not best:
        found.append(f"First in the ranking: {_described(first, question)}.")
    return (*found, *_contradicted(choices, question))


def _contradicted(choices: Sequence[Choice], question: Question) -> tuple[str, ...]:
    """Predictions below the memory where Table 5 prints more than it, for this configuration on this model."""
    against = [
        c.candidate
        for c in choices
        if c.candidate.parts.peak <= question.memory and printed_exceeds(c.candidate.evidence, question)
    ]
    if not against:
        return ()
    figures = "; ".join(
        f"{c.configuration} {gigabytes(c.parts.peak)} predicted, {c.evidence.memory_gb:.1f} GB printed at batch "
        f"{c.evidence.memory_batch}"
        for c in against[:SHOWN_OVER]
    )
    more = f"; and {len(against) - SHOWN_OVER} more" if len(against) > SHOWN_OVER else ""
    return (f"Table 5 prints more than the memory for this very model: {figures}{more}.",)


def _least(choices: Sequence[Choice]) -> str:
    """What those that do not fit as traced hold whatever the attention: one figure, or the range."""
    sizes = [c.candidate.parts.least for c in choices if c.standing == "does not fit as traced"]
    low, high = gigabytes(min(sizes)), gigabytes(max(sizes))
    return low if low == high else f"{low} to {high}"


def _described(choice: Choice, question: Question) -> str:
    c = choice.candidate
    left = c.overhead_merged if question.merge else c.overhead
    merged = " once merged" if question.merge else ""
    at = f", and fits at batch {c.batch_that_fits}" if c.batch_that_fits and choice.standing != "fits" else ""
    overhead = f"no inference overhead{merged}" if left == "none" else f"inference overhead{merged}: {left}"
    return (
        f"{c.name} ({c.configuration}) {_stands(choice)} with a peak of {gigabytes(c.parts.peak)}{at}; "
        f"it trains {trained_words(c)}; {overhead}; {score_words(c)}"
    )


def trained_words(candidate: Candidate) -> str:
    """How much it trains, and in which stage, where stages differ."""
    most = f"{percent(candidate.trainable_percent)} % of the model"
    if candidate.trainable_last_stage == candidate.trainable:
        return most
    return f"{most} in its largest stage, {percent(candidate.trainable_last_stage_percent)} % in its last"


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
    """Its score in the survey's experiment, with what speaks against it."""
    e = candidate.evidence
    if e.score is None:
        return "the survey did not run it"
    other = f" (run as {e.score_of})" if e.score_of else ""
    doubt = f", doubtful: {e.score_caveat}" if e.score_caveat else ""
    return f"score {e.score:.1f} on {e.score_on}{other}{doubt}"


def condition(question: Question) -> str:
    """The limit on inference overhead."""
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


def margin(question: Question) -> str:
    """How far such predictions are from printed figures, of what, and what the standings make of it."""
    e = question.errors
    if e is None:
        return "Predictions were not compared with the survey's Table 5 here, so no margin is kept."
    ranked = "" if e.rank_correlation is None else f", with a rank correlation of {e.rank_correlation:.2f}"
    return (
        f"Errors: the survey's Table 5 prints peaks of {e.rows} configurations for {e.on}, at batch {e.batch}. The "
        f"predicted ones lie between {e.least:+.0f} and {e.greatest:+.0f} % of them, {e.mean_absolute:.0f} % off in the "
        f"mean{ranked}. The survey gives neither their input length (at most "
        f"512) nor their width: {e.length} positions in {e.dtype} fit its other models best. Its gigabytes may be of 2^30 "
        "bytes, 7 % more than ours. It fits if the peak fits even with the largest of these errors, and is tight if the "
        "answer lies between. All this is of T5 with eager attention: peaks published for other models with SDPA, "
        "FlashAttention or checkpointing are up to 13 times lower than such predictions."
    )


def assumptions() -> tuple[str, ...]:
    """What every figure rests on, whatever the question."""
    return (
        "AdamW with two moments, eager attention, dropout on, no activation checkpointing, no weights in 4 or 8 bits but "
        "the method's own and what the model's quantization_config says, nothing offloaded. The peak is that of live tensors in the stage that needs most: nothing is "
        "allowed for fragmentation or the CUDA context.",
        "The loss is that of the class that the configuration names: of a decoder alone, at every position. A class that "
        "makes none of labels, like an encoder without a head, has the mean magnitude of its output instead.",
        "Memory at the moment of the peak, by part: weights, optimizer state, and gradients and activations; the parts add "
        "up. The least is weights, all gradients and optimizer state, which no attention and no checkpointing changes.",
        f"Ranking: {RULE}.",
        "Scores: means over RTE, COPA, BoolQ and CNN/Daily Mail, recomputed from the survey's Appendix B for the T5 that "
        "is nearest in size; they say nothing certain about another model or task. A score is doubtful where a dataset is "
        "not above a constant prediction or may be printed as a share of 1. Evaluated: whether Table 2 says so for this "
        "size of model.",
        "Trained parameters are those of the stage that trains most. Stored bytes take 4 bytes for every number: files "
        "that keep trained base weights in 2 bytes, as PEFT's do on a bfloat16 model, are half as large.",
    )
