"""The table of all methods: as Markdown that needs no script, and as data for the script that sorts and filters it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from markupsafe import Markup

from surveykit.database.reading import Reader
from surveykit.site.data.judged import Judged, cell_anchor, cells_of, word_badge
from surveykit.site.data.method_columns import ABSENT, COLUMNS, FACET_ORDER, QUICK, Column, Said
from surveykit.site.text import numbers
from surveykit.site.text.markdown import escape, joined, link, span, table
from surveykit.site.text.words import FAMILIES, OUTCOMES, STATUSES, type_words, words

INDEX = "methods/index.md"
DATA = "assets/data/methods-table.json"
ON_MODELS = "assets/data/methods-on"
"""Folder with the measurements on each other model."""
SCRIPT = "assets/js/table/main.js"
FIRST_PAGE = "assets/js/table/first-page.js"
_ADDRESS = re.compile(r"\]\([^)]*\)")
"""Of a link, which nobody sees."""
ROWS_ON_A_PAGE = 200
"""A browser takes long to lay out a table of many hundreds, so the script puts more on further pages."""


class Model(NamedTuple):
    """A model that the measured columns can be of."""

    id: str
    name: str


class Measured(NamedTuple):
    """What the measured columns are of."""

    models: list[Model]
    """Models on which most methods were traced; the first is that of the page without scripts."""
    setting: str
    """Of what is predicted, in words."""


def measured_on(reader: Reader) -> Measured:
    """The models that the reader can choose from, by their size, after the one that the view `methods` is of."""
    judging = reader.one("SELECT * FROM judging")
    models = reader.all(
        "SELECT b.id, b.name FROM backbone b LEFT JOIN method_on_backbone m ON m.backbone = b.id AND m.configuration IS NOT NULL"
        " GROUP BY b.id, b.name, b.parameters HAVING b.id = ? OR count(m.ram_gb_predicted) > count(m.id) / 2"
        " ORDER BY b.id <> ?, b.parameters, b.id",
        judging.judged_on, judging.judged_on,
    )  # fmt: skip
    setting = f"a training step at {judging.length} positions in {judging.dtype}, with the survey's batch"
    return Measured([Model(m.id, m.name) for m in models], setting)


def method_rows(reader: Reader) -> list[Any]:
    """The view `methods` in alphabetical order, each row with what the columns need beside it."""
    states = _states(reader)
    outcomes = "SELECT method, outcome, count(*) AS n FROM table5_verdict GROUP BY method, outcome"
    cells = cells_of(reader)
    rows = reader.all("SELECT * FROM methods ORDER BY lower(name), id")
    for m in rows:
        aliases = [alias.name for alias in reader.of("method", m.id, "SELECT * FROM alias ORDER BY name")]
        m.words = " ".join([m.name, m.id, *aliases, words(m.family, FAMILIES), type_words(m.type or "")]).lower()
        counts = {c.outcome: c.n for c in reader.of("method", m.id, outcomes)}
        m.figures = _figures({name: counts[name] for name in OUTCOMES if name in counts})
        m.verdicts = cells.get(m.id, {})
        _complete(m, states)
    return rows


def _states(reader: Reader) -> dict[str, dict[str, str]]:
    """Why a method has no value, in words, by method and column."""
    states: dict[str, dict[str, str]] = {}
    for a in reader.all("SELECT method, name, status FROM attribute"):
        states.setdefault(a.method, {})[a.name] = words(a.status, STATUSES)
    return states


def _complete(m: Any, states: dict[str, dict[str, str]]) -> None:
    m.states = states[m.id]
    m.ram_percent = None if m.ram_ratio is None else 100 * m.ram_ratio


def model_files(reader: Reader, measured: Measured) -> Iterator[tuple[str, bytes]]:
    """Paths and contents: what the measured columns say on each model but the first, by method and column."""
    states = _states(reader)
    columns = [column for column in COLUMNS if column.measured is not None and column.on_model]
    for model in measured.models[1:]:
        cells: dict[str, dict[str, Any]] = {}
        for m in reader.all("SELECT * FROM methods_on(?)", model.id):
            _complete(m, states)
            cells[m.id] = {column.key: _record(column.measured(m)) for column in columns if column.measured}
        yield f"{ON_MODELS}/{model.id}.json", json.dumps(cells, ensure_ascii=False, separators=(",", ":")).encode()


def _figures(counts: dict[str, int]) -> Said:
    text = ", ".join(f"{n} {words(outcome, OUTCOMES)}" for outcome, n in counts.items())
    shown = joined((Markup(f"{n} ") + word_badge(outcome) for outcome, n in counts.items()), "<br>")
    return Said(text or "none", shown=shown or span(numbers.ABSENT, "absent"))


def markdown_table(rows: list[Any], model: str) -> Markup:
    """All rows and columns. A cell with a claim and a measurement holds both; the style sheet may hide one.

    Args:
        model: name of the model that measurements are of, which heads say.
    """
    cells = [[_cell(column, m) for column in COLUMNS] for m in rows]
    align = "".join("r" if column.numeric else "l" for column in COLUMNS)
    return table([_head(column, model) for column in COLUMNS], cells, align)


def widest(rows: list[Any]) -> list[int]:
    """The places, from 1, of the rows with the longest text of a column: they decide how wide it is."""
    lengths = [
        [len(_ADDRESS.sub("", _cell(column, m).striptags())) for column in COLUMNS if column.shown] for m in rows
    ]
    return sorted({max(range(len(rows)), key=lambda row: of[row]) + 1 for of in zip(*lengths, strict=True)})


def hidden_at_first() -> list[int]:
    """The places, from 1, of the columns that the table starts without where scripts run."""
    return [place for place, column in enumerate(COLUMNS, 1) if not column.shown]


def _head(column: Column, model: str) -> Markup:
    """What a column says, and of which model where it depends on one."""
    if column.measured is None or not column.on_model:
        return escape(column.head)
    of = f"claimed · {model}" if column.claimed else model
    return escape(column.head) + Markup(" ") + span(of, "on-model")


def _cell(column: Column, m: Any) -> Markup:
    page = f"methods/{m.id}.md"
    if column.key == "name":
        return Markup(f"**{link(m.name, page, INDEX)}**")
    parts = []
    for source in column.sources():
        said = getattr(column, source)(m)
        anchor = evidence(column, source, m)
        shown = link(said.markup(), f"{page}#{anchor}", INDEX) if anchor else said.markup()
        parts.append(_labelled(shown, source, m.verdicts.get(anchor)) if len(column.sources()) == 2 else shown)
    return Markup(" ").join(parts)


def _labelled(shown: Markup, source: str, judged: Judged | None) -> Markup:
    """One of the two lines of a cell. Where the verdict is that the two differ it stands with the figure that it judged,
    which need not be that of the default configuration on T5-Large."""
    if source == "claimed":
        return Markup(f'<span class="claimed">{shown}</span>')
    measured = Markup(f'<span class="measured"><span class="source">measured</span> {shown}</span>')
    if judged is None or not judged.differs:
        return measured
    if judged.usual:
        return Markup(f'<span class="measured">{judged.markup()}</span>')
    return measured + Markup(f' <span class="measured">{judged.markup()} {span(f"({judged.of})", "of")}</span>')


def evidence(column: Column, source: str, m: Any) -> str | None:
    """Anchor of the evidence of a cell on the method's page; None where it has none."""
    if column.claimed_at:
        number, name = column.claimed_at.split()
        if (printed := cell_anchor(int(number), name)) in m.verdicts:
            return printed
    if source == "measured" and column.measured_at == "costs":
        return "costs" if m.bp_measured is not None else None
    return column.measured_at if source == "measured" else None


def table_data(rows: list[Any], measured: Measured) -> bytes:
    """What the script needs to sort, filter and export the rows, in the same order, as JSON."""
    columns = [
        {"key": c.key, "head": c.head, "numeric": c.numeric, "facet": c.facet, "shown": c.shown, "sources": c.sources(),
         "onModel": c.measured is not None and c.on_model, "anchor": c.measured_at,
         "ranges": [{"text": r.text, "low": r.low, "high": r.high} for r in c.ranges]}
        for c in COLUMNS
    ]  # fmt: skip
    records = [
        {"id": m.id, "name": m.name, "words": m.words, "cells": {c.key: _said(c, m) for c in COLUMNS}} for m in rows
    ]
    data = {
        "columns": columns, "order": FACET_ORDER, "absent": ABSENT, "setting": measured.setting,
        "models": [model._asdict() for model in measured.models],
        "quick": [{"text": text, "key": key, "value": value} for text, key, value in QUICK], "rows": records,
    }  # fmt: skip
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()


def _said(column: Column, m: Any) -> dict[str, dict[str, Any]]:
    return {source: _record(getattr(column, source)(m)) for source in column.sources()}


def _record(said: Said) -> dict[str, Any]:
    return {"text": said.text, "number": said.number, "kinds": said.kinds}
