"""Findings: each explanation, statement and data check that says something, grouped as the catalog tells them, weighed."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from surveykit.catalog.findings import Telling, factor, filled
from surveykit.catalog.load import Catalog
from surveykit.catalog.source_folder import SourceFolder
from surveykit.catalog.sources import Explanation
from surveykit.catalog.statements import DataCheck, Statement
from surveykit.database.finding_numbers import UNITS, Cell, Pair, cells_of, pair_of, told_pair
from surveykit.database.reading import Reader
from surveykit.database.rows import Row
from surveykit.database.tables.findings import Finding, FindingPart
from surveykit.errors import QueryError

Ask = Callable[[str], Mapping[str, Any]]
"""Answers a query of the catalog, of one row."""
SLIGHT = 0.25
"""What a remark, a matter of definition or of rounding counts."""
MOST_DOUBLINGS = 10
MOST_ROWS_NAMED = 4
"""Of more rows only the number is said."""
_MATTERS_OF_WORDS = frozenset({"other_definition", "truncated"})


def weight(times: float | None, cells: int, *, against_itself: bool, is_open: bool, slight: bool) -> float:
    """How much a finding matters.

    Doublings between the two numbers, ten at most; doublings of the number of cells; two if the source itself decides it;
    one if nothing that was tried gives the figure; of all this a quarter if it is a remark, or a matter of definition or rounding.
    """
    size = min(math.log2(times), MOST_DOUBLINGS) if times else 0.0
    points = size + math.log2(1 + cells) + 2 * against_itself + is_open
    return round(points * (SLIGHT if slight else 1), 2)


@dataclass
class Part:
    """One explanation, statement or data check that says something in this database."""

    kind: str
    name: str | None
    position: int | None
    record: Explanation | Statement | DataCheck | None
    cells: list[Cell] = field(default_factory=list)
    found: int = 1
    """Rows of a data check, or one."""
    figures: Mapping[str, Any] = field(default_factory=dict)
    """What the readings of a statement gave."""

    @property
    def cause(self) -> str | None:
        return self.record.cause if isinstance(self.record, Explanation) else None


def results(reader: Reader, catalog: Catalog, ask: Ask) -> Iterator[tuple[type[Row], list[Row]]]:
    """The rows of both tables, from a database whose statements and data checks have run.

    Args:
        ask: answers a query of findings.yaml, through the guard of a user's query.
    """
    made = [pair for folder in catalog.sources.values() for pair in _of_source(reader, folder, ask)]
    made.sort(key=lambda pair: (-pair[0]["weight"], pair[0]["source"], pair[0]["id"]))
    yield Finding, [Finding.of(rank=rank, **columns) for rank, (columns, _) in enumerate(made, start=1)]
    yield (
        FindingPart,
        [
            FindingPart.of(source=c["source"], finding=c["id"], kind=p.kind, explanation=p.position, name=p.name)
            for c, parts in made
            for p in parts
        ],
    )


def _of_source(reader: Reader, folder: SourceFolder, ask: Ask) -> Iterator[tuple[dict[str, Any], list[Part]]]:
    parts = list(_parts(reader, folder))
    told: dict[int, Telling] = {}
    for telling in folder.tellings:
        for part in parts:
            if _belongs(part, telling):
                told[id(part)] = telling
    groups: dict[str, tuple[Telling | None, list[Part]]] = {}
    for part in parts:
        entry = told.get(id(part))
        if entry is None and part.kind == "explanation" and not any(cell.differs for cell in part.cells):
            continue  # the table that has it is not judged, and nobody tells it
        groups.setdefault(entry.id if entry else _own_id(part), (entry, []))[1].append(part)
    names = {t.table_name: t.locator for t in reader.all("SELECT * FROM source_table WHERE source = ?", folder.key)}
    for name, (entry, members) in groups.items():
        yield _finding(folder, names, name, entry, members, ask), members


def _belongs(part: Part, telling: Telling) -> bool:
    if isinstance(part.record, Explanation):
        return any(chosen.fits(part.record) for chosen in telling.explanations)
    return part.name in (telling.statements if part.kind == "statement" else telling.data_checks)


def _own_id(part: Part) -> str:
    """The anchor that the part has on every page: an explanation's is its method and place in the file."""
    if part.kind != "explanation":
        return part.name or part.kind
    method = next((cell.method for cell in part.cells if cell.method), "row")
    return f"{method}-{part.position}"


def _parts(reader: Reader, folder: SourceFolder) -> Iterator[Part]:
    by_position: dict[int, list[Cell]] = {}
    for cell in cells_of(reader, folder.key):
        by_position.setdefault(cell.explanation, []).append(cell)
    for position, explanation in enumerate(folder.explanations, start=1):
        if cells := by_position.get(position):
            yield Part("explanation", None, position, explanation, cells)
    unexplained = "SELECT DISTINCT row_label FROM verdict WHERE source = ? AND outcome = 'unexplained' ORDER BY ALL"
    for row in reader.all(unexplained, folder.key):
        found = [cell for cell in by_position.get(0, []) if cell.row_label == row.row_label]
        yield Part("unexplained", row.row_label, None, None, found)
    contradicted = {
        s.id for s in reader.all("SELECT id FROM statements WHERE source = ? AND status = 'contradicted'", folder.key)
    }
    results = reader.all("SELECT statement, figures FROM statement_result ORDER BY statement, position DESC")
    for statement in folder.statements:
        if statement.id in contradicted:
            figures = {
                k: v for r in results if r.statement == statement.id for k, v in json.loads(r.figures or "{}").items()
            }
            yield Part("statement", statement.id, None, statement, figures=figures)
    counts = {r.data_check: r.found for r in reader.all("SELECT data_check, found FROM data_check_result")}
    for check in folder.data_checks:
        if number := counts.get(check.id):
            yield Part("data_check", check.id, None, check, found=number)


def _finding(
    folder: SourceFolder, tables: Mapping[str, str], name: str, told: Telling | None, parts: list[Part], ask: Ask
) -> dict[str, Any]:
    """The columns of one finding."""
    cells = [cell for part in parts for cell in part.cells]
    affected = len({(cell.table_name, cell.position, cell.column_name) for cell in cells}) + sum(
        part.found for part in parts if not part.cells
    )
    first, pair, fault = parts[0], pair_of(cells), None
    values: dict[str, Any] = {"cells": affected, "factor": pair.factor if pair else None}
    headline = _headline(first, pair)
    if told is not None:
        try:
            more = _values(told, parts, ask)
            pair = told_pair(told, more) if told.bars else pair
            values |= {"factor": None if told.is_part or pair is None else pair.factor} | more
            headline = filled(told.headline, values) if told.headline else headline
        except (KeyError, QueryError) as error:
            fault = f"no column gives {error}" if isinstance(error, KeyError) else str(error)
    minor = _remark(told, parts)
    against = bool(told and told.against_itself) or any(
        part.kind == "statement" or part.cause == "source_inconsistent" for part in parts
    )
    is_open = any(part.cause == "unresolved" or part.kind == "unexplained" for part in parts)
    slight = minor is not None or all(part.cause in _MATTERS_OF_WORDS for part in parts)
    texts = [_text(part) for part in parts]
    return {
        "source": folder.key,
        "id": name,
        "weight": weight(values["factor"], values["cells"], against_itself=against, is_open=is_open, slight=slight),
        "headline": headline,
        "kind": {"statement": "sentence", "data_check": "data"}.get(first.kind, "figures"),
        "factor": values["factor"],
        "cells": values["cells"],
        "against_itself": against,
        "is_open": is_open,
        "remark": minor,
        "locator": (told and told.locator) or _locator(parts, tables, folder.source.name),
        "printed": _printed(parts),
        **{column.name: getattr(pair, column.name, None) for column in fields(Pair)},
        "found": " ".join(dict.fromkeys(texts)),
        "innocent": (told and told.innocent) or " ".join(dict.fromkeys(filter(None, map(_innocent, parts)))) or None,
        "correction": next((c for part in parts if (c := getattr(part.record, "correction", None))), None),
        "status": told.status if told else "not_reported",
        "reported": told.reported if told else None,
        "fault": fault,
    }  # fmt: skip


def _values(told: Telling, parts: Sequence[Part], ask: Ask) -> dict[str, Any]:
    """The numbers that a headline may use: of the parts' own queries, those of the first part first, and of its own.

    Raises:
        QueryError: a query is refused, fails, or gives another number of rows than one.
    """
    if not told.names and told.figures is None:
        return {}
    values: dict[str, Any] = {}
    for part in reversed(parts):
        evidence = part.record.evidence if part.record else None
        values |= {**part.figures, **(ask(evidence) if evidence else {})}
    values |= ask(told.figures) if told.figures else {}
    return {name: value for name, value in values.items() if value is not None}


def _remark(told: Telling | None, parts: Sequence[Part]) -> str | None:
    """A data check that nobody has given a headline is an observation; else what the catalog says."""
    if told is not None:
        return told.remark or next((r for part in parts if (r := getattr(part.record, "remark", None))), None)
    if parts[0].kind == "data_check":
        return "An observation; it may not be an error."
    return getattr(parts[0].record, "remark", None)


def _text(part: Part) -> str:
    record = part.record
    if isinstance(record, Explanation):
        return record.text
    if record is None:
        return "It differs from our count, and nobody has looked into it yet."
    return record.note or ""


def _innocent(part: Part) -> str | None:
    return None if part.record is None else part.record.innocent


def _locator(parts: Sequence[Part], tables: Mapping[str, str], source: str) -> str:
    """Where the parts stand, each table with its rows."""
    rows: dict[str, dict[str, None]] = {}
    for part in parts:
        if part.cells:
            for cell in part.cells:
                rows.setdefault(tables[cell.table_name], {})[cell.row_label] = None
        elif isinstance(part.record, Statement):
            rows.setdefault(part.record.locator, {})
    found = [f"{table}{_rows(labels)}" for table, labels in rows.items()]
    return "; ".join(found) or f"tables of {source}"


def _rows(labels: Sequence[str] | Mapping[str, None]) -> str:
    if not labels or len(labels) > MOST_ROWS_NAMED:
        return f", {len(labels)} rows" if labels else ""
    return f", row{'' if len(labels) == 1 else 's'} {', '.join(labels)}"


def _printed(parts: Sequence[Part]) -> str:
    """What stands there: figures by unit, sentences in our words, or what data checks look for."""
    said: list[str] = []
    by_unit: dict[str, dict[str, None]] = {}
    for part in parts:
        if isinstance(part.record, Statement):
            said.append(part.record.says)
        elif isinstance(part.record, DataCheck) and not parts[0].cells:
            said.append(part.record.looks_for)
        for cell in part.cells:
            unit = "" if cell.printed[-1:].isalpha() or not cell.unit else UNITS.get(cell.unit, f" {cell.unit}")
            by_unit.setdefault(unit, {})[cell.printed] = None
    figures = [f"{', '.join(found)}{unit}" for unit, found in by_unit.items()]
    return "; ".join([*said, *figures])


def _headline(part: Part, pair: Pair | None) -> str:
    """The headline of what the catalog does not tell in a sentence of its own."""
    if isinstance(part.record, Statement):
        return part.record.headline.removesuffix(".")
    if isinstance(part.record, DataCheck):
        return f"{part.record.looks_for[:1].upper()}{part.record.looks_for[1:]}: {part.found}"
    cell = part.cells[0]
    row = f"“{cell.row_label}”"
    if pair and pair.factor and pair.factor >= 1.1:
        more = "more" if pair.first_value > pair.second_value else "less"
        return f"{row} prints {pair.first_text}, {factor(pair.factor)} times {more} than our {pair.second_text}"
    if pair:
        return f"{row} prints {pair.first_text}, we have {pair.second_text}"
    return f"{row} prints {cell.printed}, we have {cell.measured or 'nothing'}"
