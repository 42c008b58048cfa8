"""What is recorded of counting a recipe on a backbone."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from surveykit.engine.counts import count
from surveykit.engine.models.model import Instance
from surveykit.errors import SurveyError
from surveykit.recipes import Recipe


def count_values(recipe: Recipe, instance: Instance) -> dict[str, Any]:
    """The counts by the names of their fields; a recipe that does not fit is a result, with its reason."""
    try:
        return {"status": "counted", **asdict(count(recipe, instance))}
    except SurveyError as error:
        return {"status": "failed", "reason": str(error)}
