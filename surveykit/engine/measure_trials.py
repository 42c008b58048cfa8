"""What is recorded of running a recipe for real on a tiny T5."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from surveykit.engine.train.trial import trial
from surveykit.errors import RecipeError
from surveykit.recipes import Recipe


def trial_values(recipe: Recipe) -> dict[str, Any]:
    """What it did, by name, more than is recorded; a recipe that cannot run has its reason instead."""
    try:
        found = trial(recipe)
    except RecipeError as error:
        return {"status": "refused", "reason": str(error)}
    falls = None if found.loss_falls is None else _word(found.loss_falls)
    return {"status": "run", **asdict(found), "loss_falls": falls, "restored": _word(found.restored)}


def _word(value: bool) -> str:
    return "yes" if value else "no"
