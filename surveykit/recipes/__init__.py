"""Recipes: what a method does to a backbone, as data with its mathematics, without torch.

A new kind of edit is one module in this package; it is found by being there.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING, Annotated, Literal, Union

from pydantic import Field

from surveykit.recipes.base import Edit, Place, Role, Shape, Sublayer, Where
from surveykit.record import Record


def _concrete_kinds() -> tuple[type[Edit], ...]:
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")

    def leaves(cls: type[Edit]) -> list[type[Edit]]:
        below = [leaf for child in cls.__subclasses__() for leaf in leaves(child)]
        return below or [cls]

    return tuple(sorted(leaves(Edit), key=lambda cls: cls.__name__))


KINDS: tuple[type[Edit], ...] = _concrete_kinds()
"""Every kind of edit, in alphabetical order."""

if TYPE_CHECKING:
    AnyEdit = Edit
else:
    AnyEdit = Annotated[Union[KINDS], Field(discriminator="kind")]  # noqa: UP007 (built from a tuple)


class Stage(Record):
    """One phase of training, with what it adds to the backbone and what it trains of it."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    scope: Literal["task", "shared"]
    """`task`: run again for each task. `shared`: run once, its result serves all tasks."""
    edits: tuple[AnyEdit, ...]
    """What is added; empty when nothing is."""
    train: tuple[Where, ...]
    """Which pretrained parameters are trained; empty when all are frozen."""
    train_everything: bool = False
    """Full tuning: every pretrained parameter is trained."""


class Recipe(Record):
    """What the engine executes: the stages of a configuration, in order."""

    stages: tuple[Stage, ...] = Field(min_length=1)


__all__ = ["KINDS", "AnyEdit", "Edit", "Place", "Recipe", "Role", "Shape", "Stage", "Sublayer", "Where"]
