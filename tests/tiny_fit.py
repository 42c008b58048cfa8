"""Some widths fit no small model: a block of 256 divides no side of 96, and a library refuses it too."""

from __future__ import annotations

from surveykit.engine import Instance, count
from surveykit.engine.counts import Counts
from surveykit.errors import RecipeError
from surveykit.recipes import Recipe


def counted(recipe: Recipe, instance: Instance) -> Counts | None:
    """The counts, or None where a kind of edit says that its widths do not fit; whatever else is wrong is raised."""
    try:
        return count(recipe, instance)
    except RecipeError as error:
        if f"does not fit {instance.name}: " not in str(error):
            raise
        return None
