"""catalog/measured: what the engine found, written so that a diff shows only what changed."""

from __future__ import annotations

import csv
import hashlib
import io
import os
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from surveykit.catalog.load import Catalog
from surveykit.catalog.measurements import Measurement, Run
from surveykit.catalog.staleness import key
from surveykit.record import Record


@dataclass(frozen=True, order=True)
class Cell:
    """One thing to measure: a configuration (method/configuration) on a backbone."""

    backbone: str
    configuration: str


def cells(catalog: Catalog) -> list[Cell]:
    """Everything there is to measure, backbone by backbone."""
    return sorted(Cell(backbone, name) for name, _, _ in catalog.configurations() for backbone in catalog.backbones)


def current_key(catalog: Catalog, cell: Cell) -> str:
    return key(catalog.recipe(cell.configuration), catalog.backbones[cell.backbone])


def stale(catalog: Catalog) -> list[Cell]:
    """The cells whose recorded measurement is missing or speaks of another recipe, engine or backbone."""
    recorded = {Cell(m.backbone, m.configuration): m.key for m in catalog.measurements}
    return [cell for cell in cells(catalog) if recorded.get(cell) != current_key(catalog, cell)]


def run_name(surveykit: str, python: str, torch: str, transformers: str) -> str:
    """The same environment always has the same name, so that repeating a run changes no file."""
    return hashlib.sha256("\n".join((surveykit, python, torch, transformers)).encode()).hexdigest()[:8]


def record(catalog: Catalog, fresh: Iterable[Measurement], run: Run) -> list[Path]:
    """Merge fresh measurements into the files of a catalog and drop what the catalog no longer has.

    Returns:
        The files that changed. Each is written beside and renamed, so none is ever half-written.
    """
    wanted = {(cell.configuration, cell.backbone) for cell in cells(catalog)}
    merged = {(m.configuration, m.backbone): m for m in catalog.measurements}
    for m in fresh:
        merged[m.configuration, m.backbone] = m
    by_method: dict[str, list[Measurement]] = defaultdict(list)
    order = list(catalog.backbones.values())
    rank = {b.id: i for i, b in enumerate(sorted(order, key=lambda b: b.parameters))}
    for place in sorted(merged, key=lambda place: (place[0], rank.get(place[1], 0))):
        if place in wanted:
            by_method[place[0].split("/")[0]].append(merged[place])
    used = {m.run for rows in by_method.values() for m in rows}
    runs = sorted((r for r in {**catalog.runs, run.run: catalog.runs.get(run.run, run)}.values()), key=lambda r: r.run)
    folder = catalog.root / "measured" / "counts"
    folder.mkdir(parents=True, exist_ok=True)
    changed = [
        path for method, rows in by_method.items() if _write(path := folder / f"{method}.csv", Measurement, rows)
    ]
    for path in folder.glob("*.csv"):
        if path.stem not in by_method:
            path.unlink()
            changed.append(path)
    runs_file = catalog.root / "measured" / "runs.csv"
    if _write(runs_file, Run, [r for r in runs if r.run in used]):
        changed.append(runs_file)
    return changed


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
