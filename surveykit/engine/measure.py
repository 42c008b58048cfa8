"""Measuring: configurations on backbones, and each configuration on a tiny T5. What is found becomes records here."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import groupby
from typing import Any, TypeVar

import torch

from surveykit.catalog.load import Catalog
from surveykit.catalog.measured import Cell, current_key, this_run
from surveykit.catalog.measurements import Cost, Measurement, MemoryUse, Prediction, Recorded, TrialRow
from surveykit.catalog.models import Model
from surveykit.catalog.saved_files import SavedFile
from surveykit.catalog.settings import traced_settings
from surveykit.catalog.staleness import Measure
from surveykit.engine.measure_costs import cost_values
from surveykit.engine.measure_counts import count_values
from surveykit.engine.measure_files import file_values
from surveykit.engine.measure_predictions import step_values
from surveykit.engine.measure_trials import trial_values
from surveykit.engine.models.catalogued import blueprint, build
from surveykit.engine.models.model import Instance
from surveykit.engine.trace.costs import Costs

R = TypeVar("R", bound=Recorded)


def measure(catalog: Catalog, cells: Iterable[Cell]) -> Iterator[Measurement]:
    """Count each cell on the meta device: no weights, no network.

    A recipe that does not fit a backbone is a result, a measurement that failed with its reason.
    """
    run = this_run().run
    for backbone, group in groupby(sorted(cells), key=lambda cell: cell.backbone):
        instance = _built(catalog.models[backbone].model_dump_json())
        for cell in group:
            found = count_values(catalog.recipe(cell.configuration), instance)
            origin = {"provenance": "config", "key": current_key(catalog, cell), "run": run}
            yield _row(Measurement, cell, found, origin)


def trace(catalog: Catalog, cells: Iterable[Cell]) -> Iterator[list[Recorded]]:
    """Costs and memory of each cell, all rows of a cell together. A recipe that cannot run has its reason instead."""
    run = this_run().run
    ordered = sorted(cells, key=lambda cell: (cell.configuration, cell.backbone))
    for configuration, group in groupby(ordered, key=lambda cell: cell.configuration):
        of_one = [*group]
        models = [
            (
                _costs_on(catalog.models[cell.backbone].model_dump_json()),
                traced_settings(catalog, configuration, cell.backbone),
            )
            for cell in of_one
        ]
        for cell, (cost, memory) in zip(of_one, cost_values(catalog.recipe(configuration), models), strict=True):
            origin = {"key": current_key(catalog, cell), "run": run}
            yield [_row(Cost, cell, cost, origin), *(_row(MemoryUse, cell, one, origin) for one in memory)]


def predict(catalog: Catalog, cells: Iterable[Cell]) -> Iterator[list[Recorded]]:
    """Memory of each step that a source states of each cell, all rows of a cell together."""
    run = this_run().run
    for backbone, group in groupby(sorted(cells), key=lambda cell: cell.backbone):
        costs = _costs_on(catalog.models[backbone].model_dump_json())
        for cell in group:
            origin = {"key": current_key(catalog, cell), "run": run}
            recipe = catalog.recipe(cell.configuration)
            steps = catalog.printed_steps[cell.configuration, cell.backbone]
            yield [_row(Prediction, cell, step_values(recipe, costs, step), origin) for step in steps]


def files(catalog: Catalog, cells: Iterable[Cell]) -> Iterator[SavedFile]:
    """Sizes of the files whose sizes sources print of each cell, in the precisions of their runs."""
    run = this_run().run
    for cell in cells:
        model, recipe = blueprint(catalog.models[cell.backbone]), catalog.recipe(cell.configuration)
        origin = {"key": current_key(catalog, cell), "run": run}
        for held in sorted(catalog.printed_files[cell.configuration, cell.backbone], key=str):
            yield _row(SavedFile, cell, file_values(recipe, model, held), origin)


# A worker process gets group after group, all on the same few models, which have no weights here. It has one thread: a
# model takes one recipe at a time.
@lru_cache(maxsize=16)
def _built(model: str) -> Instance:
    return build(Model.model_validate_json(model))


@lru_cache(maxsize=16)
def _costs_on(model: str) -> Costs:
    return Costs(blueprint(Model.model_validate_json(model)))


def trials(catalog: Catalog, cells: Iterable[Cell]) -> Iterator[TrialRow]:
    """Run each configuration for real on a tiny T5."""
    run = this_run().run
    for cell in cells:
        origin = {"key": current_key(catalog, cell), "run": run}
        yield _row(TrialRow, cell, trial_values(catalog.recipe(cell.configuration)), origin)


def _row(record: type[R], cell: Cell, found: Mapping[str, Any], origin: Mapping[str, Any]) -> R:
    """A record of a cell; what was not found is null, and what has no field is left out."""
    values = {"configuration": cell.configuration, "backbone": cell.backbone, **found, **origin}
    return record.model_validate({name: values.get(name) for name in record.values_of()})


def together(catalog: Catalog, cells: Sequence[Cell]) -> list[Recorded]:
    """All that can be found in one process for cells of one configuration: costs and memory, predictions, sizes of
    files, trials. For worker processes."""
    of: dict[Measure, list[Cell]] = {}
    for cell in cells:
        of.setdefault(cell.measure, []).append(cell)
    with _as_worker():
        traced = [*trace(catalog, of.get("costs", ())), *predict(catalog, of.get("predictions", ()))]
        apart = (*files(catalog, of.get("files", ())), *trials(catalog, of.get("trials", ())))
        return [*(row for rows in traced for row in rows), *apart]


def counted(catalog: Catalog, cells: Sequence[Cell]) -> list[Measurement]:
    """The counts of cells, in one process. For worker processes."""
    with _as_worker():
        return list(measure(catalog, cells))


@contextmanager
def _as_worker() -> Iterator[None]:
    """One thread for torch, as each worker process has one core; where there is one group, it is the caller's process.
    Garbage is looked for at the end, and only in what was not there before: a search at every turn takes longer than it frees."""
    before, collects, frozen = torch.get_num_threads(), gc.isenabled(), gc.get_freeze_count() > 0
    torch.set_num_threads(1)
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.collect()
        if not frozen:
            gc.unfreeze()
        if collects:
            gc.enable()
        torch.set_num_threads(before)
