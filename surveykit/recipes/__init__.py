"""Recipes: what a method does to a backbone, as data with its mathematics, without torch.

A new kind of edit is one module in this package; it is found by being there.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING, Annotated, Literal, Self, Union

from pydantic import Field, model_validator

from surveykit.recipes.base import LINEAR_ROLES, Edit, Place, Role, Shape, Sublayer, Where
from surveykit.recipes.masks import Mask
from surveykit.recipes.optimizers import FactorRates, GradientScale, Optimizer, Preconditioning, Projection
from surveykit.recipes.quantization import Quantization
from surveykit.recipes.sites import WeightEdit
from surveykit.record import Record


def _concrete_kinds() -> tuple[type[Edit], ...]:
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")

    def below(cls: type[Edit]) -> set[type[Edit]]:
        return {cls}.union(*map(below, cls.__subclasses__()))

    named = {cls for cls in below(Edit) if cls.model_fields["kind"].annotation is not str}
    return tuple(sorted(named, key=lambda cls: cls.__name__))


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
    starts_from: Literal["backbone", "previous"] = "backbone"
    """`previous`: tensors of the same name and shape, and the backbone's own, go on from the stage before."""
    drawn_layers: int | None = Field(default=None, ge=1, exclude_if=lambda chosen: chosen is None)
    """Layers of each stack that are trained at a time, drawn anew as training goes on, so that all of what `train` names
    changes; what lies outside the stacks is trained all the time. Null where everything is."""
    mask: Mask | None = None
    """Which of the trained entries may move; null when all may."""
    passes: int = Field(default=1, ge=1)
    """Forward passes for each optimizer step."""
    consistency: bool = False
    """With two passes: only the first is held to the targets, and the symmetrised KL divergence of the two is added."""
    restarts: int = Field(default=0, ge=0)
    """Times that the edits are merged into the backbone and begun anew."""
    optimizer: Optimizer | None = None
    """Null for Adam with two moments for each trained number."""
    base: Quantization | None = None
    """Null when the frozen weights keep their width."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.train_everything and self.train:
            raise ValueError("`train` is empty where everything is trained")
        if self.drawn_layers is not None and (self.mask or not self.train):
            raise ValueError(
                "`drawn_layers` says how many layers of `train` are trained at a time, all of their entries"
            )
        if self.consistency and self.passes != 2:
            raise ValueError("`consistency` compares two passes")
        if self.restarts and any(edit.merge_obstacle() for edit in self.edits):
            raise ValueError("only edits that merge can be begun anew")
        if self.base is not None and any(
            edit.reads is not None and edit.deployed() is not edit and _meet(self.base.where, edit.where)
            for edit in self.edits
        ):
            raise ValueError("a start from data that changes the weight needs it at full width, not in few bits")
        return self

    def merge_obstacle(self, edit: Edit) -> str | None:
        """Why an edit of this stage cannot be written into the weights; None when it can."""
        base = self.base
        if base is not None and isinstance(edit, WeightEdit) and _meet(base.where, edit.where):
            rounded_again = f"the sum would have to be rounded to {base.bits} bits again"
            return edit.merge_obstacle() or (None if edit.merges_into(base) else rounded_again)
        return edit.merge_obstacle()

    def deployed(self) -> Stage:
        """What is used after training."""
        return self.model_copy(update={"edits": tuple(edit.deployed() for edit in self.edits), "mask": None})

    @property
    def depth_uniform(self) -> bool:
        """Whether every layer of a stack is treated alike."""
        wheres = [*self.train, *(edit.where for edit in self.edits)]
        whole = self.drawn_layers is None and all(where.layers is None and where.span is None for where in wheres)
        return whole and all(edit.depth_uniform for edit in self.edits)


def _meet(one: Where, other: Where) -> bool:
    """Whether two selections can have a module in common; layers are not looked at."""
    sublayers = one.sublayers is None or other.sublayers is None or bool({*one.sublayers} & {*other.sublayers})
    first, second = ({*where.roles} | (LINEAR_ROLES if "linear" in where.roles else {*()}) for where in (one, other))
    return sublayers and bool(first & second)


class Recipe(Record):
    """What the engine executes: the stages of a configuration, in order."""

    stages: tuple[Stage, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _ends_in_a_task(self) -> Self:
        if self.stages[-1].scope != "task":
            raise ValueError("the last stage of a recipe is run for each task")
        if self.stages[0].starts_from == "previous":
            raise ValueError("no stage comes before the first")
        return self


__all__ = ["KINDS", "AnyEdit", "Edit", "FactorRates", "GradientScale", "Mask", "Optimizer", "Place", "Preconditioning",
           "Projection", "Quantization", "Recipe", "Role", "Shape", "Stage", "Sublayer", "Where"]  # fmt: skip
