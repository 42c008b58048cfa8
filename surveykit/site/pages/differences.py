"""Table 5 beside our counts, and where the two differ."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from types import SimpleNamespace
from typing import Any

from markupsafe import Markup

from surveykit.database.reading import Reader
from surveykit.site.data.judged import judged_figure, word_badge
from surveykit.site.pages.measured import MEMORY, memory_anchor
from surveykit.site.text import numbers
from surveykit.site.text.markdown import Cell, escape, folded, joined, link, slug, span, table
from surveykit.site.text.verdict_tables import (
    COLUMNS,
    explanation_anchor,
    figures,
    outcome_table,
    setup_link,
    tried_table,
    verdict_place,
    verdicts,
)  # fmt: skip
from surveykit.site.text.words import CAUSES, VERDICTS, words

TABLE5 = "table5.md"
DISCREPANCIES = "discrepancies.md"


def table5_context(reader: Reader) -> dict[str, Any]:
    """What the page of Table 5 shows."""
    printed = {(t.backbone, t.row_label): t for t in reader.all("SELECT * FROM table5")}
    predicted = {
        (p.backbone, p.row_label): p.error_percent
        for p in reader.all("SELECT * FROM table5_memory WHERE is_best_setting")
    }
    heads = [
        "Row", "M printed", "M measured", "Verdict", "% printed", "% measured", "Verdict", "RAM, GB", "Training",
        "Inference",
    ]  # fmt: skip
    blocks = []
    for (backbone, name), rows in groupby(verdicts(reader), key=lambda row: (row.backbone, row.backbone_name)):
        lines: list[list[Cell]] = []
        for row in rows:
            t = printed[backbone, row.row_label]
            also = [t.throughput_train_printed, t.throughput_infer_printed]
            first = link(row.row_label, f"methods/{row.method}.md", TABLE5)
            memory = _memory(t.ram_gb_printed, predicted.get((backbone, row.row_label)), backbone, row.row_label)
            lines.append([first, *figures(row, TABLE5), memory, *(value or numbers.ABSENT for value in also)])
        blocks.append(SimpleNamespace(name=name, anchor=slug(backbone), table=table(heads, lines, "lrrlrrlrrr")))
    return {
        "blocks": blocks,
        "overview": _overview(reader),
        "legend": outcome_table(reader),
        "summary": reader.one("SELECT * FROM table5_summary"),
        "scores": reader.one(
            "SELECT count(*) FILTER (status = 'missing_in_source') AS missing, count(*) AS n FROM claim"
            " WHERE source = 'lialin2023scaling' AND table_name = 'table5' AND column_name = 'score'"
        ),
    }


def _memory(printed: str | None, error_percent: float | None, backbone: str, row_label: str) -> Markup:
    """Printed memory, and how far our prediction is from it, as a link to the page of predictions."""
    if error_percent is None:
        return escape(printed or numbers.ABSENT)
    place = f"{MEMORY}#{memory_anchor(backbone, row_label)}"
    shown = span(f"predicted {error_percent:+.0f} %", "outcome predicted", title=VERDICTS["predicted"][1])
    return escape(printed) + Markup("<br>") + link(shown, place, TABLE5)


def _overview(reader: Reader) -> Markup:
    """All verdicts at a glance: rows of the table by backbones, one verdict where both figures agree in it."""
    rows = verdicts(reader)
    backbones = list(dict.fromkeys((row.backbone, row.backbone_name) for row in rows))
    found = {(row.row_label, row.backbone): row for row in rows}
    methods = {row.row_label: row.method for row in rows}
    lines: list[list[Cell]] = []
    for label in sorted(methods, key=lambda name: (name.lower(), name)):
        cells: list[Cell] = []
        for backbone, _ in backbones:
            row = found.get((label, backbone))
            outcomes: dict[str, Any] = {}  # each once, with the first column that has it
            for v in row.cells.values() if row else ():
                outcomes.setdefault(v.outcome, v)
            badges = (link(judged_figure(v).badge(), verdict_place(v), TABLE5) for v in outcomes.values())
            cells.append(joined(badges, " "))
        lines.append([link(label, f"methods/{methods[label]}.md", TABLE5), *cells])
    return table(["Row", *(name for _, name in backbones)], lines, "l" * (1 + len(backbones)))


def discrepancies_context(reader: Reader) -> dict[str, Any]:
    """What the page of discrepancies shows: one entry for each explanation, apart by outcome."""
    entries = list(_entries(reader))
    causes = {e.cause for e in entries if e.outcome == "fits_another_setup"}
    return {
        "groups": {
            outcome: [e for e in entries if e.outcome == outcome]
            for outcome in ("fits_another_setup", "inconsistent", "unresolved", "unexplained")
        },
        "summary": reader.one("SELECT * FROM table5_summary"),
        "causes": table(["Cause", "Meaning"], [CAUSES[c] for c in CAUSES if c in causes], "ll"),
    }


def _entries(reader: Reader) -> Iterator[Any]:
    names = {m.id: m.name for m in reader.all("SELECT id, name FROM method")}
    differing = [
        (row, v) for row in verdicts(reader) for v in row.cells.values() if v.outcome not in ("match", "not_measured")
    ]

    def explained(pair: tuple[Any, Any]) -> tuple[str, str, int]:
        _, v = pair
        return v.row_label.lower(), v.method, -1 if v.position is None else v.position

    for _, group in groupby(sorted(differing, key=explained), key=explained):
        pairs = list(group)
        first = pairs[0][1]
        entry = SimpleNamespace(
            anchor=explanation_anchor(first.method, first.row_label, first.position),
            row_label=first.row_label,
            method=link(names[first.method], f"methods/{first.method}.md", DISCREPANCIES),
            backbones=", ".join(dict.fromkeys(row.backbone_name for row, _ in pairs)),
            outcome=first.outcome,
            badge=word_badge(first.outcome),
            cause=first.cause,
            cause_words=words(first.cause, CAUSES) if first.cause not in (None, "unresolved") else None,
            text=first.explanation,
            innocent=first.innocent,
            evidence=first.evidence and folded("The query behind these figures", first.evidence),
            setup_link=setup_link(reader, first.fits_setup, DISCREPANCIES) if first.fits_setup else None,
            table=_figures(reader, [row for row, _ in pairs], first.fits_setup),
            tried=tried_table(reader, DISCREPANCIES, first.position) if first.outcome == "unresolved" else None,
        )
        yield entry


def _figures(reader: Reader, rows: list[Any], fits_setup: str | None) -> Markup:
    """The differing figures of one explanation. A figure that matches is shown too, as the other half of its row."""
    counts = {
        m.backbone: m for m in reader.all("SELECT * FROM measured WHERE configuration = ?", fits_setup or "")
    }  # fmt: skip
    lines: list[list[Cell]] = []
    for row in dict.fromkeys((row.backbone, row.row_label) for row in rows):
        found = next(r for r in rows if (r.backbone, r.row_label) == row)
        cells: list[Cell] = [found.backbone_name]
        for column in COLUMNS:
            v = found.cells[column]
            shown = numbers.like_printed(v.measured, v.decimals)
            linked = link(shown, verdict_place(v), DISCREPANCIES)
            cells += [v.printed, linked if v.verdict == "differs" else f"{shown} (match)"]
        if fits_setup:
            m = counts.get(found.backbone)
            cells.append(numbers.count(m.trainable) if m else numbers.ABSENT)
        lines.append(cells)
    heads = ["Backbone", "M printed", "M measured", "% printed", "% measured"]
    if fits_setup:
        heads.append("Count of the match")
    return table(heads, lines, "l" + "r" * (len(heads) - 1))
