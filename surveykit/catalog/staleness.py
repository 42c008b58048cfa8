"""When a recorded measurement no longer speaks of what is in the catalog."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Literal

from surveykit.catalog.backbones import Backbone
from surveykit.recipes import Recipe

Measure = Literal["counts", "costs", "trials"]
"""What is measured: numbers of parameters; memory, backward and inference; a run on a tiny T5."""

_PACKAGE = Path(__file__).parent.parent
_DESCRIBES_BACKBONE = {"id", "name", "survey_label", "checkpoint", "paper", "parameters_source"}
_RECIPES = ("__init__", "base", "masks", "optimizers", "quantization", "sites")
_COUNTING = ("attach", "backbones", "counts", "masking", "models", "parts", "roles", "slots")
_RUNNING = ("hooks", "inputs", "parameters", "prefixes", "side", "optimizers")
SOURCES: Mapping[Measure, tuple[str, ...]] = {
    "counts": _COUNTING,
    "costs": (*_COUNTING, *_RUNNING, "accumulation", "backprop", "costs", "extrapolation", "flops", "inference", "memory", "objectives", "replay", "spans",
              "tracing"),
    "trials": (*_COUNTING, *_RUNNING, "allocation", "differences", "movement", "objectives", "saving",
               "tiny", "training", "trial"),
}  # fmt: skip
"""The modules of the engine that each measure rests on."""


@cache
def _source(folder: str, module: str) -> bytes:
    path = _PACKAGE / folder / f"{module}.py"
    return path.read_bytes() if path.is_file() else b""


def key(recipe: Recipe, backbone: Backbone | None, measure: Measure = "counts") -> str:
    """Sixteen hex digits over the recipe, the sources that execute it, and the backbone's dimensions.

    Prose is not in it, and of the kinds of edits only the modules that the recipe uses. Without a backbone (a trial
    makes its own) there are no dimensions in it.
    """
    kinds = {type(edit).__module__.rsplit(".", 1)[1] for stage in recipe.stages for edit in stage.edits}
    digest = hashlib.sha256()
    digest.update(recipe.model_dump_json().encode())
    if backbone is not None:
        digest.update(backbone.model_dump_json(exclude=_DESCRIBES_BACKBONE).encode())
    for kind in sorted({*_RECIPES, *kinds}):
        digest.update(_source("recipes", kind))
    for module in SOURCES[measure]:
        digest.update(_source("engine", module))
    return digest.hexdigest()[:16]
