"""The page that compares methods: its first comparison as Markdown, and data for the script that makes others."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from markupsafe import Markup

from surveykit.database.reading import Reader
from surveykit.site.data.comparison import DEFAULT, Cell, Piece, Row, claims_on, code_blocks
from surveykit.site.data.method_table import Measured
from surveykit.site.text import numbers
from surveykit.site.text.markdown import code, fence, joined, link, span, table
from surveykit.site.text.snippets import snippets

COMPARE = "compare.md"
DATA = "assets/data/compare"


def compare_context(reader: Reader, methods: list[Any], rows: list[Row], measured: Measured) -> dict[str, Any]:
    """What the page shows without a script: one comparison, and every method's page.

    Args:
        methods: rows of the table of methods.
        rows: of the comparison.
        measured: what its measurements are of.
    """
    names = {m.id: m.name for m in methods}
    written = snippets(reader)
    chosen = [name for name in DEFAULT if name in names] or list(names)[:2]
    return {
        "chosen": ",".join(chosen),
        "setting": measured.setting,
        "names": [names[name] for name in chosen],
        "sections": [(section, _table(found, chosen, names)) for section, found in _sections(rows)],
        "code": [(names[name], [_block(b) for b in code_blocks(written.get(name, []))]) for name in chosen],
        "methods": [link(m.name, f"methods/{m.id}.md", COMPARE) for m in methods],
    }


def _sections(rows: list[Row]) -> list[tuple[str, list[Row]]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row.section, []).append(row)
    return list(found.items())


def _table(rows: list[Row], chosen: list[str], names: dict[str, str]) -> Markup:
    heads = [Markup('<span class="absent">Property</span>'),
             *(link(names[name], f"methods/{name}.md", COMPARE) for name in chosen)]  # fmt: skip
    lines = [
        [Markup(f"**{span(row.head, 'head')}**"), *(_cell(row.cells.get(n, ()), n) for n in chosen)] for row in rows
    ]
    return table(heads, [line for line, row in zip(lines, rows, strict=True) if set(chosen) & set(row.cells)],
                 "l" * len(heads))  # fmt: skip


def _cell(cell: Cell, method: str) -> Markup:
    lines = (Markup("").join(_piece(piece, method) for piece in line) for line in cell)
    return joined(lines, "<br>") or Markup(numbers.ABSENT)


def _piece(piece: Piece, method: str) -> Markup:
    shown = (
        code(piece.text) if piece.kind == "code" else Markup(span(piece.text, piece.kind, title=piece.title or None))
    )
    return link(shown, f"methods/{method}.md#{piece.anchor}", COMPARE) if piece.anchor else shown


def _block(block: Any) -> Any:
    block.shown = fence(block.code, "python")
    return block


def compare_files(
    reader: Reader, methods: list[Any], rows: list[Row], measured: Measured
) -> Iterator[tuple[str, bytes]]:
    """Paths and contents: the rows and the methods, and a file with the cells and code of each method."""
    index = {
        "methods": [{"id": m.id, "name": m.name} for m in methods],
        "rows": [{"section": row.section, "head": row.head, "column": row.column} for row in rows],
        "models": [{**model._asdict(), "section": claims_on(model.name)} for model in measured.models],
        "setting": measured.setting,
    }
    yield f"{DATA}.json", _json(index)
    written = snippets(reader)
    for m in methods:
        cells = [[[piece._asdict() for piece in line] for line in row.cells.get(m.id, ())] for row in rows]
        blocks = [vars(block) for block in code_blocks(written.get(m.id, []))]
        yield f"{DATA}/{m.id}.json", _json({"cells": cells, "code": blocks})


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
