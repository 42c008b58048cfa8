"""Methods side by side: the same cells for the page's first comparison and, as data, for the one that a reader picks."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, NamedTuple

from surveykit import formula
from surveykit.catalog.dimensions import from_row
from surveykit.database.reading import Reader
from surveykit.site.data.judged import Judged, judged_figure
from surveykit.site.data.method_columns import COLUMNS
from surveykit.site.data.method_table import Measured, evidence
from surveykit.site.pages.configurations import equation
from surveykit.site.pages.raw_results import caveat_words
from surveykit.site.text import numbers
from surveykit.site.text.snippets import Snippet
from surveykit.site.text.verdict_tables import verdict_anchor, verdicts
from surveykit.site.text.words import FAMILIES, LIBRARIES, words

DEFAULT = ("lora", "ia3", "adapters", "prompt-tuning")
"""What the page compares before anything is picked."""
BACKBONE = "t5-large"
"""The backbone whose numbers fill the formulas."""


class Piece(NamedTuple):
    """A run of text within a cell."""

    text: str
    kind: str = ""
    """Class of the style sheet; `code` for the typeface of code."""
    anchor: str = ""
    """Where the method's page has its evidence."""
    title: str = ""


Line = tuple[Piece, ...]
Cell = tuple[Line, ...]


class Row(NamedTuple):
    """One property of all methods."""

    section: str
    head: str
    cells: dict[str, Cell]
    """By method; a method that has none is left out."""
    column: str = ""
    """The column of the table whose measurement on another model the script can show here."""


def comparison_rows(reader: Reader, methods: list[Any], measured: Measured) -> list[Row]:
    """Every row of the comparison, with the cells of all methods.

    Args:
        methods: rows of the table of methods, by `method_rows`.
        measured: what their measured columns are of.
    """
    experiment = reader.all("SELECT * FROM backbone WHERE id IN (SELECT backbone FROM table5) ORDER BY parameters")
    rows = [*_portraits(reader, methods), *_columns(methods, measured), *_formulas(reader)]
    return [row for row in [*rows, *_experiment(reader, experiment)] if row.cells]


def _portraits(reader: Reader, methods: list[Any]) -> Iterator[Row]:
    texts = {m.id: m for m in reader.all("SELECT id, idea, tradeoff FROM method")}
    family: dict[str, Cell] = {m.id: (_plain(f"{words(m.family, FAMILIES)}, {m.year}"),) for m in methods}
    yield Row("In words", "Family, year", family)
    yield Row("In words", "Idea", {key: (_plain(m.idea),) for key, m in texts.items()})
    yield Row("In words", "Trade-off", {key: (_plain(m.tradeoff),) for key, m in texts.items()})


def _plain(text: str) -> Line:
    return (Piece(text),)


def claims_on(model: str) -> str:
    """Head of the section whose figures are of one model."""
    return f"Claims and measurements on {model}"


def _columns(methods: list[Any], measured: Measured) -> Iterator[Row]:
    """The columns of the table: claimed and measured, a line each, and the verdict of the printed cell."""
    for column in COLUMNS:
        if column.key in ("name", "family", "year", "figures"):
            continue
        cells: dict[str, Cell] = {}
        for m in methods:
            lines: list[Line] = []
            for source in column.sources():
                anchor = evidence(column, source, m) or ""
                text = Piece(getattr(column, source)(m).text, anchor=anchor)
                judged = m.verdicts.get(anchor) if source == "measured" else None
                if judged is not None and judged.figure != numbers.ABSENT:
                    lines.append(_judged(judged, anchor))
                    if judged.usual:  # the two are one figure
                        continue
                lines.append((Piece(f"{source} ", "source"), text) if len(column.sources()) == 2 else (text,))
            cells[m.id] = tuple(lines)
        changing = column.key if column.measured is not None and column.on_model else ""
        yield Row(claims_on(measured.models[0].name), column.head, cells, changing)


def _judged(judged: Judged, anchor: str) -> Line:
    """A verdict with the figure that it judged, and what that figure is of where it is not the default on T5-Large."""
    of = "" if judged.usual else f" ({judged.of})"
    badge = Piece(judged.word, f"outcome {judged.verdict}", anchor, judged.tip)
    return (Piece(f"{judged.label} ", "source"), Piece(judged.figure, anchor=anchor), Piece(f"{of} "), badge)


def _formulas(reader: Reader) -> Iterator[Row]:
    backbone = reader.all("SELECT * FROM backbone WHERE id = ?", BACKBONE)
    configured: dict[str, Cell] = {}
    written: dict[str, Cell] = {}
    filled: dict[str, Cell] = {}
    for c in reader.all("SELECT * FROM configuration WHERE is_default"):
        let = json.loads(c.formula_let)
        anchor = f"configuration-{c.id.split('/')[1]}"
        configured[c.method] = ((Piece(c.name, anchor=anchor),),)
        definitions = [f"{name} = {text}" for name, text in let.items()]
        written[c.method] = tuple((Piece(text, "code"),) for text in [*definitions, c.formula_trainable])
        for b in backbone:
            symbols = formula.bind(let, from_row(b).symbols())
            filled[c.method] = ((Piece(equation(c.formula_trainable, symbols), "code"),),)
    yield Row("Formula of the trainable parameters", "Configuration", configured)
    yield Row("Formula of the trainable parameters", "Formula", written)
    yield Row("Formula of the trainable parameters", "With the numbers of T5-Large", filled)


def _experiment(reader: Reader, backbones: list[Any]) -> Iterator[Row]:
    for b in backbones:
        section = f"The survey's experiment on {b.name}"
        scores: dict[str, list[Line]] = {}
        for s in reader.all("SELECT * FROM table4_recomputed WHERE backbone = ? ORDER BY datasets DESC, method", b.id):
            found = (
                f"{numbers.score(s.score_mean)} ± {numbers.score(s.score_std)}"
                if s.score_mean is not None
                else f"no mean: {s.datasets} of 4 datasets"
            )
            mark = (Piece("*", "caveat", title=caveat_words(s)), Piece(f" {caveat_words(s)}")) if s.caveat else ()
            scores.setdefault(s.method_id, []).append((Piece(f"{s.method}: ", "source"), Piece(found), *mark))
        yield Row(section, "Score, recomputed from Appendix B", {m: tuple(lines) for m, lines in scores.items()})
        printed = reader.all("SELECT * FROM table5 WHERE backbone = ? ORDER BY lower(row_label)", b.id)
        judged = [row for row in verdicts(reader) if row.backbone == b.id]
        yield Row(section, "Trainable parameters, printed", _by_method(judged, _parameters))
        predicted = reader.all("SELECT * FROM table5_memory WHERE is_best_setting AND backbone = ?", b.id)
        by_row = {p.row_label: p.predicted_gb for p in predicted}
        for row in printed:
            row.predicted_gb = by_row.get(row.row_label)
        yield Row(section, "Memory, printed", _by_method(printed, _gigabytes))
        yield Row(section, "Throughput, printed (full tuning = 100)", _by_method(printed, _throughput))


def _by_method(rows: list[Any], write: Callable[[Any], Line]) -> dict[str, Cell]:
    cells: dict[str, list[Line]] = {}
    for row in rows:
        if pieces := write(row):
            cells.setdefault(row.method, []).append((Piece(f"{row.row_label}: ", "source"), *pieces))
    return {method: tuple(lines) for method, lines in cells.items()}


def _parameters(row: Any) -> Line:
    """Both printed figures of a row, each with our count and the verdict on the two."""
    pieces: list[Piece] = []
    for column, unit in (("params_millions", "M"), ("params_percent", "%")):
        v = row.cells.get(column)
        if v is None:
            continue
        judged, anchor = judged_figure(v), verdict_anchor(v)
        pieces.append(Piece(f"{v.printed} {unit}, counted {judged.figure} "))
        pieces.append(Piece(judged.word, f"outcome {judged.verdict}", anchor, judged.tip))
        pieces.append(Piece("; "))
    return tuple(pieces[:-1])


def _gigabytes(row: Any) -> Line:
    if row.ram_gb_printed is None:
        return ()
    guess = "" if row.predicted_gb is None else f" (predicted {row.predicted_gb:.1f})"
    return (Piece(f"{row.ram_gb_printed} GB{guess}"),)


def _throughput(row: Any) -> Line:
    train, infer = row.throughput_train_printed, row.throughput_infer_printed
    return (
        (Piece(f"{train or numbers.ABSENT} training, {infer or numbers.ABSENT} inference"),) if train or infer else ()
    )


def code_blocks(found: list[Snippet]) -> list[Any]:
    """A method's snippets, each with a title in words and its notes."""
    return [
        SimpleNamespace(
            title=words(s.library, LIBRARIES) + (f": {s.configuration_name}" if s.configuration_name else ""),
            code=s.code,
            notes=list(s.notes),
        )
        for s in found
    ]
