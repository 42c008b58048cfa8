"""Printed figures beside measured ones, with their reviewed explanations. Used by several pages."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from markupsafe import Markup

from surveykit.database.reading import Reader
from surveykit.site.data.judged import judged_figure, word_badge
from surveykit.site.pages.configurations import equations, place
from surveykit.site.text import numbers
from surveykit.site.text.cells import cell
from surveykit.site.text.markdown import Cell, link, slug, table
from surveykit.site.text.proof import proof, rows_where
from surveykit.site.text.words import CAUSES, OUTCOMES, words

COLUMNS = ("params_millions", "params_percent")


def verdict_anchor(v: Any) -> str:
    """The anchor of a row of `table5_verdict` on its method's page."""
    return f"{slug(v.row_label)}-{v.backbone}-{v.column_name.removeprefix('params_')}"


def verdict_place(v: Any) -> str:
    """The address of a row of `table5_verdict`."""
    return f"methods/{v.method}.md#{verdict_anchor(v)}"


def explanation_anchor(method: str, row_label: str, position: int | None) -> str:
    """The anchor of an explanation on the page of the survey's findings, or of a row that has none."""
    return f"{slug(row_label)}-open" if position is None else f"{method}-{position}"


def verdicts(reader: Reader, method: str | None = None) -> list[Any]:
    """Rows of Table 5 with both verdicts: backbone, name, row_label, method, configuration and, by column, `cells`."""
    found: dict[tuple[str, str], Any] = {}
    sql = (
        "SELECT v.* FROM table5_verdict v JOIN backbone b ON b.id = v.backbone"
        " ORDER BY b.parameters, b.id, lower(v.row_label), v.row_label, v.column_name"
    )
    for v in reader.all(sql) if method is None else reader.of("method", method, sql):
        row = found.setdefault(
            (v.backbone, v.row_label),
            SimpleNamespace(
                backbone=v.backbone, backbone_name=v.backbone_name, row_label=v.row_label, method=v.method,
                configuration=v.configuration, cells={},
            ),
        )  # fmt: skip
        row.cells[v.column_name] = v
    return list(found.values())


def figures(row: Any, page: str) -> list[Cell]:
    """Six cells: printed, measured and verdict in millions, and the same in percent."""
    cells: list[Cell] = []
    for column in COLUMNS:
        v = row.cells.get(column)
        if v is None:
            cells += [numbers.ABSENT] * 3
            continue
        judged, anchor = judged_figure(v), verdict_anchor(v)
        if page == f"methods/{v.method}.md":
            cells += [cell(v.printed, "claim", anchor), cell(judged.figure, "measured", anchor)]
            cells.append(cell(judged.badge(), anchor))
        else:
            cells += [v.printed, judged.figure, link(judged.badge(), verdict_place(v), page)]
    return cells


def outcome_table(reader: Reader, *, every: bool = False) -> Markup:
    """How the parameter figures ended, with what that means; if `every`, also the outcomes that none of them has."""
    found = reader.all("SELECT outcome, count(*) AS n FROM table5_verdict GROUP BY outcome")
    counts = {row.outcome: row.n for row in found}
    rows = [
        [word_badge(name), meaning, str(counts.get(name, 0))]
        for name, (_, meaning) in OUTCOMES.items()
        if every or name in counts
    ]
    return table(["Verdict", "Meaning", "Figures"], rows, "llr")


def verdict_table(reader: Reader, page: str, method: str) -> Markup:
    """The verdicts of one method."""
    rows = [
        [row.row_label, row.backbone_name, *figures(row, page), _proof(reader, row)] for row in verdicts(reader, method)
    ]
    heads = ["Row", "Model", "M printed", "M ours", "Verdict", "% printed", "% ours", "Verdict", "Proof"]
    return table(heads, rows, "llrrlrrll")


def _proof(reader: Reader, row: Any) -> Markup:
    """How our figures of a row come about."""
    lines = [
        f"{row.configuration} on {row.backbone_name}",
        *equations(reader, row.configuration, row.backbone),
        *(f"In the source: {v.locator}." for v in row.cells.values()),
    ]
    asked = "column_name, printed, measured, verdict"
    return proof(lines, rows_where("table5_verdict", asked, row_label=row.row_label, backbone=row.backbone))


def explanation_blocks(reader: Reader, page: str, method: str) -> list[Any]:
    """The explanations of one method that are needed: where they apply, cause, text, and which other setup the figures fit."""
    found = reader.of(
        "method",
        method,
        "SELECT v.method, v.row_label, v.position, v.cause, v.explanation AS text, v.innocent, v.evidence, v.fits_setup,"
        " list(DISTINCT v.backbone_name) AS backbones FROM table5_verdict v WHERE v.position IS NOT NULL AND v.verdict = 'differs'"
        " GROUP BY ALL ORDER BY v.position",
    )
    for e in found:
        e.cause_words = words(e.cause, CAUSES)
        e.anchor = explanation_anchor(e.method, e.row_label, e.position)
        e.backbones = ", ".join(sorted(e.backbones))
        e.setup_link = setup_link(reader, e.fits_setup, page) if e.fits_setup else None
    return found


def setup_link(reader: Reader, configuration: str, page: str) -> Markup:
    """A link to the configuration that gives the printed figures, with its method."""
    (c,) = reader.of(
        "id",
        configuration,
        "SELECT c.id, c.name, m.name AS method FROM configuration c JOIN method m ON m.id = c.method",
    )
    return link(f"{c.method}: {c.name}", place(c.id), page)


def tried_table(reader: Reader, page: str, position: int) -> Markup:
    """What was tried for an unresolved difference, with the count on the backbones in question."""
    rows = reader.all(
        "SELECT DISTINCT c.id, c.name, m.name AS method, b.name AS backbone, b.parameters, x.trainable, x.trainable_percent"
        " FROM explanation_tried t JOIN configuration c ON c.id = t.configuration JOIN method m ON m.id = c.method"
        " JOIN explanation_figure f ON f.source = t.source AND f.explanation = t.explanation"
        " JOIN backbone b ON b.id = f.backbone LEFT JOIN measured x ON x.configuration = c.id AND x.backbone = b.id"
        " WHERE t.source = 'lialin2023scaling' AND t.explanation = ? ORDER BY b.parameters, x.trainable DESC, c.id",
        position,
    )  # fmt: skip
    cells = [
        [
            link(f"{r.method}: {r.name}", place(r.id), page),
            r.backbone,
            numbers.count(r.trainable),
            numbers.millions(r.trainable),
            numbers.percent(r.trainable_percent),
        ]
        for r in rows
    ]
    return table(["Tried", "Backbone", "Trainable", "Millions", "%"], cells, "llrrr")
