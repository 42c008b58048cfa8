"""Measuring: configurations on backbones, and each configuration on a tiny T5."""

from __future__ import annotations

import datetime
import platform
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from itertools import groupby
from typing import Any

import torch
import transformers

import surveykit
from surveykit.catalog.load import Catalog
from surveykit.catalog.measured import Cell, current_key, run_name
from surveykit.catalog.measurements import COUNTS, Cost, Measurement, MemoryUse, Run, TrialRow
from surveykit.engine.backbones import blueprint, build
from surveykit.engine.costs import DTYPES, TARGET_LENGTH, Costs, InferenceCost, TrainingCost
from surveykit.engine.counts import count
from surveykit.engine.trial import trial
from surveykit.errors import RecipeError, SurveyError
from surveykit.record import Record

Watch = Callable[[Cell], None]
"""Called before each cell; a progress bar, for instance."""

CENTRAL_LENGTH = 256
BAND_LENGTHS = (128, 512)
"""Positions of the encoder's input: the declared setting, and the others that show whether an answer depends on it."""
LARGEST_BATCH = 32
SETTING_DATASET = "RTE"
"""The row of the survey's Table 3 that gives the batch; a backbone without a row has the largest batch there."""


def this_run() -> Run:
    """The environment that measures now."""
    versions = {
        "surveykit": surveykit.__version__,
        "python": ".".join(platform.python_version_tuple()[:2]),
        "torch": torch.__version__.partition("+")[0],
        "transformers": transformers.__version__,
    }
    return Run(run=run_name(**versions), date=datetime.date.today().isoformat(), **versions)


def measure(catalog: Catalog, cells: Iterable[Cell], watch: Watch = lambda cell: None) -> Iterator[Measurement]:
    """Count each cell on the meta device: no weights, no network. Each backbone is built once.

    A recipe that does not fit a backbone is a result, a measurement that failed with its reason.
    """
    run = this_run().run
    for backbone, group in groupby(sorted(cells), key=lambda cell: cell.backbone):
        instance = build(catalog.backbones[backbone])
        for cell in group:
            watch(cell)
            place = {"configuration": cell.configuration, "backbone": backbone}
            origin = {"provenance": "config", "key": current_key(catalog, cell), "run": run}
            try:
                counts = asdict(count(catalog.recipe(cell.configuration), instance))
                outcome = {"status": "counted", "reason": None, **counts}
            except SurveyError as error:
                outcome = {"status": "failed", "reason": str(error), **dict.fromkeys(COUNTS)}
            yield Measurement.model_validate({**place, **outcome, **origin})


def batch_of(catalog: Catalog, backbone: str) -> int:
    """Examples at once: the microbatch of the survey's Table 3."""
    label = catalog.backbones[backbone].survey_label
    rows = (m for m in catalog.survey.table3 if m.backbone_label == label and m.dataset == SETTING_DATASET)
    return next((m.microbatch for m in rows), LARGEST_BATCH)


def lengths_of(catalog: Catalog, cell: Cell) -> tuple[int, ...]:
    """Defaults of methods, and what rows of Table 5 are read as on its backbones, are traced at all lengths; others at
    one."""
    found = next(c for name, _, c in catalog.configurations() if name == cell.configuration)
    in_table5 = bool(found.survey_rows) and catalog.backbones[cell.backbone].survey_label is not None
    return (CENTRAL_LENGTH, *BAND_LENGTHS) if found.default or in_table5 else (CENTRAL_LENGTH,)


def trace(catalog: Catalog, cells: Iterable[Cell], watch: Watch = lambda cell: None) -> Iterator[list[Record]]:
    """Costs and memory of each cell, all rows of a cell together. A recipe that cannot run has its reason instead."""
    for backbone, group in groupby(sorted(cells), key=lambda cell: cell.backbone):
        costs = Costs(blueprint(catalog.backbones[backbone]))
        for cell in group:
            watch(cell)
            yield _trace_cell(catalog, costs, cell)


def _trace_cell(catalog: Catalog, costs: Costs, cell: Cell) -> list[Record]:
    recipe = catalog.recipe(cell.configuration)
    batch, lengths = batch_of(catalog, cell.backbone), lengths_of(catalog, cell)
    place = {"configuration": cell.configuration, "backbone": cell.backbone}
    origin = {"key": current_key(catalog, cell, "costs"), "run": this_run().run}
    try:
        inference = costs.inference(recipe)
        steps = {length: [costs.training(stage, batch, length) for stage in recipe.stages] for length in lengths}
    except RecipeError as error:
        refused = {"status": "refused", "reason": str(error), **origin}
        rows: list[Record] = [Cost.model_validate({**dict.fromkeys(Cost.model_fields), **place, **refused})]
        for length in lengths:
            for dtype in DTYPES:
                setting = _setting(batch, length, dtype)
                values = {**dict.fromkeys(MemoryUse.model_fields), **place, **setting, **refused}
                rows.append(MemoryUse.model_validate(values))
        return rows
    traced = {"status": "traced", "reason": None, **origin}
    figures = {**place, **traced, **_cost(inference, steps[CENTRAL_LENGTH][-1])}
    found: list[Record] = [Cost.model_validate(figures)]
    for length, stages in steps.items():
        for dtype in DTYPES:
            task = asdict(stages[-1].memory[dtype])
            most = max(stage.memory[dtype].peak for stage in stages)
            values = {**place, **_setting(batch, length, dtype), **traced, **task, "peak_any_stage": most}
            found.append(MemoryUse.model_validate(values))
    return found


def _setting(batch: int, length: int, dtype: str) -> dict[str, Any]:
    return {"batch": batch, "length": length, "target_length": TARGET_LENGTH, "dtype": dtype}


def _cost(inference: InferenceCost, step: TrainingCost) -> dict[str, Any]:
    beside, merged = inference.unmerged, inference.merged
    return {
        "blocks": step.backprop.blocks,
        "blocks_backward": step.backprop.blocks_backward,
        "blocks_input_gradient": step.backprop.blocks_input_gradient,
        "activation_gradient_flops": step.backprop.activation_gradient_flops,
        "forward_flops": step.forward_flops,
        "backward_flops": step.backward_flops,
        "inference_flops": beside.flops,
        "merged_flops": merged.flops,
        "bare_flops": inference.bare_flops,
        "inference_elementwise": beside.elementwise,
        "merged_elementwise": merged.elementwise,
        "bare_elementwise": inference.bare_elementwise,
        "inference_parameters": beside.parameters,
        "merged_parameters": merged.parameters,
        "inference_positions": beside.positions,
        "merged_positions": merged.positions,
        "overhead_unmerged": beside.overhead,
        "overhead_merged": merged.overhead,
    }


def trials(catalog: Catalog, cells: Iterable[Cell], watch: Watch = lambda cell: None) -> Iterator[TrialRow]:
    """Run each configuration for real on a tiny T5."""
    for cell in cells:
        watch(cell)
        origin = {"key": current_key(catalog, cell, "trials"), "run": this_run().run}
        empty = {**dict.fromkeys(TrialRow.model_fields), "configuration": cell.configuration, **origin}
        try:
            found = asdict(trial(catalog.recipe(cell.configuration)))
        except RecipeError as error:
            yield TrialRow.model_validate({**empty, "status": "refused", "reason": str(error)})
            continue
        falls = found.pop("loss_falls")
        words = {"loss_falls": None if falls is None else _word(falls), "restored": _word(found.pop("restored"))}
        figures = {name: value for name, value in found.items() if name in TrialRow.model_fields}
        yield TrialRow.model_validate({**empty, **figures, **words, "status": "run"})


def _word(value: bool) -> str:
    return "yes" if value else "no"


def together(catalog: Catalog, cells: Sequence[Cell]) -> list[Record]:
    """All that can be found in one process for cells of one configuration: costs and memory, or trials. For worker processes."""
    on_backbones = [cell for cell in cells if cell.backbone]
    with _one_thread():
        rows = [row for found in trace(catalog, on_backbones) for row in found]
        return [*rows, *trials(catalog, [cell for cell in cells if not cell.backbone])]


def counted(catalog: Catalog, cells: Sequence[Cell]) -> list[Measurement]:
    """The counts of cells, in one process. For worker processes."""
    with _one_thread():
        return list(measure(catalog, cells))


@contextmanager
def _one_thread() -> Iterator[None]:
    """One thread for torch, as each worker process has one core; where there is one group, it is the caller's process."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
