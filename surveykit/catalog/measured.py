"""catalog/measured: what there is to measure, what of it is stale, and what was found written so that a diff shows only
what changed."""

from __future__ import annotations

import csv
import datetime
import hashlib
import io
import os
import platform
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import surveykit
from surveykit.catalog.load import Catalog
from surveykit.catalog.lock import alone_in
from surveykit.catalog.measurements import Measurement, Recorded, Run
from surveykit.catalog.settings import traced_settings
from surveykit.catalog.shelves import RUNS, SHELVES, Reading, Shelf, method_of, read_rows, read_runs
from surveykit.catalog.staleness import Measure, key, model_text, recipe_text
from surveykit.errors import MissingExtra, Problem
from surveykit.interruption import together


@dataclass(frozen=True, order=True)
class Cell:
    """One thing to measure: a configuration (method/configuration) on a backbone; on none for a trial."""

    backbone: str
    configuration: str
    measure: Measure = "counts"

    @property
    def method(self) -> str:
        return method_of(self.configuration)

    def __str__(self) -> str:
        return f"{self.configuration} on {self.backbone}" if self.backbone else self.configuration


@dataclass(frozen=True)
class Recording:
    """What a run of `surveykit measure` measured and wrote."""

    cells: Mapping[Measure, int]
    """How many cells were measured: configurations on models for counts and costs, configurations for trials."""
    failed: tuple[Measurement, ...]
    """Counts that were recorded without figures, each with its `reason`: the recipe does not fit the model."""
    refused: tuple[str, ...]
    """Configurations that cannot run, recorded with the reason."""
    files: tuple[Path, ...]
    """Files of catalog/measured that changed."""
    faults: tuple[Problem, ...]
    """Lines of catalog/measured that could not be used, and were measured again if they are of a cell that was asked for."""
    left_out: tuple[str, ...] = ()
    """What was to be measured and could not be, for want of a package: a sentence each, which says what to install."""


def cell_of(row: Any) -> Cell:
    """The cell that a row speaks of."""
    measure = next(shelf.measure for shelf in SHELVES if isinstance(row, shelf.record))
    return Cell(getattr(row, "backbone", ""), row.configuration, measure)


def cells(catalog: Catalog, measure: Measure = "counts") -> list[Cell]:
    """Everything there is to measure, model by model: each configuration on every T5, and counts also on the models that
    it or a source names with it; predictions where a source prints memory of steps that it states, and files where it prints
    sizes of files of such runs."""
    if measure == "trials":
        return sorted(Cell("", name, measure) for name, _, _ in catalog.configurations())
    if measure == "predictions":
        return sorted(Cell(model, name, measure) for name, model in catalog.printed_steps)
    if measure == "files":
        return sorted(Cell(model, name, measure) for name, model in catalog.printed_files)
    names = [*(name for name, _, _ in catalog.configurations()), *catalog.variations]
    return sorted(
        Cell(model, name, measure)
        for name in names
        for model in catalog.models_of(name)
        if measure == "counts"
        or (catalog.models[model].dimensions.model_type == "t5" and name not in catalog.variations)
    )


_TEXTS: WeakKeyDictionary[Catalog, dict[tuple[str, ...], Any]] = WeakKeyDictionary()
"""What keys are made of. Many cells have the same recipe, model or settings."""


def current_key(catalog: Catalog, cell: Cell) -> str:
    """The key of what would be measured now. Raises as `staleness.key`."""
    known = _TEXTS.setdefault(catalog, {})

    def once(make: Callable[[], Any], *of: str) -> Any:
        if of not in known:
            known[of] = make()
        return known[of]

    recipe = once(lambda: recipe_text(catalog.recipe(cell.configuration)), "recipe", cell.configuration)
    model = once(lambda: model_text(catalog.models[cell.backbone] if cell.backbone else None), "model", cell.backbone)
    settings = once(lambda: repr(_settings(catalog, cell)), cell.measure, cell.configuration, cell.backbone)
    return key(recipe, model, cell.measure, settings)


def _settings(catalog: Catalog, cell: Cell) -> object:
    """All that is chosen before a cell is measured; None where nothing is."""
    if cell.measure == "costs":
        traced = traced_settings(catalog, cell.configuration, cell.backbone)
        return tuple(getattr(traced, field.name) for field in fields(traced))
    return sorted(_rows_wanted(catalog, cell), key=str) if cell.measure in ("predictions", "files") else None


def stale(catalog: Catalog, measure: Measure = "counts") -> list[Cell]:
    """The cells whose recorded measurement is missing, in part too, or was made with another recipe, backbone, setting
    or code."""
    keys: dict[Cell, set[str]] = defaultdict(set)
    known: dict[Cell, set[Any]] = defaultdict(set)
    for shelf in SHELVES:
        for row in shelf.rows(catalog) if shelf.measure == measure else ():
            keys[cell_of(row)].add(row.key)
            known[cell_of(row)].add(_row_in(row, shelf))

    def current(cell: Cell) -> bool:
        return keys.get(cell) == {current_key(catalog, cell)} and known[cell] == _rows_wanted(catalog, cell)

    return [cell for cell in cells(catalog, measure) if not current(cell)]


def _row_in(row: Any, shelf: Shelf) -> object:
    if shelf.folder == "memory":
        return row.batch, row.length, row.target_length, row.dtype
    if shelf.folder == "files":
        return row.held
    return row.step if shelf.folder == "predictions" else shelf.folder


def _rows_wanted(catalog: Catalog, cell: Cell) -> set[Any]:
    """What the rows of a cell are of, on all its shelves."""
    if cell.measure == "predictions":
        return {step.key for step in catalog.printed_steps.get((cell.configuration, cell.backbone), ())}
    if cell.measure == "files":
        return {*catalog.printed_files.get((cell.configuration, cell.backbone), ())}
    costs = cell.measure == "costs"
    return {
        cell.measure,
        *(traced_settings(catalog, cell.configuration, cell.backbone).rows() if costs else ()),
    }


def this_run() -> Run:
    """The environment that measures now. Its packages are not imported for that.

    Raises:
        MissingExtra: torch or transformers is not installed.
    """
    found: dict[str, str] = {}
    for package in ("torch", "transformers"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            raise MissingExtra(package, "measure") from None
    versions = {
        "surveykit": surveykit.__version__,
        "python": ".".join(platform.python_version_tuple()[:2]),
        "torch": found["torch"].partition("+")[0],
        "transformers": found["transformers"],
    }
    return Run.model_validate({"run": run_name(**versions), "date": datetime.date.today().isoformat(), **versions})


def run_name(surveykit: str, python: str, torch: str, transformers: str) -> str:
    """The same environment always has the same name, so that repeating a run changes no file."""
    return hashlib.sha256("\n".join((surveykit, python, torch, transformers)).encode()).hexdigest()[:8]


def record(catalog: Catalog, fresh: Iterable[Recorded], run: Run) -> list[Path]:
    """Merge rows that were just measured into the files as they are now, whoever wrote there meanwhile.

    Measuring a cell again replaces its rows in that folder. The run is written before the rows that
    name it, and each file beside and renamed: whenever this is cut off, what is there can be read.

    Returns:
        The files that changed.

    Raises:
        SurveyError: the folder cannot be written.
    """
    rows = list(fresh)
    folder = catalog.root / "measured"
    with alone_in(folder):
        new: dict[Path, str] = {}
        for shelf in SHELVES:
            own = [row for row in rows if isinstance(row, shelf.record)]
            for method in sorted({cell_of(row).method for row in own}):
                path = folder / shelf.folder / f"{method}.csv"
                added = [row for row in own if cell_of(row).method == method]
                text = _merged(catalog, shelf, path, added)
                if not path.is_file() or path.read_text(encoding="utf-8", errors="replace") != text:
                    new[path] = text
        if not new:
            return []
        runs = {known.run: known for known in read_runs(folder, Reading(catalog.root))} | {run.run: run}
        ordered = [runs[name] for name in sorted(runs)]
        with together:  # a cell has rows in several files
            changed = _write(folder / RUNS, _text(Run, ordered))
            return [*changed, *(path for at, text in new.items() for path in _write(at, text))]


def _merged(catalog: Catalog, shelf: Shelf, path: Path, added: list[Any]) -> str:
    measured = {cell_of(row) for row in added}
    there = read_rows(path, shelf.record, Reading(catalog.root)) if path.exists() else None
    kept = [row for row in there or () if cell_of(row) not in measured]
    return _text(shelf.record, sorted([*kept, *added], key=_order(catalog, shelf)))


def _order(catalog: Catalog, shelf: Shelf) -> Callable[[Any], tuple[Any, ...]]:
    """Rows stand by configuration, then by the size of the backbone."""
    sizes = sorted(catalog.models.values(), key=lambda b: (b.size or 0, b.id))
    rank = {backbone.id: position for position, backbone in enumerate(sizes)}

    def place(row: Any) -> tuple[Any, ...]:
        values = {name: getattr(row, name) for name in shelf.record.identity}
        return tuple((rank.get(v, len(rank)), v) if name == "backbone" else v for name, v in values.items())

    return place


def tidy(catalog: Catalog) -> list[Path]:
    """Drop rows of what is no longer in the catalog, runs that no row names, and what killed runs left behind.

    Returns:
        The files that changed. Raises as `record`.
    """
    folder = catalog.root / "measured"
    if not folder.is_dir():
        return []
    changed: list[Path] = []
    used: set[str] = set()
    with alone_in(folder):
        for path in folder.rglob("*.partial"):
            path.unlink(missing_ok=True)
        for shelf in SHELVES:
            wanted = set(cells(catalog, shelf.measure))
            for path in sorted((folder / shelf.folder).glob("*.csv")):
                there = read_rows(path, shelf.record, Reading(catalog.root))
                if there is None:
                    continue  # it cannot be read, which the loader tells
                # Somebody else may have added a method since this catalog was loaded, and have measured it.
                foreign = path.stem not in catalog.methods and (catalog.root / "methods" / f"{path.stem}.yaml").exists()
                kept: list[Any] = [row for row in there if foreign or cell_of(row) in wanted]
                used |= {row.run for row in kept}
                if kept:
                    changed += _write(path, _text(shelf.record, kept))
                else:
                    path.unlink()
                    changed.append(path)
        runs = [run for run in read_runs(folder, Reading(catalog.root)) if run.run in used]  # last: rows name them
        if used or (folder / RUNS).exists():
            changed += _write(folder / RUNS, _text(Run, runs))
    return changed


def _text(record: type[Recorded], rows: Iterable[Recorded]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(record.model_fields), lineterminator="\n")
    writer.writeheader()
    writer.writerows(row.model_dump() for row in rows)
    return text.getvalue()


def _write(path: Path, content: str) -> list[Path]:
    """The file, where it changed."""
    with suppress(OSError, UnicodeDecodeError):
        if path.read_text(encoding="utf-8") == content:
            return []
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".csv.partial")
    beside.write_text(content, encoding="utf-8")
    os.replace(beside, path)
    return [path]
