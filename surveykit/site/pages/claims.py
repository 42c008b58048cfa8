"""What each source prints of a method, beside our figure: a part of its page for each source."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from markupsafe import Markup

from surveykit.database.reading import Reader
from surveykit.site.data.judged import word_badge
from surveykit.site.pages.answers import AGREES, DIFFERS
from surveykit.site.pages.configurations import equations
from surveykit.site.pages.sources import path_of
from surveykit.site.text import numbers
from surveykit.site.text.cells import cell
from surveykit.site.text.markdown import Cell, joined, link, span, table
from surveykit.site.text.proof import proof, rows_where
from surveykit.site.text.words import CAUSES, VERDICTS, words

MOST_SHOWN = 12
"""Rows of a source on a method's page; its own page has all of them."""
_BESIDE_OURS = (*DIFFERS, "predicted", *AGREES)
"""Verdicts on figures that stand beside one of ours: differences first."""


def claims_by_source(reader: Reader, method: str, page: str, survey: str | None) -> list[Any]:
    """Each source that prints figures of a method, the survey first, then by how many of its figures were judged.

    Args:
        survey: key of the source whose tables have parts of their own on the page; its figures are counted, not listed.
    """
    found: dict[str, list[Any]] = {}
    for v in reader.of("method", method, _CLAIMS):
        found.setdefault(v.source, []).append(v)
    groups = [_group(reader, key, claims, page, listed=key != survey) for key, claims in found.items()]
    return sorted(groups, key=lambda g: (g.key != survey, -g.judged, g.key))


def _group(reader: Reader, key: str, claims: list[Any], page: str, *, listed: bool) -> Any:
    counts = {name: sum(v.verdict == name for v in claims) for name in VERDICTS}
    beside = [v for v in claims if v.verdict in _BESIDE_OURS] if listed else []
    beside.sort(key=lambda v: _BESIDE_OURS.index(v.verdict))  # rows of one verdict stay in the source's order
    shown = beside[:MOST_SHOWN]
    return SimpleNamespace(
        key=key,
        name=claims[0].source_name,
        date=claims[0].date,
        judged=sum(counts[name] for name in (*AGREES, *DIFFERS)),
        counts=joined((Markup("{} {}").format(n, word_badge(name)) for name, n in counts.items() if n), " "),
        table=table(["Claim", "Printed", "Ours", "Verdict", "Proof"], (_row(reader, v) for v in shown), "llrll"),
        left_out=len(beside) - len(shown),
        whole=link("the page of this source", path_of(key), page),
        asked=rows_where("verdict", "locator, printed, measured, verdict", source=key, method=claims[0].method),
    )


def _row(reader: Reader, v: Any) -> list[Cell]:
    at = (v.source, v.table_name, str(v.position), v.column_name)
    what = joined([v.row_label, span(", ".join(filter(None, (v.column_says, v.model, v.table_locator))), "of")], "<br>")
    lines = [
        f"{v.configuration} on {v.backbone_name}" if v.configuration and v.backbone_name else None,
        *(equations(reader, v.configuration, v.backbone) if v.sense == "trainable" and v.backbone else ()),
        v.reason,
        f"{words(v.cause, CAUSES)}: {v.explained}" if v.explained and v.cause else v.explained,
        f"In the source: {v.locator}.",
    ]
    asked = rows_where(
        "verdict", "printed, measured, verdict, reason",
        source=v.source, table_name=v.table_name, position=v.position, column_name=v.column_name,
    )  # fmt: skip
    return [
        what,
        cell(v.printed, "claim", *at),
        cell(_ours(v), "measured", *at),
        cell(word_badge(v.verdict), "verdict", *at),
        proof(lines, asked),
    ]


def _ours(v: Any) -> str:
    """Our figure in the unit in which the source prints its own."""
    units = {"percent": " %", "million": " M", "GB": " GB"}
    figure = str(v.measured)
    return numbers.count(int(figure)) if figure.isdecimal() else f"{figure}{units.get(v.unit or '', '')}"


_CLAIMS = """
SELECT v.*, c.unit, coalesce(b.name, c.model_label) AS model, b.name AS backbone_name, source.name AS source_name, source.date,
    t.locator AS table_locator, lower(q.says[1]) || q.says[2:] AS column_says
FROM verdict v
JOIN claim c USING (source, table_name, position, column_name)
JOIN source ON source.key = v.source
LEFT JOIN source_table t ON t.source = v.source AND t.table_name = v.table_name
LEFT JOIN quantity q ON q.id = v.quantity
LEFT JOIN backbone b ON b.id = v.backbone
WHERE v.method IS NOT NULL
ORDER BY v.source, v.table_name, v.position, v.column_name
"""
