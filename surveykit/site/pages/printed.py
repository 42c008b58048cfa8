"""Tables 1, 2, 3 and 6 as the survey prints them, what the text we used lacks, and the bibliography."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from surveykit.database.reading import Reader
from surveykit.site.data.judged import cell_anchor
from surveykit.site.pages.measured import cell_columns
from surveykit.site.text import numbers
from surveykit.site.text.markdown import Cell, escape, external, joined, link, span, table
from surveykit.site.text.words import listed, yes_no

TABLES12 = "survey/tables-1-2.md"
TABLES36 = "survey/table-3-and-6.md"
PAPERS = "survey/papers.md"
_MARKS = {"✓": "yes", "✗": "no"}
_CELLS: dict[int, tuple[dict[str, tuple[str, str | None]], str]] = {
    1: ({"Type": ("type", "type"), "Saves disk": ("disk", "disk"), "Saves RAM": ("ram", "ram"),
         "Saves backpropagation": ("bp", "bp"), "Inference overhead": ("overhead_printed", "overhead")}, "llllll"),
    2: ({"Type": ("type", None), "Trainable, %": ("trainable_printed", "trainable_percent"),
         "Changed, %": ("changed_printed", "changed_percent"), "Under 1 B": ("under_1b", "under_1b"),
         "Under 20 B": ("under_20b", "under_20b"), "Over 20 B": ("over_20b", "over_20b")}, "llrrlll"),
}  # fmt: skip
"""Of each table by heading: column of its view and, where its cells are judged, of the claim; and the alignment."""


def tables12_context(reader: Reader) -> dict[str, Any]:
    """What the page of Tables 1 and 2 shows."""
    judged = cell_columns(reader)
    found: dict[str, Any] = {}
    for number, (columns, align) in _CELLS.items():
        rows = reader.all(f"SELECT * FROM table{number} ORDER BY lower(row_label), method")
        lines = [[_row(t, number), *(_cell(t, number, *names, judged) for names in columns.values())] for t in rows]
        found |= {f"count{number}": len(rows), f"table{number}": table(["Row", *columns], lines, align)}
    return found


def _cell(t: Any, number: int, name: str, claimed: str | None, judged: dict[tuple[str, str], Markup]) -> Cell:
    """A printed cell with its verdict below it, where it is judged."""
    value, is_text = getattr(t, name), name == "type" or name.endswith("_printed")
    shown: Cell = (value or numbers.ABSENT) if is_text else yes_no(value)
    verdict = claimed and judged[t.method, cell_anchor(number, claimed)]
    return escape(shown) + Markup("<br>") + verdict if verdict else shown


def _row(t: Any, number: int) -> Markup:
    """The label of a row, with its anchor, as a link to its method."""
    return span(link(t.row_label, f"methods/{t.method}.md", TABLES12), "row", identifier=f"table{number}-{t.method}")


def tables36_context(reader: Reader) -> dict[str, Any]:
    """What the page of Tables 3 and 6 shows."""
    sizes = reader.all(
        "SELECT t.*, b.name FROM table3 t JOIN backbone b ON b.id = t.backbone ORDER BY b.parameters, b.id, dataset"
    )
    datasets = sorted({t.dataset for t in sizes})
    found = {(t.name, t.dataset): t.microbatch for t in sizes}
    names = list(dict.fromkeys(t.name for t in sizes))
    return {
        "table3": table(
            ["Backbone", *datasets],
            [[n, *(numbers.count(found.get((n, d))) for d in datasets)] for n in names],
            "l" + "r" * len(datasets),
        ),
        "table6": _table6(reader),
        "missing": table(
            ["What", "Where", "What the text we used has instead"],
            [
                [m.what, m.locator, m.reason]
                for m in reader.all("SELECT * FROM missing_in_source ORDER BY locator, what")
            ],
            "lll",
        ),
        "prompts": table(
            ["Dataset", "Task description"],
            [[p.dataset, p.prompt] for p in reader.all("SELECT * FROM prompt ORDER BY dataset")],
            "ll",
        ),
    }


def _table6(reader: Reader) -> Markup:
    cells = reader.all("SELECT * FROM table6 ORDER BY position")
    columns = list(dict.fromkeys((c.category, c.subcategory) for c in cells))
    rows = list(dict.fromkeys((c.aspect, c.detail) for c in cells))
    found = {(c.aspect, c.detail, c.category, c.subcategory): c for c in cells}
    heads = [": ".join(part for part in column if part) for column in columns]
    lines: list[list[Cell]] = [
        [": ".join(part for part in row if part), *(_category_cell(found.get((*row, *column))) for column in columns)]
        for row in rows
    ]
    return table(["Quality", *heads], lines, "l" * (1 + len(columns)))


def _category_cell(cell: Any | None) -> Markup:
    """A printed cell, a mark in its colour; a blank or missing one in words."""
    if cell is None:
        return escape(numbers.ABSENT)
    if cell.printed is None:
        return span("blank" if cell.status == "blank" else "missing in the text we used", "absent")
    kind = _MARKS.get(cell.printed[:1])
    return span(cell.printed, kind) if kind else escape(cell.printed)


def papers_context(reader: Reader) -> dict[str, Any]:
    """What the bibliography shows."""
    names = {m.id: m.name for m in reader.all("SELECT id, name FROM method")}
    papers = reader.all(
        "SELECT p.*, q.doi FROM papers p JOIN paper q USING (key) ORDER BY lower(p.authors), p.year, p.key"
    )
    rows: list[list[Cell]] = []
    for p in papers:
        url = p.url or (f"https://doi.org/{p.doi}" if p.doi else None)
        described = p.methods.split(", ") if p.methods else []
        cited = sorted(reader.of("key", p.key, "SELECT * FROM citation"), key=lambda c: _section(c.section))
        rows.append(
            [
                span(external(p.title, url), "paper", identifier=f"paper-{p.key}"),
                _authors(p.authors),
                str(p.year),
                ", ".join(f"{c.section} ({c.times})" if c.times > 1 else c.section for c in cited) or numbers.ABSENT,
                joined(link(names[m], f"methods/{m}.md", PAPERS) for m in described),
            ]
        )
    return {
        "count": len(papers),
        "cited": reader.one("SELECT count(DISTINCT key) AS n FROM citation").n,
        "papers": table(["Title", "Authors", "Year", "Cited in sections", "Methods"], rows, "llrll"),
    }


def _authors(text: str) -> str:
    """Family names, or the first one and `et al.` where there are more than three."""
    families = [name.split(",")[0] for name in text.split("; ")]
    return f"{families[0]} et al." if len(families) > 3 else listed(families)


def _section(text: str) -> list[tuple[bool, int, str]]:
    """A key that puts section 3.4 before 11.1, and appendices last."""
    return [(not part.isdigit(), int(part) if part.isdigit() else 0, part) for part in text.split(".")]
