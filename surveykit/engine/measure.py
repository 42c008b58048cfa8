"""Measuring cells of the catalog: configurations on backbones."""

from __future__ import annotations

import datetime
import platform
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from itertools import groupby

import torch
import transformers

import surveykit
from surveykit.catalog.load import Catalog
from surveykit.catalog.measured import Cell, current_key, run_name
from surveykit.catalog.measurements import COUNTS, Measurement, Run
from surveykit.engine.backbones import build
from surveykit.engine.counts import count
from surveykit.errors import SurveyError

Watch = Callable[[Cell], None]
"""Called before each cell; a progress bar, for instance."""


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
                nothing = dict.fromkeys(COUNTS)
                outcome = {"status": "failed", "reason": str(error), **nothing}
            yield Measurement.model_validate({**place, **outcome, **origin})
