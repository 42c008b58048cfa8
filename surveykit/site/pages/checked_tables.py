"""A page for each table of each source: as it is printed, with our figure and the verdict in every cell that was judged."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any

from markupsafe import Markup

from surveykit.database.reading import Reader
from surveykit.site.data.judged import reason_words, word_badge
from surveykit.site.text import numbers
from surveykit.site.text.cells import cell
from surveykit.site.text.markdown import Cell, escape, folded, link, slug, table
from surveykit.site.text.words import VERDICTS

JUDGED = ("match", "within_range", "outside_range", "partly", "differs", "predicted", "not_measured")
"""Verdicts of cells that stand beside a figure of ours, or should."""
_TABLES = "SELECT * FROM source_table ORDER BY source, table_name"
_VERDICTS = (
    "SELECT v.*, b.name AS backbone_name, c.model_label FROM verdict v"
    " JOIN claim c USING (source, table_name, position, column_name) LEFT JOIN backbone b ON b.id = v.backbone"
    " ORDER BY v.source, v.table_name, v.position, v.column_name"
)


def path_of(source: str, table_name: str) -> str:
    """The page of a table."""
    return f"sources/{source}/{slug(table_name)}.md"


def summaries(reader: Reader, source: str, page: str) -> list[dict[str, Any]]:
    """Each table of a source in short: what it is, how its cells ended, and the way to its page."""
    return [
        {
            "anchor": slug(t.table_name),
            "locator": t.locator,
            "says": t.says,
            "rows": t.rows,
            "page": link("Every cell, printed beside ours", path_of(source, t.table_name), page),
            **_ends(_found(reader, t)),
        }
        for t in reader.of("source", source, _TABLES)
    ]


def table_contexts(reader: Reader) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Every table with what its page shows."""
    names = {s.key: s.name for s in reader.all("SELECT key, name FROM source")}
    for t in reader.all(_TABLES):
        page, found = path_of(t.source, t.table_name), _found(reader, t)
        judged = [v for v in found if v.verdict in JUDGED]
        yield (
            t,
            {
                "name": names[t.source],
                "source": link(names[t.source], f"sources/{t.source}.md#{slug(t.table_name)}", page),
                "locator": t.locator,
                "says": t.says,
                "printed": _printed(reader, t, {(v.position, v.column_name): v for v in judged}, page),
                "judged": _judged(judged, page),
                "sql": folded("Ask for these cells", f"SELECT * FROM {t.as_printed}"),
                **_ends(found),
            },
        )


def _found(reader: Reader, t: Any) -> list[Any]:
    return [v for v in reader.of("source", t.source, _VERDICTS) if v.table_name == t.table_name]


def _ends(found: list[Any]) -> dict[str, Any]:
    """How cells ended: a badge and a number for each verdict, and why some cannot be compared."""
    counts = {word: len(list(group)) for word, group in groupby(sorted(v.verdict for v in found))}
    return {
        "counts": [(word_badge(word), counts[word]) for word in VERDICTS if word in counts],
        "reasons": list(dict.fromkeys(v.reason for v in found if v.verdict == "not_comparable"))[:3],
    }


def _printed(reader: Reader, t: Any, judged: dict[tuple[int, str], Any], page: str) -> Markup:
    """The table as its source prints it. A judged cell has our figure and the verdict below the printed one."""
    names, rows = reader.listing(f"SELECT * FROM {t.as_printed} ORDER BY position")
    used = [i for i, name in enumerate(names) if name != "position" and any(row[i] is not None for row in rows)]
    written = [[_shown(row[i], judged.get((row[0], names[i])), t, page) for i in used] for row in rows]
    return table([names[i].replace("_", " ") for i in used], written, "l" * len(used))


def _shown(printed: str | None, verdict: Any, t: Any, page: str) -> Cell:
    if verdict is None:
        return numbers.ABSENT if printed is None else printed
    anchor = "-".join(slug(part) for part in _anchor(verdict))
    ours = escape(f"ours: {verdict.measured}") if verdict.measured is not None else Markup("")
    return Markup(f"{link(printed or numbers.ABSENT, f'{page}#{anchor}', page)} {word_badge(verdict.verdict)} {ours}")


def _anchor(v: Any) -> tuple[str, ...]:
    return ("claim", v.table_name, str(v.position), v.column_name)


def _judged(judged: list[Any], page: str) -> Markup:
    """The judged cells one by one, with what was looked at."""
    rows: list[list[Cell]] = [
        [
            link(v.row_label, f"methods/{v.method}.md", page) if v.method else escape(v.row_label),
            v.model_label or numbers.ABSENT,
            v.column_name,
            cell(v.printed, *_anchor(v)),
            numbers.ABSENT if v.measured is None else v.measured,
            word_badge(v.verdict),
            reason_words(v.reason, v.cause, v.explained),
        ]
        for v in judged
    ]
    heads = ["Row", "Model", "Column", "Printed", "Ours", "Verdict", "What was looked at"]
    return table(heads, rows, "llllrll")
