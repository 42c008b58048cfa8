"""The page "Will it fit?": a calculator over what is recorded, and its answer to one question, rendered here.

The script recomputes the same answer for other questions: `site/docs/assets/fit.js` writes the rows and sentences that
this module and `surveykit.fit.words` write, and a test compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import indent
from typing import Any

from markupsafe import Markup

from surveykit.catalog.training import SURVEYS, Training
from surveykit.database.reading import Reader
from surveykit.fit import words
from surveykit.fit.accuracy import LIMIT_PERCENT, Accuracy
from surveykit.fit.candidates import Candidate, Question
from surveykit.fit.errors import ALLOCATOR_PERCENT, DRIVER_CONTEXT, PredictionError
from surveykit.fit.evidence import table5_error
from surveykit.fit.ranking import Choice, rank
from surveykit.fit.recorded import LARGEST_BATCH, WIDTHS, Recorded, fitted_backbones, recorded
from surveykit.site.text.markdown import Cell, code, inert, table
from surveykit.site.text.words import OVERHEADS, listed, overhead_words

FIT = "fit.md"
EXAMPLE = {"model": "t5-3b", "memory": 24, "batch": 8, "length": 512, "dtype": "bfloat16", "merge": True}
"""The question that the page answers before anybody asks another one."""
_SCALE = 1.5
"""Widest bar, in memories of the GPU."""
_BADGES = {"fits": "match", "tight": "partly", "does not fit": "unresolved"}


def fit_context(reader: Reader, accuracy: Accuracy | None = None) -> dict[str, Any]:
    """What the page shows. Without recorded memory there is nothing to calculate, and it says so.

    Args:
        accuracy: how far the figures are from direct traces, where it was measured.
    """
    known = {b.id: (b.name, rows) for b in fitted_backbones(reader) if (rows := recorded(reader, b.id))}
    if not known:
        return {"known": False, "parts": {}}
    example = EXAMPLE | {"model": EXAMPLE["model"] if EXAMPLE["model"] in known else next(iter(known))}
    compared = {b.id: table5_error(reader, b.parameters) for b in fitted_backbones(reader) if b.id in known}
    question = question_of(example, compared[str(example["model"])])
    name, rows = known[str(example["model"])]
    choices = rank((row.at(question) for row in rows), question)
    return {
        "known": True,
        "example": example,
        "backbone": name,
        "backbones": [(identifier, name) for identifier, (name, _) in known.items()],
        "headline": words.headline(choices, question) if choices else words.nothing_left(question, len(rows), ()),
        "advice": words.advice(choices, question),
        "setting": words.setting(question),
        "score_on": next((row.candidate.evidence.score_on for row in rows if row.candidate.evidence.score_on), "a T5"),
        "margin": words.margin(question),
        "assumptions": words.assumptions(),
        "parts": {"rows": Markup("\n").join(row_html(choice, question) for choice in choices)},
        "data": inert(_data(known, example, compared)),
        "largest_batch": LARGEST_BATCH,
        "lengths": listed(str(m.length) for m in reader.all("SELECT DISTINCT length FROM memory_use ORDER BY length")),
        "accuracy": _accuracy(reader, accuracy) if accuracy else None,
    }


def _accuracy(reader: Reader, measured: Accuracy) -> dict[str, Any]:
    """The errors in words and as a table, a line for each backbone and setting."""
    names = {b.id: b.name for b in reader.all("SELECT id, name FROM backbone")}
    settings = measured.settings
    rows: list[list[Cell]] = [
        [
            names.get(at.backbone, at.backbone), str(at.batch), str(at.length), str(at.figures), f"{at.mean_percent:.1f}",
            str(at.below_limit), f"{at.largest_percent:.1f}", code(at.largest_of),
        ]
        for at in settings
    ]  # fmt: skip
    heads = ["Backbone", "Batch", "Length", "Traces", "Mean, %", f"Below {LIMIT_PERCENT} %", "Largest, %", "Of"]

    def largest(batches: range) -> str | None:
        at = measured.largest(batches)
        if at is None:
            return None
        return f"{at.largest_percent:.1f} % ({at.largest_of} on {names.get(at.backbone, at.backbone)})"

    return {
        "measured": measured,
        "figures": f"{measured.figures:,}",
        "on": listed(dict.fromkeys(names.get(at.backbone, at.backbone) for at in settings)),
        "settings": len({(at.batch, at.length) for at in settings}),
        "batches": (min(at.batch for at in settings), max(at.batch for at in settings)),
        "lengths": (min(at.length for at in settings), max(at.length for at in settings)),
        "limit": LIMIT_PERCENT,
        "at_one": largest(range(1, 2)),
        "from_two": largest(range(2, LARGEST_BATCH + 1)),
        "table": Markup('??? note "Setting by setting"\n\n') + Markup(indent(table(heads, rows, "lrrrrrrl"), "    ")),
    }


def question_of(setting: dict[str, Any], compared: PredictionError | None) -> Question:
    """The question that the form asks, in the survey's setting."""
    return Question(
        memory=int(setting["memory"]) * 10**9, batch=setting["batch"], length=setting["length"],
        setting="survey", training=_run(setting["dtype"]), merge=setting["merge"],
        max_overhead=frozenset() if setting["merge"] else None, error=compared,
    )  # fmt: skip


def _run(dtype: str) -> Training:
    return SURVEYS.model_copy(update={"dtype": dtype})


def row_html(choice: Choice, question: Question) -> Markup:
    """A row of the table: one line of HTML, which holds no text that was not escaped."""
    c, e = choice.candidate, choice.candidate.evidence
    page = f"methods/{c.configuration.partition('/')[0]}.md"
    mark = Markup(' <span class="absent">reconstruction</span>') if c.is_reconstruction else ""
    merged = c.overhead_merged if question.merge else c.overhead
    flops = c.merged_flops_percent if question.merge else c.flops_percent
    evaluated = {True: "yes", False: "no", None: "not stated"}[e.evaluated]
    left = f"{overhead_words(merged)}{f', {flops:.1f} % FLOPs' if flops >= 0.05 else ''}"
    printed = "–" if e.memory_gb is None else Markup('<a href="survey/memory.md">{}</a>').format(f"{e.memory_gb:.1f}")
    cells = (
        Markup('<a href="{}">{}</a><br><code>{}</code>{}').format(page, c.name, c.configuration, mark),
        Markup('<span class="outcome {}">{}</span>').format(_BADGES[choice.standing], choice.standing),
        _bar(c, question),
        Markup("{}").format(c.batch_that_fits if (c.batch_that_fits or 0) < LARGEST_BATCH else f"{LARGEST_BATCH} or more"),
        _trained(c, page),
        Markup("{}").format(_stored(c.stored_bytes)),
        Markup('<a href="{}#costs">{}</a>').format(page, left),
        _score(c),
        Markup("{}").format(printed),
        Markup('<a href="survey/tables-1-2.md">{}</a>').format(evaluated),
    )  # fmt: skip
    return Markup("<tr><td>{}</td></tr>").format(Markup("</td><td>").join(cells))


def _bar(c: Candidate, question: Question) -> Markup:
    """The peak as a bar of its parts; the line is the GPU's memory."""
    parts = c.parts
    label = f"weights {_gb(parts.weights)}, optimizer state {_gb(parts.optimizer)}, gradients and activations {_gb(parts.passing)}"
    left, pieces = 100.0, []
    for kind, size in (("weights", parts.weights), ("optimizer", parts.optimizer), ("passing", parts.passing)):
        width = min(left, 100 * size / (_SCALE * question.memory))
        left -= width
        pieces.append(Markup('<i class="{}" style="width:{}%"></i>').format(kind, f"{width:.1f}"))
    return Markup('<span class="fit-bar" role="img" aria-label="{0}" title="{0}">{1}</span> {2}').format(
        label, Markup("").join(pieces), _gb(parts.peak)
    )


def _trained(c: Candidate, page: str) -> Markup:
    own = Markup('<a href="{}#configurations">{}</a>').format(page, words.percent(c.trainable_percent))
    if c.trainable_last_stage == c.trainable:
        return own
    last = words.percent(c.trainable_last_stage_percent)
    return own + Markup('<br><span class="absent">{} in the last stage</span>').format(last)


def _score(c: Candidate) -> Markup:
    e = c.evidence
    if e.score is None:
        return Markup("not run")
    below = [f"as {e.score_of}"] if e.score_of else []
    below += [f"doubtful: {e.score_caveat}"] if e.score_caveat else []
    said = Markup("").join(Markup('<br><span class="absent">{}</span>').format(line) for line in below)
    return Markup('<a href="survey/table-4.md">{}</a>{}').format(f"{e.score:.1f}", said)


def _gb(size: float) -> str:
    return f"{size / 1e9:.1f} GB"


def _stored(size: int) -> str:
    for unit, factor in (("kB", 1e3), ("MB", 1e6)):
        if size < 500 * factor:
            return f"{size / factor:.1f} {unit}"
    return f"{size / 1e9:.1f} GB"


def _data(
    known: dict[str, tuple[str, list[Recorded]]],
    example: dict[str, Any],
    compared: Mapping[str, PredictionError | None],
) -> dict[str, Any]:
    """What the script reads. Numbers of a memory are those of `Scaling.numbers`."""
    asked = {identifier: question_of(example, found) for identifier, found in compared.items()}
    return {
        "example": example,
        "errors": {i: [e.low_percent, e.high_percent] if e else [0, ALLOCATOR_PERCENT] for i, e in compared.items()},
        "run": {dtype: words.run(_run(dtype)) for dtype in WIDTHS},
        "context": DRIVER_CONTEXT,
        "margins": {identifier: words.margin(question) for identifier, question in asked.items()},
        "largestBatch": LARGEST_BATCH,
        "overheads": OVERHEADS,
        "rows": {identifier: [_row(row) for row in rows] for identifier, (_, rows) in known.items()},
    }


def _row(row: Recorded) -> dict[str, Any]:
    c, e = row.candidate, row.candidate.evidence
    return {
        "configuration": c.configuration,
        "name": c.name,
        "reconstruction": c.is_reconstruction,
        "trained": c.trainable_percent,
        "trainedLast": None if c.trainable_last_stage == c.trainable else c.trainable_last_stage_percent,
        "stored": c.stored_bytes,
        "overhead": [c.overhead, c.overhead_merged],
        "flops": [round(c.flops_percent, 6), round(c.merged_flops_percent, 6)],
        "score": e.score,
        "scoreOn": e.score_on,
        "scoreOf": e.score_of,
        "scoreCaveat": e.score_caveat,
        "printed": e.memory_gb,
        "printedBatch": e.memory_batch,
        "evaluated": e.evaluated,
        "memory": {dtype: _short(row.scalings[dtype].numbers()) for dtype in WIDTHS},
    }


def _short(numbers: tuple[float, ...]) -> list[float | int]:
    return [int(n) if n == int(n) else n for n in numbers]
