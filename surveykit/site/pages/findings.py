"""Findings of all sources: the weightiest in full, the rest in a list, and a page for each source with the evidence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby
from types import SimpleNamespace
from typing import Any

from markupsafe import Markup

from surveykit.database.finding_numbers import Cell as FigureCell
from surveykit.database.finding_numbers import cells_of
from surveykit.database.reading import Reader
from surveykit.site.data.judged import word_badge
from surveykit.site.drawing.bars import bars
from surveykit.site.pages.audit import DATA_AUDIT, STATEMENTS, survey_of
from surveykit.site.pages.letter import LETTER, errata
from surveykit.site.pages.printed import TABLES12
from surveykit.site.pages.sources import path_of as source_page
from surveykit.site.pages.table5 import TABLE5
from surveykit.site.text import numbers
from surveykit.site.text.markdown import Cell, code, folded, link, slug, span, table
from surveykit.site.text.verdict_tables import COLUMNS, setup_link, tried_table, verdict_place
from surveykit.site.text.words import CAUSES, words
from surveykit.site.text.words import COLUMNS as COLUMN_WORDS

FINDINGS = "findings/index.md"
_SHORT = 320
_LONGEST_PRINT = 400
IN_FULL = 25
"""Findings that stand on the page in full; the others are a line each."""
STATUSES = {
    "not_reported": "not reported to the authors yet",
    "reported": "reported to the authors",
    "confirmed": "confirmed by the authors",
    "corrected": "corrected by the authors",
    "rejected": "the authors disagree",
}
_KINDS = {"figures": "printed figures", "sentence": "a sentence, checked", "data": "a check of its data"}


def path_of(source: str) -> str:
    """The page with the findings of a source."""
    return f"findings/{source}.md"


def findings_context(reader: Reader) -> dict[str, Any]:
    """What the page of all findings shows."""
    found = [_shown(reader, f, FINDINGS) for f in _found(reader)]
    rest = [
        [link(f.headline, f.address, FINDINGS), f.source_name, _KINDS[f.kind], numbers.count(f.cells)]
        for f in found[IN_FULL:]
    ]
    return {
        "findings": found[:IN_FULL],
        "count": len(found),
        "rest": table(["Finding", "Source", "What it is", "Cells"], rest, "lllr"),
        "sources": [
            (link(name, path_of(key), FINDINGS), len(list(group)))
            for (key, name), group in groupby(
                sorted(found, key=lambda f: (f.source, f.rank)), key=lambda f: (f.source, f.source_name)
            )
        ],
        "letter": LETTER,
        "errata": len(errata(reader)),
    }


def source_contexts(reader: Reader) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Key and name of each source in which something was found, with what its page shows."""
    letters = {e.id: e for e in errata(reader)}
    survey = survey_of(reader)
    for (key, name), group in groupby(
        sorted(_found(reader), key=lambda f: (f.source, f.rank)), key=lambda f: (f.source, f.source_name)
    ):
        page = path_of(key)
        cells: dict[int, list[FigureCell]] = {}
        for cell in cells_of(reader, key):
            cells.setdefault(cell.explanation, []).append(cell)
        shown = [_shown(reader, f, page) for f in group]
        for f in shown:
            f.parts = [_part(reader, f, part, cells, page) for part in _parts(reader, f)]
            f.innocent_here = None if any(part.innocent for part in f.parts) else f.innocent
            f.erratum = letters.get(f.id) if key == survey else None
            f.rerun = code(f.erratum.rerun) if f.erratum else None
        yield key, name, {"name": name, "findings": shown, "letter": LETTER if key == survey else None}


def weightiest(reader: Reader, page: str, how_many: int) -> list[Any]:
    """The findings that weigh most, as another page shows them."""
    return [_shown(reader, f, page) for f in _found(reader)[:how_many]]


def _found(reader: Reader) -> list[Any]:
    return reader.all(
        "SELECT finding.*, source.name AS source_name FROM finding JOIN source ON source.key = finding.source ORDER BY rank"
    )


def _shown(reader: Reader, f: Any, page: str) -> Any:
    """A finding with its links and its picture."""
    own = path_of(f.source)
    f.anchor = f.id if page == own else f"{f.source}-{f.id}"
    f.address = f"{own}#{f.id}"
    f.details = link("Our evidence", f.address, page)
    f.place = link(f"{f.source_name}, {f.locator}", _place(reader, f), page)
    f.picture = bars(f) if f.first_text else None
    prints = {"figures": ", prints ", "sentence": ", says in our words: "}.get(f.kind)
    f.prints = f"{prints}{f.printed}" if prints and len(f.printed) <= _LONGEST_PRINT else ""
    f.status_words = STATUSES[f.status] + (f" ({f.reported})" if f.reported else "")
    f.innocent_short = _short(f.innocent)
    return f


def _short(text: str | None) -> str | None:
    """The first sentences of a text: it stands in full one click away."""
    shown = ""
    for sentence in re.split(r"(?<=[.;:]) (?=[A-Z(])", text or ""):
        if shown and len(shown) + len(sentence) > _SHORT:
            break
        shown = f"{shown} {sentence}".strip()
    return shown or None


def _place(reader: Reader, f: Any) -> str:
    """Where this site shows what the source prints."""
    part, is_survey = _parts(reader, f)[0], f.source == survey_of(reader)
    if part.kind == "statement":
        return f"{STATEMENTS if is_survey else source_page(f.source)}#statement-{part.name}"
    if part.kind == "data_check":
        return f"{DATA_AUDIT if is_survey else source_page(f.source)}#check-{part.name}"
    tables = reader.of(
        "source", f.source, "SELECT source, position, row_label, table_name FROM explanation ORDER BY source, position"
    )
    name = next((t.table_name for t in tables if t.position == part.explanation), None)
    if is_survey:
        return TABLE5 if name == "table5" else TABLES12 if name in ("table1", "table2") else STATEMENTS
    return f"{source_page(f.source)}#{slug(name)}" if name else source_page(f.source)


def _parts(reader: Reader, f: Any) -> list[Any]:
    parts = "SELECT * FROM finding_part ORDER BY source, finding, kind = 'data_check', explanation, name"
    return [part for part in reader.of("finding", f.id, parts) if part.source == f.source]


def _part(reader: Reader, f: Any, part: Any, cells: dict[int, list[FigureCell]], page: str) -> Any:
    """One explanation, statement or data check of a finding: its figures, its words, and where its query stands."""
    if part.kind == "statement":
        return SimpleNamespace(
            kind=part.kind, link=link("Its readings and queries", _place(reader, f), page), innocent=None
        )
    if part.kind == "data_check":
        home = DATA_AUDIT if f.source == survey_of(reader) else source_page(f.source)
        c = reader.one("SELECT note, looks_for, innocent FROM data_check WHERE id = ?", part.name)
        more = link(c.looks_for, f"{home}#check-{part.name}", page)
        return SimpleNamespace(kind=part.kind, link=more, text=c.note, innocent=c.innocent)
    found = [cell for cell in cells.get(part.explanation or 0, []) if part.explanation or cell.row_label == part.name]
    e = next(
        iter(
            reader.all(
                "SELECT * FROM explanation WHERE source = ? AND position = ?", f.source, part.explanation
            )
        ),
        None,
    )  # fmt: skip
    method = next((cell.method for cell in found if cell.method), "row")
    own = f"{method}-{part.explanation}" if part.explanation else f"{slug(part.name or 'row')}-open"
    setup = e.fits_setup if e else None
    return SimpleNamespace(
        kind="figures",
        anchor=span("", "anchor", identifier=own) if own != f.id else None,
        badge=word_badge("unresolved" if e and e.cause == "unresolved" else found[0].outcome),
        cause=f" Cause: {words(e.cause, CAUSES)}." if e and e.cause != "unresolved" else "",
        table=_figures(reader, f.source, found, setup, page),
        setup=setup_link(reader, setup, page) if setup else None,
        text=e.text if e else "No explanation has been written yet.",
        innocent=e.innocent if e else None,
        tried=tried_table(reader, page, part.explanation) if e and f.source == survey_of(reader) else None,
        evidence=folded("The query behind these figures", e.evidence) if e and e.evidence else None,
    )


def _figures(reader: Reader, source: str, found: list[FigureCell], setup: str | None, page: str) -> Markup:
    """The printed figures beside ours; those of the survey's Table 5 lead to the count on the method's page."""
    counts = {
        m.backbone: m.trainable for m in reader.all("SELECT * FROM measured WHERE configuration = ?", setup or "")
    }
    lines: list[list[Cell]] = []
    for cell in found:
        ours: Cell = cell.measured or numbers.ABSENT
        if (source, cell.table_name) == (survey_of(reader), "table5") and cell.column_name in COLUMNS:
            ours = link(ours, verdict_place(cell), page)
        line: list[Cell] = [
            cell.row_label,
            cell.model or numbers.ABSENT,
            words(cell.column_name, COLUMN_WORDS),
            cell.printed,
            ours,
        ]
        lines.append([*line, numbers.count(counts.get(cell.backbone))] if setup else line)
    heads = ["Row", "Model", "Column", "Printed", "Ours", *(["Count of the match"] if setup else [])]
    return table(heads, lines, "lllrr" + "r" * bool(setup))
