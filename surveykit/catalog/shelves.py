"""The folders of catalog/measured and their files: which there are, how they are read, and what their rows must hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from os.path import lexists
from pathlib import Path
from typing import TYPE_CHECKING, Any

from surveykit.catalog import layers
from surveykit.catalog.loading import Loading, R
from surveykit.catalog.measurements import Cost, Measurement, MemoryUse, Prediction, Recorded, Run, TrialRow
from surveykit.catalog.saved_files import SavedFile
from surveykit.catalog.staleness import Measure

if TYPE_CHECKING:
    from surveykit.catalog.load import Catalog

AGAIN = "; run surveykit measure"


@dataclass(frozen=True)
class Shelf:
    """A folder of catalog/measured: one file per method, one kind of row."""

    folder: str
    measure: Measure
    record: type[Recorded]
    field: str
    """The field of a Catalog with its rows."""

    def rows(self, catalog: Catalog) -> tuple[Any, ...]:
        """Its rows in a catalog that was loaded."""
        found: tuple[Any, ...] = getattr(catalog, self.field)
        return found


SHELVES = (
    Shelf("counts", "counts", Measurement, "measurements"),
    Shelf("costs", "costs", Cost, "costs"),
    Shelf("memory", "costs", MemoryUse, "memory"),
    Shelf("predictions", "predictions", Prediction, "predictions"),
    Shelf("files", "files", SavedFile, "files"),
    Shelf("trials", "trials", TrialRow, "trials"),
)
RUNS = "runs.csv"


class Reading(Loading):
    """Reads files that are written again where they cannot be read."""

    def csv(self, path: Path, record: type[R]) -> list[R] | None:
        """The sound rows of a file. What is wrong with the whole of it, its header included, is told with a way out."""
        known = len(self.problems)
        rows = super().csv(path, record)
        new = self.problems[known:]
        self.problems[known:] = [p._replace(message=p.message + AGAIN * (rows is None or p.line == 1)) for p in new]
        return rows


def method_of(configuration: str) -> str:
    """The method of method/configuration."""
    return configuration.partition("/")[0]


def measured_fields(catalog: Catalog, reading: Reading, *, related: bool) -> dict[str, Any]:
    """The fields of a Catalog that come from its folder `measured`. A row at fault is left out, and its problem told.

    Args:
        catalog: the rest of it.
        reading: takes the problems.
        related: whether the rest is sound, so that rows can be put to it.
    """
    runs: dict[str, Run] = {}
    found: dict[Shelf, list[Any]] = {shelf: [] for shelf in SHELVES}
    for layer in layers.layers(catalog.root):
        folder = layer / "measured"
        runs = {**{run.run: run for run in read_runs(folder, reading)}, **runs}
        rows = {shelf: list(_rows_on(folder, shelf, reading)) for shelf in SHELVES}
        named = {row.run for of_shelf in rows.values() for row in of_shelf}
        if not named <= runs.keys():  # perhaps it was written just now, with its rows
            runs |= {run.run: run for run in read_runs(folder, Reading(reading.root))}
        for shelf, of_shelf in rows.items():
            known = {_place(row, shelf) for row in found[shelf]}
            found[shelf] += [row for row in of_shelf if _place(row, shelf) not in known]
    if related:
        names = {*(name for name, _, _ in catalog.configurations()), *catalog.variations}
        for shelf, rows_found in found.items():
            found[shelf] = [row for row in rows_found if _is_related(row, catalog, names, runs, reading)]
    return {"runs": runs, **{shelf.field: tuple(rows) for shelf, rows in found.items()}}


def _place(row: Any, shelf: Shelf) -> tuple[Any, ...]:
    return tuple(getattr(row, name) for name in shelf.record.identity)


def _rows_on(folder: Path, shelf: Shelf, reading: Reading) -> Iterator[Any]:
    for path in sorted((folder / shelf.folder).glob("*.csv")):
        yield from read_rows(path, shelf.record, reading) or ()


def read_rows(path: Path, record: type[Recorded], reading: Reading) -> list[Any] | None:
    """The sound rows of a file of one method; None where it cannot be read."""
    rows: list[Any] | None = reading.csv(path, record)
    astray = [row for row in rows or () if method_of(row.configuration) != path.stem]
    for row in astray:
        reading.on(row, f"'{row.configuration}' does not belong in this file{AGAIN}")
    return rows and [row for row in rows if row not in astray]


def read_runs(folder: Path, reading: Reading) -> list[Run]:
    """What runs.csv says; nothing where it is missing, which is a problem only for rows that name a run."""
    path = folder / RUNS
    return reading.csv(path, Run) or [] if lexists(path) else []


def _is_related(row: Any, catalog: Catalog, names: set[str], runs: dict[str, Run], reading: Reading) -> bool:
    """Whether what a row speaks of is there; else that is a problem."""
    faults = []
    if row.configuration not in names:
        faults.append(f"measures '{row.configuration}', which is not in the catalog")
    if getattr(row, "backbone", None) not in (None, *catalog.models):
        faults.append(f"measures on '{row.backbone}', which is not in the catalog")
    if row.run not in runs:
        faults.append(f"names the run '{row.run}', which {RUNS} lacks")
    for fault in faults:
        reading.on(row, fault + AGAIN)
    return not faults
