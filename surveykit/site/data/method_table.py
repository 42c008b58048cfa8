"""The table of all methods: as Markdown that needs no script, and as data for the script that sorts and filters it."""

from __future__ import annotations

import json
from typing import Any

from markupsafe import Markup

from surveykit.database.reading import Reader
from surveykit.site.data.judged import Judged, cell_anchor, cells_of, word_badge
from surveykit.site.data.method_columns import ABSENT, COLUMNS, FACET_ORDER, Column, Said
from surveykit.site.text import numbers
from surveykit.site.text.markdown import joined, link, span, table
from surveykit.site.text.words import FAMILIES, OUTCOMES, STATUSES, type_words, words

INDEX = "methods/index.md"
DATA = "assets/data/methods-table.json"
FIRST_PAGE = "assets/js/table/first-page.js"
ROWS_ON_A_PAGE = 200
"""A browser takes long to lay out a table of many hundreds, so the script puts more on further pages."""


def method_rows(reader: Reader) -> list[Any]:
    """The view `methods` in alphabetical order, each row with what the columns need beside it."""
    states: dict[str, dict[str, str]] = {}
    for a in reader.all("SELECT method, name, status FROM attribute"):
        states.setdefault(a.method, {})[a.name] = words(a.status, STATUSES)
    outcomes = "SELECT method, outcome, count(*) AS n FROM table5_verdict GROUP BY method, outcome"
    memory = {
        (m.id, m.backbone): m.ram_gb_predicted
        for m in reader.all("SELECT id, backbone, ram_gb_predicted FROM method_on_backbone")
    }
    cells = cells_of(reader)
    rows = reader.all("SELECT * FROM methods ORDER BY lower(name), id")
    for m in rows:
        aliases = [alias.name for alias in reader.of("method", m.id, "SELECT * FROM alias ORDER BY name")]
        m.words = " ".join([m.name, m.id, *aliases, words(m.family, FAMILIES), type_words(m.type or "")]).lower()
        m.states = states[m.id]
        counts = {c.outcome: c.n for c in reader.of("method", m.id, outcomes)}
        m.figures = _figures({name: counts[name] for name in OUTCOMES if name in counts})
        m.ram_gb_3b, m.ram_gb_11b = memory.get((m.id, "t5-3b")), memory.get((m.id, "t5-11b"))
        m.verdicts = cells.get(m.id, {})
    return rows


def _figures(counts: dict[str, int]) -> Said:
    text = ", ".join(f"{n} {words(outcome, OUTCOMES)}" for outcome, n in counts.items())
    shown = joined((Markup(f"{n} ") + word_badge(outcome) for outcome, n in counts.items()), "<br>")
    return Said(text or "none", shown=shown or span(numbers.ABSENT, "absent"))


def markdown_table(rows: list[Any]) -> Markup:
    """All rows and columns. A cell with a claim and a measurement holds both; the style sheet may hide one."""
    cells = [[_cell(column, m) for column in COLUMNS] for m in rows]
    align = "".join("r" if column.numeric else "l" for column in COLUMNS)
    return table([column.head for column in COLUMNS], cells, align)


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


def table_data(rows: list[Any]) -> bytes:
    """What the script needs to sort, filter and export the rows, in the same order, as JSON."""
    columns = [
        {"key": c.key, "head": c.head, "numeric": c.numeric, "facet": c.facet, "shown": c.shown, "sources": c.sources()}
        for c in COLUMNS
    ]
    records = [
        {"id": m.id, "name": m.name, "words": m.words, "cells": {c.key: _said(c, m) for c in COLUMNS}} for m in rows
    ]
    data = {"columns": columns, "order": FACET_ORDER, "absent": ABSENT, "rows": records}
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()


def _said(column: Column, m: Any) -> dict[str, dict[str, Any]]:
    said = {source: getattr(column, source)(m) for source in column.sources()}
    return {source: {"text": s.text, "number": s.number, "kinds": s.kinds} for source, s in said.items()}
