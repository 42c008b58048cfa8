"""When a recorded measurement no longer speaks of what is in the catalog."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Literal

from surveykit.catalog.models import Model
from surveykit.catalog.package_code import PackageCode
from surveykit.recipes import Recipe

Measure = Literal["counts", "costs", "predictions", "files", "trials"]
"""What is measured: numbers of parameters; memory, backward and inference; memory of the steps whose memory sources print; sizes
of the files whose sizes they print; a run on a tiny T5."""

ENTRIES: Mapping[Measure, tuple[str, ...]] = {
    "counts": ("surveykit.engine.models.catalogued", "surveykit.engine.measure_counts"),
    "costs": ("surveykit.engine.models.catalogued", "surveykit.engine.measure_costs"),
    "predictions": ("surveykit.engine.models.catalogued", "surveykit.engine.measure_predictions"),
    "files": ("surveykit.engine.models.catalogued", "surveykit.engine.measure_files"),
    "trials": ("surveykit.engine.measure_trials",),
}
"""Where each measure begins: a change of any module that is reached from there may change what it finds."""

CODE = PackageCode(Path(__file__).parent.parent)


@cache
def _code(measure: Measure, kinds: frozenset[str]) -> str:
    return CODE.digest([*ENTRIES[measure], *kinds])


def recipe_text(recipe: Recipe) -> tuple[str, frozenset[str]]:
    """A recipe as it stands in keys, and the modules of its kinds of edits."""
    return recipe.model_dump_json(), frozenset(type(edit).__module__ for stage in recipe.stages for edit in stage.edits)


def model_text(model: Model | None) -> str:
    """A model as it stands in keys."""
    return "" if model is None else json.dumps([model.counts, model.config], sort_keys=True)


def key(recipe: tuple[str, frozenset[str]], model: str, measure: Measure, settings: str) -> str:
    """Sixteen hex digits over all that decides over what is found: recipe, model, settings, and the code.

    Prose is not in it, and of the kinds of edits only the modules that the recipe uses. A trial makes a model of its
    own, and only trials and counts have no settings, which are told apart as they are written.

    Raises:
        SurveyError: a module of the engine names one that does not exist.
    """
    text, kinds = recipe
    return hashlib.sha256("\n".join((text, model, settings, _code(measure, kinds))).encode()).hexdigest()[:16]
