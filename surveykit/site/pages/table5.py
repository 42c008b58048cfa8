"""The survey's Table 5 beside our counts."""

from __future__ import annotations

from itertools import groupby
from types import SimpleNamespace
from typing import Any

from markupsafe import Markup

from surveykit.database.reading import Reader
from surveykit.site.data.judged import judged_figure
from surveykit.site.pages.measured import MEMORY, memory_anchor
from surveykit.site.text import numbers
from surveykit.site.text.markdown import Cell, escape, joined, link, slug, span, table
from surveykit.site.text.verdict_tables import figures, outcome_table, verdict_place, verdicts
from surveykit.site.text.words import VERDICTS

TABLE5 = "table5.md"


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
    shown = span(f"predicted {numbers.error(error_percent, 0)}", "outcome predicted", title=VERDICTS["predicted"][1])
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
