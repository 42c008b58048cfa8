"""catalog/measured: what the engine found, written so that a diff shows only what changed."""

from __future__ import annotations

import csv
import hashlib
import io
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from surveykit.catalog.load import Catalog
from surveykit.catalog.measurements import Cost, Measurement, MemoryUse, Run, TrialRow
from surveykit.catalog.staleness import Measure, key
from surveykit.record import Record


@dataclass(frozen=True, order=True)
class Cell:
    """One thing to measure: a configuration (method/configuration) on a backbone; on none for a trial."""

    backbone: str
    configuration: str

    @property
    def method(self) -> str:
        return self.configuration.split("/")[0]


@dataclass(frozen=True)
class Shelf:
    """A folder of catalog/measured: one file per method, one kind of row."""

    folder: str
    measure: Measure
    record: type[Record]
    identity: tuple[str, ...]
    """Fields that tell rows apart; their values order the file."""


COUNTS = Shelf("counts", "counts", Measurement, ("configuration", "backbone"))
COSTS = Shelf("costs", "costs", Cost, ("configuration", "backbone"))
MEMORY = Shelf("memory", "costs", MemoryUse, ("configuration", "backbone", "length", "dtype"))
TRIALS = Shelf("trials", "trials", TrialRow, ("configuration",))
SHELVES = (COUNTS, COSTS, MEMORY, TRIALS)


def recorded(catalog: Catalog, shelf: Shelf) -> tuple[Any, ...]:
    """The rows of a shelf."""
    rows: Mapping[str, tuple[Any, ...]] = {
        "counts": catalog.measurements, "costs": catalog.costs, "memory": catalog.memory, "trials": catalog.trials,
    }  # fmt: skip
    return rows[shelf.folder]


def cells(catalog: Catalog, measure: Measure = "counts") -> list[Cell]:
    """Everything there is to measure, backbone by backbone: on every T5, and counts on the backbones that a
    configuration names besides."""
    if measure == "trials":
        return sorted(Cell("", name) for name, _, _ in catalog.configurations())
    return sorted(
        Cell(backbone, name)
        for name, _, configuration in catalog.configurations()
        for backbone in catalog.backbones_of(configuration)
        if measure == "counts" or catalog.backbones[backbone].architecture == "t5"
    )


def current_key(catalog: Catalog, cell: Cell, measure: Measure = "counts") -> str:
    backbone = catalog.backbones[cell.backbone] if cell.backbone else None
    return key(catalog.recipe(cell.configuration), backbone, measure)


def stale(catalog: Catalog, measure: Measure = "counts") -> list[Cell]:
    """The cells whose recorded measurement is missing or speaks of another recipe, engine or backbone."""
    shelves = [shelf for shelf in SHELVES if shelf.measure == measure]
    keys: dict[Cell, set[str]] = defaultdict(set)
    complete: dict[Cell, set[str]] = defaultdict(set)
    for shelf in shelves:
        for row in recorded(catalog, shelf):
            cell = Cell(getattr(row, "backbone", ""), row.configuration)
            keys[cell].add(row.key)
            complete[cell].add(shelf.folder)
    wanted = {shelf.folder for shelf in shelves}
    return [
        cell
        for cell in cells(catalog, measure)
        if keys.get(cell) != {current_key(catalog, cell, measure)} or complete[cell] != wanted
    ]


def run_name(surveykit: str, python: str, torch: str, transformers: str) -> str:
    """The same environment always has the same name, so that repeating a run changes no file."""
    return hashlib.sha256("\n".join((surveykit, python, torch, transformers)).encode()).hexdigest()[:8]


def record(catalog: Catalog, fresh: Iterable[Record], run: Run) -> list[Path]:
    """Merge fresh rows into the files of a catalog and drop what the catalog no longer has.

    A cell that was measured anew loses all rows that it had on the same shelf.

    Returns:
        The files that changed. Each is written beside and renamed, so none is ever half-written.
    """
    rows = list(fresh)
    changed: list[Path] = []
    used: set[str] = set()
    for shelf in SHELVES:
        new = [row for row in rows if isinstance(row, shelf.record)]
        changed += _write_shelf(catalog, shelf, new, used)
    runs = sorted((r for r in {**catalog.runs, run.run: catalog.runs.get(run.run, run)}.values()), key=lambda r: r.run)
    runs_file = catalog.root / "measured" / "runs.csv"
    if _write(runs_file, Run, [r for r in runs if r.run in used]):
        changed.append(runs_file)
    return changed


def _write_shelf(catalog: Catalog, shelf: Shelf, new: list[Any], used: set[str]) -> list[Path]:
    if not new and not recorded(catalog, shelf):
        return []  # nothing is known of this shelf; what lies there stays
    wanted = set(cells(catalog, shelf.measure))
    measured = {_cell(row) for row in new}
    kept = [row for row in recorded(catalog, shelf) if _cell(row) in wanted and _cell(row) not in measured]
    rank = {b.id: i for i, b in enumerate(sorted(catalog.backbones.values(), key=lambda b: b.parameters))}

    def place(row: Any) -> tuple[Any, ...]:
        return tuple(rank[getattr(row, n)] if n == "backbone" else getattr(row, n) for n in shelf.identity)

    by_method: dict[str, list[Any]] = defaultdict(list)
    for row in sorted([*kept, *(row for row in new if _cell(row) in wanted)], key=place):
        by_method[row.configuration.split("/")[0]].append(row)
        used.add(row.run)
    folder = catalog.root / "measured" / shelf.folder
    if by_method:
        folder.mkdir(parents=True, exist_ok=True)
    changed = [path for m, rows in by_method.items() if _write(path := folder / f"{m}.csv", shelf.record, rows)]
    for path in folder.glob("*.csv"):
        if path.stem not in by_method:
            path.unlink()
            changed.append(path)
    return changed


def _cell(row: Any) -> Cell:
    return Cell(getattr(row, "backbone", ""), row.configuration)


def _write(path: Path, record: type[Record], rows: Iterable[Record]) -> bool:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(record.model_fields), lineterminator="\n")
    writer.writeheader()
    writer.writerows(row.model_dump() for row in rows)
    content = text.getvalue()
    if path.is_file() and path.read_text(encoding="utf-8") == content:
        return False
    beside = path.with_suffix(".csv.partial")
    beside.write_text(content, encoding="utf-8")
    os.replace(beside, path)
    return True
