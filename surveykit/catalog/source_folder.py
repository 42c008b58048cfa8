"""catalog/sources/<key> → SourceFolder: the files of one source, with all that is wrong with each."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from os.path import lexists
from pathlib import Path
from typing import TypeVar

from surveykit.catalog.findings import Telling, Tellings
from surveykit.catalog.loading import Loading
from surveykit.catalog.second_reading import SecondReading
from surveykit.catalog.sources import (
    KEY_PATTERN,
    NAME_PATTERN,
    Explanation,
    Explanations,
    Names,
    Source,
    Table,
)
from surveykit.catalog.statements import Citation, DataCheck, DataChecks, Missing, Said, Statement, Statements
from surveykit.errors import Problem, nearest
from surveykit.record import Record

R = TypeVar("R", bound=Record)
Cells = Mapping[str, str]
"""A row of a table as printed, by column; an empty cell is an empty text."""
MOST_ROWS = 100_000
"""Rows of a table: far above any that people print."""


@dataclass(frozen=True)
class PrintedTable:
    """A table of a source: what it means, and its cells."""

    id: str
    meaning: Table
    rows: tuple[Cells, ...]
    lines: tuple[int, ...]
    """Line of the CSV file on which each row ends."""


@dataclass(frozen=True)
class SourceFolder:
    """Everything that the files of one source say."""

    key: str
    source: Source
    tables: Mapping[str, PrintedTable]
    unread: frozenset[str]
    """Tables whose files are at fault."""
    names: Names
    explanations: tuple[Explanation, ...]
    statements: tuple[Statement, ...]
    data_checks: tuple[DataCheck, ...]
    tellings: tuple[Telling, ...]
    said: tuple[Said, ...]
    citations: tuple[Citation, ...]
    missing: tuple[Missing, ...]
    second_readings: tuple[SecondReading, ...]
    views: tuple[Path, ...]
    """SQL files that read its tables in ways of their own, in alphabetical order."""


def read_source(loading: Loading, folder: Path) -> SourceFolder | None:
    """The source of a folder; None, with problems, where another file than those of its tables is at fault.

    Every file but source.yaml may be missing.
    """
    key, before = folder.name, len(loading.problems)
    if not re.fullmatch(KEY_PATTERN, key):
        loading.problem(
            folder, "the key of a source is lower-case words and numbers joined by hyphens, with a letter first"
        )
        return None
    source = loading.required_yaml(folder / "source.yaml", Source, "what the source is, and how it was read")
    names = loading.yaml(folder / "names.yaml", Names) or Names()
    explained = loading.yaml(folder / "explanations.yaml", Explanations)
    statements = loading.yaml(folder / "statements.yaml", Statements)
    checks = loading.yaml(folder / "data_checks.yaml", DataChecks)
    told = loading.yaml(folder / "findings.yaml", Tellings)

    def rows(name: str, record: type[R]) -> tuple[R, ...]:
        return tuple(loading.csv(folder / name, record) or ()) if lexists(folder / name) else ()

    lists = (
        rows("said.csv", Said),
        rows("citations.csv", Citation),
        rows("missing.csv", Missing),
        rows("second_reading.csv", SecondReading),
    )
    sound = len(loading.problems) == before
    tables = {table.id: table for table in _tables(loading, folder / "tables")}
    if source is None or not sound:
        return None
    return SourceFolder(
        key, source, tables, frozenset(path.stem for path in (folder / "tables").glob("*.*")) - tables.keys(), names,
        explained.explanations if explained else (),
        statements.statements if statements else (),
        checks.checks if checks else (),
        told.findings if told else (),
        *lists,
        views=tuple(sorted((folder / "views").glob("*.sql"))),
    )  # fmt: skip


def _tables(loading: Loading, folder: Path) -> list[PrintedTable]:
    meanings = {path.stem: path for path in sorted(folder.glob("*.yaml"))}
    printed = {path.stem: path for path in sorted(folder.glob("*.csv"))}
    for name in sorted(printed.keys() - meanings.keys()):
        loading.problem(printed[name], f"{name}.yaml is missing: what its rows and columns mean")
    found = []
    for name, path in meanings.items():
        if not re.fullmatch(NAME_PATTERN, name):
            loading.problem(path, "a table's file is named in lower-case letters, digits and underscores")
            continue
        meaning = loading.yaml(path, Table)
        if name not in printed:
            loading.problem(path, f"{name}.csv is missing: the table as printed")
        elif meaning is not None:
            found.append(_printed_table(loading, name, meaning, printed[name]))
    return [table for table in found if table is not None]


def _printed_table(loading: Loading, name: str, meaning: Table, path: Path) -> PrintedTable | None:
    text = loading.text(path)
    if text is None:
        return None
    reader = csv.reader(io.StringIO(text), strict=True)
    rows: list[Cells] = []
    lines: list[int] = []
    declared = meaning.names()
    try:
        columns = next(reader, [])
        if not _columns_fit(loading, path, columns, declared):
            return None
        for cells in reader:
            if len(cells) != len(columns):
                message = f"this line has {len(cells)} cells, not {len(columns)}"
                loading.problems.append(Problem(loading.name(path), reader.line_num, 1, message))
            elif len(rows) < MOST_ROWS:
                rows.append(dict(zip(columns, cells, strict=True)))
                lines.append(reader.line_num)
    except csv.Error as error:
        loading.problems.append(Problem(loading.name(path), max(reader.line_num, 1), 1, f"not CSV: {error}"))
        return None
    return PrintedTable(name, meaning, tuple(rows), tuple(lines))


def _columns_fit(loading: Loading, path: Path, columns: list[str], declared: list[str]) -> bool:
    """Whether a file has the columns that its table declares, each once."""
    faults = [
        *(f"the column '{name}' appears twice" for name in sorted({c for c in columns if columns.count(c) > 1})),
        *(f"{path.stem}.yaml declares no column '{c[:60]}'{nearest(c, declared)}" for c in columns if c not in declared),
        *(f"the declared column '{c}' is missing{nearest(c, columns)}" for c in declared if c not in columns),
        *(f"'{c}' is no name of a column: lower-case letters, digits and underscores"
          for c in columns if c in declared and not re.fullmatch(NAME_PATTERN, c)),
    ]  # fmt: skip
    loading.problems += [Problem(loading.name(path), 1, 1, fault) for fault in faults]
    return not faults
