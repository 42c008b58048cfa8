"""The size of a method (rank, bottleneck, length…) that comes nearest to a number of trained parameters."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from surveykit.engine.counts import count
from surveykit.engine.models.model import Instance
from surveykit.errors import RecipeError
from surveykit.recipes import Edit, Recipe

LARGEST = 1 << 30
"""No size beyond this is tried."""
USUAL = 16
"""Where the search begins if a method's own size depends on the layer."""


def sized(instance: Instance, name: str, recipe: Recipe, budget: Fraction | None) -> tuple[Recipe, str | None]:
    """The recipe as it is, or with the size that a budget asks for, and that size in words. Raises as `sized_for`."""
    return (recipe, None) if budget is None else sized_for(instance, name, recipe, budget)


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
    fixed = count(recipe, instance)  # as it is, first of all: what does not fit is said, whatever the size
    start = max((size for edit in _edits(recipe) if (size := _size(edit)) is not None), default=USUAL)
    counted: dict[int, int] = {}

    def reached(size: int) -> int | None:
        """What is trained at a size; None where the method cannot be of it."""
        try:
            counted[size] = count(resized(recipe, size), instance).trainable_task
        except (ValueError, RecipeError):
            return None
        return counted[size]

    first = reached(start)
    if first is None:
        raise RecipeError(f"{name} has a fixed size of {fixed.trainable_task:,} trainable parameters")
    grows = first < budget
    near = far = start  # from a size on one side of the budget, to one on the other or beyond what is possible
    while far != 0 and far < LARGEST and near == far:
        far = far * 2 if grows else far // 2
        found = reached(far) if far else None
        if found is not None and (found < budget) is grows:
            near = far
    while abs(far - near) > 1:
        middle = (near + far) // 2
        found = reached(middle)
        if found is not None and (found < budget) is grows:
            near = middle
        else:
            far = middle
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


def _size(edit: Edit) -> int | None:
    return None if edit.size_name is None else getattr(edit, edit.size_name)
