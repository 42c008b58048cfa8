"""The size of a method (rank, bottleneck, length…) that comes nearest to a number of trained parameters."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from surveykit.engine.counts import count
from surveykit.engine.models import Instance
from surveykit.errors import RecipeError
from surveykit.recipes import Edit, Recipe

LARGEST = 1 << 20
"""No size beyond this is tried."""


def sized_for(instance: Instance, name: str, recipe: Recipe, budget: Fraction) -> tuple[Recipe, str]:
    """The recipe with the size whose trained parameters are nearest to the budget, and that size in words.

    The number is taken to grow with the size, as it does for every kind that has one.

    Raises:
        RecipeError: the recipe has no size, or several; or it does not fit the model.
    """
    names = sorted({edit.size_name for edit in _edits(recipe) if edit.size_name is not None})
    if not names:
        raise RecipeError(f"{name} has no hyper-parameter that sets how much it trains")
    if len(names) > 1:
        raise RecipeError(f"{name} has several hyper-parameters that set how much it trains: {', '.join(names)}")
    counted: dict[int, int] = {}

    def trained(size: int) -> int | None:
        """None where the edit cannot be so large."""
        if size not in counted:
            try:
                counted[size] = count(resized(recipe, size), instance).trainable_task
            except ValueError:
                return None
        return counted[size]

    fixed = count(recipe, instance)  # first of all as it is, so that what does not fit is said
    least = next((size for size in (1, 2) if trained(size) is not None), None)
    if least is None:
        raise RecipeError(f"{name} cannot be of another size than it has ({fixed.trainable_task:,} trained)")
    low, high = least, least
    while (found := trained(high)) is not None and found < budget and high < LARGEST:
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        found = trained(middle)
        low, high = (middle, high) if found is not None and found < budget else (low, middle)
    best = min(counted, key=lambda size: (abs(counted[size] - budget), size))
    return resized(recipe, best), f"{names[0]} {best}"


def resized(recipe: Recipe, size: int) -> Recipe:
    """The recipe with all its sized edits of this size.

    Raises:
        ValueError: an edit cannot be of that size.
    """
    stages = tuple(
        stage.model_copy(update={"edits": tuple(e if e.size_name is None else e.sized(size) for e in stage.edits)})
        for stage in recipe.stages
    )
    return recipe.model_copy(update={"stages": stages})


def _edits(recipe: Recipe) -> Iterator[Edit]:
    return (edit for stage in recipe.stages for edit in stage.edits)
