"""The answer in sentences: the same for the command line and for the site."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from surveykit.catalog.training import Training
from surveykit.fit.candidates import STANDINGS, Candidate, Question
from surveykit.fit.errors import DRIVER_CONTEXT
from surveykit.fit.options import MOST_BATCH, MOST_LENGTH
from surveykit.fit.ranking import RULE, Choice, best_scored, printed_exceeds
from surveykit.fit.sizes import both, gigabytes

SHOWN_OVER = 3
"""Contradicting figures beyond so many are counted, not listed."""


def headline(choices: Sequence[Choice], question: Question) -> str:
    """How many fit, under which assumptions, in a few sentences."""
    fit, tight, not_fit = (sum(c.standing == word for c in choices) for word in STANDINGS)
    what = f" with {condition(question)}" if question.max_overhead is not None else ""
    noun = "configuration" if len(choices) == 1 else "configurations"
    lines = [
        f"With {run(question.training)}: of {len(choices)} {noun}{what}, {fit} {'fits' if fit == 1 else 'fit'} in "
        f"{both(question.memory)}, {tight} {'is' if tight == 1 else 'are'} tight and {not_fit} "
        f"{'does' if not_fit == 1 else 'do'} not fit."
    ]
    never = sum(c.candidate.parts.least > question.room for c in choices)
    if never:
        lines.append(
            f"Of {never}, weights, gradients and optimizer state alone exceed the memory, whatever the attention and "
            "checkpointing."
        )
    return " ".join(lines)


def run(training: Training) -> str:
    """How a training step runs, in a few words."""
    words = [f"{training.attention} attention"]
    every = f" of one block in {training.checkpoint_every}" if training.checkpoint_every > 1 else ""
    words.append(
        "no checkpointing" if training.checkpointing == "none" else f"{training.checkpointing} checkpointing{every}"
    )
    words.append(training.optimizer)
    bits = {16: "", 8: " and 8-bit base weights", 4: " and 4-bit base weights"}[training.base_bits]
    words.append(f"{training.dtype}{bits}{' with double quantization' if training.double_quant else ''}")
    if training.adapters != training.dtype:
        words.append(f"added parameters in {training.adapters}")
    words += [
        said for said, there in {
            "autocast": training.autocast, "float32 master weights": training.master_weights,
            "dropout in adapters": training.adapter_dropout, "copies of adapter updates": training.adapter_copy, "padded batches": training.padding,
            "chunked loss": training.loss == "chunked", f"{training.kernels} kernels": training.kernels != "plain",
            "the cache kept": training.keep_cache, "inputs of 4-bit products kept": training.keep_base_inputs, "gradients accumulated": training.accumulation > 1,
            f"{training.shard} over {training.devices} GPUs": training.devices > 1,
            "the optimizer state on the host": training.offload_states,
        }.items() if there
    ]  # fmt: skip
    return ", ".join(words)


PARTS = {
    "weights": "weights", "optimizer": "optimizer state", "gradients": "gradients", "logits": "logits",
    "activations": "activations", "working": "working memory",
}  # fmt: skip
"""Parts of the peak in words."""


def _reduced_by(part: str, candidate: Candidate, training: Training) -> str:
    """What would reduce a part of the peak, beside what is done already."""
    whole = candidate.trainable_percent < 50 and candidate.parts.weights > 1.5 * candidate.model_parameters
    found = {
        "weights": {
            "4-bit base weights": training.base_bits == 16 and whole,
            "16-bit weights": training.dtype == "float32",
            "dividing them among GPUs": training.shard not in ("zero3", "fsdp"),
            "a smaller model": True,
        },
        "optimizer": {
            "an 8-bit optimizer": not training.optimizer.endswith("8bit"),
            "fewer trainable parameters": True,
        },
        "gradients": {"fewer trainable parameters": True},
        "logits": {"a chunked loss": training.loss == "plain", "fewer tokens in a batch": True},
        "activations": {
            "sdpa attention": training.attention == "eager",
            "checkpointing": training.checkpointing == "none",
            "fewer tokens in a batch": True,
        },
        "working": {"fewer tokens in a batch": True},
    }  # fmt: skip
    *others, last = (what for what, helps in found[part].items() if helps)
    return f"{', '.join(others)} or {last}" if others else last


def breakdown(candidate: Candidate, question: Question) -> tuple[str, ...]:
    """The peak with its bounds, what it is made of, and what binds."""
    peak = candidate.parts.peak
    said = [
        f"{candidate.name} ({candidate.configuration}): {both(peak)} allocated at the peak, for which the "
        f"allocator reserves about {gigabytes(question.reserved(peak))} where there is room and less where memory is short, "
        f"and {gigabytes(DRIVER_CONTEXT)} for the context of the driver beside it; low {gigabytes(question.low(peak))}, expected {gigabytes(peak)}, high "
        f"{gigabytes(question.high(peak))}."
    ]
    if candidate.compute is not None:
        said.append(
            f"Compute: {candidate.compute.percent_of_full_tuning:.0f} % of the FLOPs of a step of full tuning on the same "
            "text, in the same setting."
        )
    parts = {name: size for name, size in candidate.parts.parts.items() if size}
    if parts:
        listed = ", ".join(f"{PARTS[name]} {gigabytes(size)}" for name, size in parts.items())
        binding = max(parts, key=lambda name: parts[name])
        said.append(f"At that moment: {listed}; together {gigabytes(peak)}.")
        less = _reduced_by(binding, candidate, question.training)
        said.append(f"What binds: {PARTS[binding]}, {gigabytes(parts[binding])}; less of it: {less}.")
    return tuple(said)


def ways_out(choice: Choice, question: Question) -> tuple[str, ...]:
    """The changes that make a configuration fit, and the largest batch and length that do."""
    found = choice.options
    if found is None:
        return ()
    said, peak = [], choice.candidate.parts.peak
    name = choice.candidate.configuration
    if choice.standing != "fits":
        enough = [change for change in found.changes if change.standing == "fits"]
        if enough:
            said.append(f"What makes {name} fit, the cheapest first:")
        elif found.changes:
            said.append(f"No single change is certain to make {name} fit. These help most:")
        else:
            said.append(f"No change of the setting helps {name}: choose another method, model or GPU.")
        said += [
            f"  {change.words}: {gigabytes(peak)} → {gigabytes(change.peak)}, {change.standing} ({change.cost})"
            for change in found.changes
        ]
    batch, length = found.largest_batch, found.largest_length
    said.append(
        f"Largest batch of {name} that fits at length {question.length:,}: {batch:,}{' or more' if batch >= MOST_BATCH else ''}."
        if batch
        else f"Not even batch 1 of {name} fits at length {question.length:,}."
    )
    said.append(
        f"Longest texts that fit at batch {question.batch:,}: {length:,} tokens{' or more' if length >= MOST_LENGTH else ''}."
        if length
        else f"At batch {question.batch:,} no texts fit, however short."
    )
    return tuple(said)


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


def _described(choice: Choice, question: Question) -> str:
    c = choice.candidate
    left = c.overhead_merged if question.merge else c.overhead
    merged = " once merged" if question.merge else ""
    at = f", and fits at batch {c.batch_that_fits}" if c.batch_that_fits and choice.standing != "fits" else ""
    overhead = f"no inference overhead{merged}" if left == "none" else f"inference overhead{merged}: {left}"
    return (
        f"{c.name} ({c.configuration}) {_stands(choice)} with a peak of {both(c.parts.peak)}{at}; "
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
    devices = " on each GPU" if question.training.devices > 1 else ""
    return (
        f"Setting {question.setting}: {run(question.training)}; batch {question.batch}{devices}, inputs of "
        f"{question.length} positions, targets of {question.target_length} (where there is a decoder behind an encoder)."
    )


def margin(question: Question) -> str:
    """How far such predictions are from measured peaks, and what the standings make of it."""
    error = question.error
    said = (
        "Such predictions were not compared with published GPU runs, and 3 % are kept for the allocator."
        if error is None
        else error.sentence
    )
    return (
        f"{said} It fits if the high figure and the driver's context of {DRIVER_CONTEXT / 2**30:g} GiB fit; it is tight if "
        f"only the low figure and the context do. Where there is room, the allocator reserves {question.allocator_percent:.0f} "
        "% more than is allocated, and gives it back where there is none."
    )


def assumptions() -> tuple[str, ...]:
    """What every figure rests on, whatever the question."""
    return (
        "Dropout is on. The peak is that of live tensors in the stage that needs most.",
        "The loss is that of the class that the configuration names: of a decoder alone, at every position. A class that "
        "makes none of labels, like an encoder without a head, has the mean magnitude of its output instead.",
        "Memory at the moment of the peak, by part; the parts add up. The least is weights, all gradients and optimizer "
        "state, which no attention and no checkpointing changes.",
        f"Ranking: {RULE}.",
        "Scores: means over RTE, COPA, BoolQ and CNN/Daily Mail, recomputed from the survey's Appendix B for the T5 that "
        "is nearest in size; they say nothing certain about another model or task. A score is doubtful where a dataset is "
        "not above a constant prediction or may be printed as a share of 1. Evaluated: whether Table 2 says so for this "
        "size of model.",
        "Trainable parameters are those of the stage that trains most. Stored bytes take 4 bytes for every number: files "
        "that keep trained base weights in 2 bytes, as PEFT's do on a bfloat16 model, are half as large.",
    )
