"""How far the calculator of the page "Will it fit?" is from direct traces, at settings that were not recorded.

The page computes any batch and length from traces at one batch and three lengths. This traces every default
configuration at other settings, compares the peaks, and writes what it finds to benchmarks/fit_error.json, which the
page reads. Run it again after `surveykit measure`, whose recorded traces it uses; it takes some minutes.

    python benchmarks/fit_error.py
"""

from __future__ import annotations

import datetime
import tempfile
from pathlib import Path

import torch
import transformers
from tqdm import tqdm

from surveykit.catalog.load import Catalog, load
from surveykit.catalog.training import SURVEYS
from surveykit.database.build import build as build_database
from surveykit.database.reading import Reader, reading
from surveykit.engine.models.catalogued import blueprint
from surveykit.engine.trace.costs import Costs
from surveykit.fit.accuracy import Accuracy, At
from surveykit.fit.recorded import WIDTHS, Recorded, recorded

ROOT = Path(__file__).parent.parent
WRITTEN = Path(__file__).with_suffix(".json")
BACKBONES = ("t5-small", "t5-base", "t5-3b")
SETTINGS = ((1, 64), (1, 1024), (2, 640), (4, 1024), (8, 384), (20, 96), (64, 128))
"""Batch and length."""
LEAST_GB = 1.0
"""Peaks below it fit anywhere, so their errors are of no use to anybody."""


def errors(catalog: Catalog, costs: Costs, row: Recorded, batch: int, length: int) -> list[tuple[str, float]]:
    """Errors of a configuration in percent of the traced peak, in each width of numbers."""
    name = row.candidate.configuration
    found = []
    for width in WIDTHS:
        training = SURVEYS.model_copy(update={"dtype": width})
        stages = catalog.recipe(name).stages
        peak = max(costs.training(stage, batch, length, training=training).memory.peak for stage in stages)
        if peak >= LEAST_GB * 1e9:
            found.append((name, 100 * (row.scalings[width].at(batch, length).peak / peak - 1)))
    return found


def measured(catalog: Catalog, reader: Reader) -> list[At]:
    """What is found on each backbone at each setting; nothing for one without a peak that is large enough."""
    work = [(backbone, row) for backbone in BACKBONES for row in recorded(reader, backbone)]
    costs = {backbone: Costs(blueprint(catalog.models[backbone])) for backbone in BACKBONES}
    found: dict[tuple[str, int, int], list[tuple[str, float]]] = {}
    for backbone, row in tqdm(work, unit="configuration"):
        for batch, length in SETTINGS:
            found.setdefault((backbone, batch, length), []).extend(errors(catalog, costs[backbone], row, batch, length))
    return [At.of(*setting, figures) for setting, figures in found.items() if figures]


def main() -> None:
    catalog = load(ROOT / "catalog")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fit.duckdb"
        build_database(catalog, path)
        with reading(path) as reader:
            settings = measured(catalog, reader)
    accuracy = Accuracy(
        date=datetime.date.today(), torch=torch.__version__.partition("+")[0], transformers=transformers.__version__,
        least_gb=LEAST_GB, settings=tuple(settings),
    )  # fmt: skip
    WRITTEN.write_text(accuracy.model_dump_json(indent=1) + "\n", encoding="utf-8")
    largest = max(settings, key=lambda at: at.largest_percent)
    print(
        f"{accuracy.figures} peaks: off by {accuracy.mean_percent:.2f} % in the mean; at most by"
        f" {largest.largest_percent} % ({largest.largest_of} on {largest.backbone} at batch {largest.batch})"
    )


if __name__ == "__main__":
    main()
