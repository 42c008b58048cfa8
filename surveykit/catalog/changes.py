"""What a user changes in configurations: hyper-parameters, where edits go, what else is trained, a task's head.

`Changes` is the one record of it, for the command line, for Python, and for tables of claims. It needs no model: what
only a model can tell (whether it has a module of a name, so many layers) is checked in surveykit.engine.changes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import pairwise
from typing import Any

from pydantic import JsonValue

from surveykit.catalog.change_values import (
    ALL_LINEAR,
    at_least,
    layer_numbers,
    names,
    role_names,
    settings,
    target_modules,
)
from surveykit.catalog.hyper_parameters import holders
from surveykit.catalog.variations import missing_from, named, owners_of, varied_recipe
from surveykit.errors import ChangeError, SurveyError
from surveykit.recipes import Edit, Recipe, Role, Stage, Where
from surveykit.recipes.base import LINEAR_ROLES

_ON_LINEAR = LINEAR_ROLES | {"linear"}
_IN_NO_LAYER = frozenset({"input", "embedding", "head"})
_TRAINABLE: tuple[Role, ...] = ("embedding", "head", "norm", "linear", "position_bias")

MOST_NAMES = 5
"""Of configurations, in one message."""

Divide = Callable[[Where, Sequence[Where]], Sequence[Where | None]]
"""Of targets, and of the places of several edits: the places of each on those targets, None where it has none."""


@dataclass(frozen=True)
class Changes:
    """What is changed in a configuration; nothing, as it is made."""

    set: Mapping[str, JsonValue] = field(default_factory=dict)
    """Hyper-parameters by name; `roles@2` is that of the second edit alone."""
    targets: tuple[str, ...] | str | None = None
    """Linear layers that edits go on: names of modules or ends of their paths, a regular expression on the whole path, or
    `all-linear`."""
    roles: tuple[str, ...] | None = None
    """Roles of the modules that edits go on, instead of the configuration's."""
    layers: tuple[int, ...] | None = None
    """Layers of each stack that edits go on, from 0, or from -1 backwards."""
    top_layers: int | None = None
    """… the last so many of each stack."""
    also_train: tuple[str, ...] = ()
    """Pretrained modules that are trained and stored too, by name or end of path."""
    head: int | None = None
    """Labels of a task's head, which is trained too."""

    def __bool__(self) -> bool:
        return self != Changes()

    def name(self, configuration: str) -> str:
        """The full name of a configuration with these changes."""
        shown: dict[str, JsonValue] = {name: self.set[name] for name in sorted(self.set)}
        if self.targets is not None:
            shown["targets"] = self.targets if isinstance(self.targets, str) else [*self.targets]
        shown |= {"roles": [*self.roles]} if self.roles is not None else {}
        shown |= {"layers": _as_ranges(self.layers)} if self.layers is not None else {}
        shown |= {"top_layers": self.top_layers} if self.top_layers is not None else {}
        shown |= {"also_train": [*self.also_train]} if self.also_train else {}
        shown |= {"head": self.head} if self.head is not None else {}
        return named(configuration, shown)

    def apply(self, recipe: Recipe, divide: Divide | None = None) -> Recipe:
        """The recipe with these changes.

        Args:
            divide: on a model, says which targets each of several edits gets; without it, each gets all of them.

        Raises:
            ChangeError: the recipe has no such hyper-parameter, no edit that goes there, or a value is not allowed; every
                fault is told.
        """
        if faults := self.unfit(recipe):
            raise ChangeError(faults.values())
        recipe = varied_recipe(recipe, self.set)
        stages = [self._staged(stage, divide) for stage in recipe.stages]
        return Recipe.model_validate_json(Recipe.model_construct(stages=tuple(stages)).model_dump_json())

    def unfit(self, recipe: Recipe) -> dict[str, str]:
        """What of these changes a recipe has no place for, each with the reason."""
        held = holders(recipe, recipe.model_dump(mode="json"))
        found = {key: missing_from(held, key) for key in self.set if not owners_of(held, key)}
        edits = [edit for stage in recipe.stages for edit in stage.edits]
        train = [where for stage in recipe.stages for where in stage.train]
        wheres = [*(edit.where for edit in edits), *train]
        goes = f"it goes on {_roles_in_words(wheres)}" if wheres else "it trains every parameter as it is"
        if self.targets is not None and not any(map(_on_linear, edits)):
            found["targets"] = f"no edit is on linear layers, which targets name: {goes}"
        if self.roles is not None and not any(map(self._takes_roles, edits)) and (edits or not train):
            allowed = sorted({role for edit in edits for role in edit.allowed_roles})
            able = f"its edits can go on {', '.join(allowed)}" if edits else goes
            found["roles"] = f"no edit can go on {', '.join(self.roles)}: {able}"
        if self.in_layers is not None and not any(map(_in_layers, wheres)):
            found["layers" if self.layers is not None else "top_layers"] = f"nothing of it is in a layer: {goes}"
        if self.also_train and all(stage.train_everything for stage in _of_tasks(recipe)):
            found["also_train"] = "it trains every pretrained parameter already"
        return found

    def fitting(self, recipe: Recipe) -> Changes:
        """Those of these changes that a recipe has a place for."""
        return self.without(self.unfit(recipe))

    def without(self, names: Iterable[str]) -> Changes:
        """These changes but those of the given names, which are hyper-parameters or fields."""
        left = {key: value for key, value in self.set.items() if key not in {*names}}
        nothing = {f.name: getattr(Changes(), f.name) for f in fields(self) if f.name in {*names}}
        return replace(self, **{"set": left, **nothing})

    @property
    def in_layers(self) -> tuple[int, ...] | None:
        """The layers that are chosen; None where all are."""
        return self.layers if self.top_layers is None else tuple(range(-self.top_layers, 0))

    @property
    def target(self) -> Where | None:
        """The linear layers that are targets."""
        if self.targets is None:
            return None
        if isinstance(self.targets, str):
            return Where(roles=("linear",), pattern=None if self.targets == ALL_LINEAR else self.targets)
        return Where(roles=("linear",), modules=self.targets)

    @property
    def trained_too(self) -> Where | None:
        """The pretrained modules that are trained too, with all that is inside them."""
        if not self.also_train:
            return None
        names = "|".join(map(re.escape, self.also_train))
        return Where(roles=_TRAINABLE, pattern=rf"(?:.*\.)?(?:{names})(?:\..*)?")

    def _staged(self, stage: Stage, divide: Divide | None) -> Stage:
        edits, train = list(stage.edits), list(stage.train)
        if (target := self.target) is not None:
            edits = _moved(edits, _on_linear, lambda old: _divided(target, old, divide))
        if (roles := self.roles) is not None and edits:
            edits = _moved(edits, self._takes_roles, lambda old: _shared_out(roles, old))
        elif roles is not None:
            new = _shared_out(roles, train)
            train = [where for where in new if where is not None]
        if self.in_layers is not None:
            edits = [_with_where(edit, self._in_these_layers(edit.where)) for edit in edits]
            train = [self._in_these_layers(where) for where in train]
        if stage.scope == "task" and not stage.train_everything:
            train += [self.trained_too] if self.trained_too is not None else []
            train += [Where(roles=("head",))] if self.head is not None else []
        return stage.model_copy(update={"edits": tuple(edits), "train": tuple(train)})

    def _takes_roles(self, edit: Edit) -> bool:
        return edit.allowed_roles >= {*(self.roles or ())}

    def _in_these_layers(self, where: Where) -> Where:
        return where.model_copy(update={"layers": self.in_layers, "span": None}) if _in_layers(where) else where


def changed(
    changes: Changes, recipes: Sequence[tuple[str, Recipe]], divide: Divide | None = None, *, sized: bool = False
) -> tuple[list[tuple[str, Recipe]], list[str]]:
    """Recipes with changes, by their full names, and a line for each change that some of them have no place for.

    Args:
        divide: as of `Changes.apply`.
        sized: whether a budget sets rank, bottleneck, length…, which then cannot be set by name.

    Raises:
        ChangeError: a change fits no recipe, or a value is not allowed; every fault is told.
    """
    unfit = {name: changes.unfit(recipe) for name, recipe in recipes}
    missing: dict[str, list[str]] = {}
    for name, reasons in unfit.items():
        for change in reasons:
            missing.setdefault(change, []).append(name)
    nowhere = [change for change, names in missing.items() if len(names) == len(recipes)]
    faults = [f"{name}: {unfit[name][change]}" for change in nowhere for name in missing[change][:MOST_NAMES]]
    sizes = {edit.size_name for _, recipe in recipes for stage in recipe.stages for edit in stage.edits}
    both = [key for key in changes.set if sized and key.partition("@")[0] in sizes]
    faults += [f"{key} is set, and the budget of trainable parameters sets it too: give one of them" for key in both]
    found: list[tuple[str, Recipe]] = []
    for name, recipe in recipes:
        own = changes.fitting(recipe)
        try:
            found.append((own.name(name), own.apply(recipe, divide)))
        except ChangeError as error:
            faults += [f"{name}: {fault}" for fault in error.faults]
    if faults:
        raise ChangeError(faults)
    return found, [f"{change}: no effect on {_some(names)}" for change, names in missing.items()]


def changes_of(
    set: Mapping[str, JsonValue] | None = None,
    further: Mapping[str, JsonValue] | None = None,
    *,
    targets: str | Sequence[str] | None = None,
    roles: str | Sequence[str] | None = None,
    layers: str | int | Iterable[int] | None = None,
    top_layers: int | None = None,
    also_train: str | Sequence[str] | None = None,
    head: int | None = None,
) -> Changes:
    """Changes as a user says them: texts with commas, or sequences.

    Args:
        set, further: hyper-parameters by name.

    Raises:
        ChangeError: something of it is no name, layer or number; every fault is told.
    """
    faults: list[str] = []

    def read(reading: Callable[[Any], Any], value: Any) -> Any:
        try:
            return None if value is None else reading(value)
        except SurveyError as error:
            faults.append(str(error))

    found = Changes(
        read(lambda value: settings(value, further or {}), set or {}) or {},
        read(target_modules, targets), read(role_names, roles), read(layer_numbers, layers),
        read(at_least(1, "top_layers", "2 for the last two layers of each stack"), top_layers),
        read(lambda value: names("also_train", value), also_train) or (),
        read(at_least(1, "head", "the number of labels"), head),
    )  # fmt: skip
    if found.targets is not None and found.roles is not None:
        faults.append("targets and roles both say where edits go: give one of them")
    if found.layers is not None and found.top_layers is not None:
        faults.append("layers and top_layers both choose layers: give one of them")
    keys = {key.partition("@")[0] for key in found.set}
    if "roles" in keys and (found.targets or found.roles):
        faults.append(f"roles is set, and {'targets' if found.targets else 'roles'} says where edits go too: give one")
    if keys & {"layers", "span"} and found.in_layers is not None:
        faults.append(f"{sorted(keys & {'layers', 'span'})[0]} is set, and layers are chosen too: give one of them")
    if faults:
        raise ChangeError(faults)
    return found


def _as_ranges(layers: tuple[int, ...]) -> str:
    """Layers as one types them: 0-11, or 0,3,-1."""
    if (
        len(layers) > 2
        and all(after == before + 1 for before, after in pairwise(layers))
        and layers[0] * layers[-1] >= 0
    ):
        return f"{layers[0]}-{layers[-1]}"
    return ",".join(map(str, layers))


def _on_linear(edit: Edit) -> bool:
    """Whether all places of an edit are linear layers, any of which could be meant instead."""
    return "linear" in edit.allowed_roles and {*edit.where.roles} <= _ON_LINEAR


def _in_layers(where: Where) -> bool:
    """Whether some of what is meant is in the layers of a stack."""
    inside = where.sublayers is None or any(
        name.endswith(("self", "cross", "feed_forward")) for name in where.sublayers
    )
    return inside and not {*where.roles} <= _IN_NO_LAYER


def _roles_in_words(wheres: Iterable[Where]) -> str:
    return ", ".join(dict.fromkeys(role.replace("_", " ") for where in wheres for role in where.roles))


def _some(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMES
    return ", ".join(names) if more < 2 else f"{', '.join(names[:MOST_NAMES])} and {more} more"


def _of_tasks(recipe: Recipe) -> list[Stage]:
    return [stage for stage in recipe.stages if stage.scope == "task"]


def _moved(
    edits: list[Edit], meant: Callable[[Edit], bool], places: Callable[[list[Where]], Sequence[Where | None]]
) -> list[Edit]:
    """The edits with other places for those that are meant; without those that get none."""
    new = iter(places([edit.where for edit in edits if meant(edit)]))
    moved = [(edit, next(new) if meant(edit) else edit.where) for edit in edits]
    return [_with_where(edit, where) for edit, where in moved if where is not None]


def _with_where(edit: Edit, where: Where) -> Edit:
    return edit.model_copy(update={"where": where})


def _divided(target: Where, old: Sequence[Where], divide: Divide | None) -> Sequence[Where | None]:
    """Targets in place of the old places of edits, in the old layers."""
    alone = divide is None or len({where.roles for where in old}) < 2
    new = [target] * len(old) if alone or divide is None else divide(target, old)
    kept = [{"layers": where.layers, "span": where.span} for where in old]
    return [where and where.model_copy(update=layers) for where, layers in zip(new, kept, strict=True)]


def _shared_out(roles: tuple[str, ...], old: Sequence[Where]) -> list[Where | None]:
    """Each role goes where it was already, and what is new to where the first edit is (in all of its layers)."""
    known = {role for where in old for role in where.roles}
    found: list[Where | None] = []
    for where in old:
        first = where.roles == old[0].roles
        own = tuple(role for role in roles if role in where.roles or (first and role not in known))
        found.append(where.model_copy(update={"roles": own}) if own else None)
    return found
