"""Requested methods with changes to their configurations: checked at once, and applied to a model when there is one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from surveykit.catalog.changes import Changes, changed
from surveykit.catalog.selection import selected_recipes
from surveykit.fit.sizes import Budget, parse_budget
from surveykit.recipes import Recipe

if TYPE_CHECKING:
    from surveykit.engine.models.model import Instance


@dataclass(frozen=True)
class OnModel:
    """The requested configurations, on one model."""

    recipes: list[tuple[str, Recipe]]
    """By the full names of configurations, which include the changes."""
    notes: tuple[str, ...]
    """Notes on the changes, one line each."""
    budget: Fraction | None
    """How many parameters may be trained in the last stage."""


class Asked:
    """Methods of a catalog with changes. Errors that need no model are raised when it is created.

    Raises:
        SurveyError: there is no such method, or a change or budget is wrong.
    """

    def __init__(
        self, root: Path, names: Sequence[str], changes: Changes, budget: str | int | None, config: str | None = None
    ) -> None:
        self._named = (root, names, config)
        self._changes = changes
        self._budget: Budget | None = None if budget is None else parse_budget(str(budget))
        changed(changes, selected_recipes(*self._named), sized=budget is not None)

    def on(self, instance: Instance) -> OnModel:
        """The recipes on a model.

        Raises:
            ChangeError: the model lacks something that the changes name.
        """
        from surveykit.engine.changes import changed_on

        stated = selected_recipes(*self._named, biases=instance.has_biases)
        recipes, notes = changed_on(instance, self._changes, stated)
        return OnModel(recipes, notes, None if self._budget is None else self._budget.of(instance.parameters))
