"""Configurations with other hyper-parameters: `lora/qv-r8 · alpha=64 · rank=32` is `lora/qv-r8` with two of them changed."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping

from pydantic import JsonValue, ValidationError

from surveykit.catalog.hyper_parameters import Holder, as_typed, holders
from surveykit.catalog.records import Configuration
from surveykit.errors import ChangeError, nearest
from surveykit.recipes import Recipe

LISTS = frozenset({"roles", "sublayers", "layers"})
"""Hyper-parameters that are lists; a single word stands for a list of one."""
SEPARATOR = " · "


def varied_name(configuration: str, changed: Mapping[str, JsonValue]) -> str:
    """The full name of a configuration with changed hyper-parameters: method/configuration · name=value · …, sorted."""
    return named(configuration, {name: changed[name] for name in sorted(changed)})


def named(configuration: str, changed: Mapping[str, JsonValue]) -> str:
    """A configuration's full name, and what is changed in it, in this order."""
    return SEPARATOR.join([configuration, *(f"{name}={as_typed(value)}" for name, value in changed.items())])


def unvaried_name(name: str) -> str:
    """The configuration in which hyper-parameters are changed, of a full name; the name itself where none are."""
    return name.partition(SEPARATOR)[0]


def typed(text: str) -> JsonValue:
    """A hyper-parameter's value as typed: a number, true, false or none, words joined by commas, + or spaces as a list, or
    a word."""
    word = text.strip()
    if word in _WORDS:
        return _WORDS[word]
    parts = re.split(r"[,+\s]+", word)
    if len(parts) > 1 and not _is_number(word):
        return [typed(part) for part in parts if part]
    return json.loads(word) if _is_number(word) else word


_WORDS: dict[str, JsonValue] = {"true": True, "false": False, "none": None}


def _is_number(word: str) -> bool:
    """Whether it is a finite number as JSON writes one."""
    return re.fullmatch(r"-?(0|[1-9]\d{0,15})(\.\d+)?([eE][+-]?\d+)?", word) is not None and math.isfinite(float(word))


def varied_recipe(recipe: Recipe, changed: Mapping[str, JsonValue]) -> Recipe:
    """A recipe in which hyper-parameters have other values, in every edit that has them.

    Args:
        changed: by name; `roles`, `layers` and the like change where the edits go, or which pretrained parameters
            are trained. `roles@2` changes the second edit alone; behind the edits of a stage count its trained parameters.

    Raises:
        ChangeError: no part of the recipe has such a hyper-parameter, or a value is not allowed; every fault is told.
    """
    data = recipe.model_dump(mode="json")
    held = holders(recipe, data)
    owners = {key: owners_of(held, key) for key in changed}
    faults = [missing_from(held, key) for key, own in owners.items() if not own]
    for key, own in owners.items():
        name, value = key.partition("@")[0], changed[key]
        for holder in own:
            holder.data[name] = [value] if name in LISTS and isinstance(value, str | int) else value
    try:
        found = Recipe.model_validate_json(json.dumps(data))
    except ValidationError as error:
        faults += _faults(error, owners, changed)
    if faults:
        raise ChangeError(faults)
    return found


def owners_of(held: list[Holder], key: str) -> list[Holder]:
    """The parts of a recipe that have a hyper-parameter, `name` or `name@edit`; empty where none has."""
    name, numbered, which = key.partition("@")
    return [holder for holder in held if name in holder.names and (not numbered or str(holder.number) == which)]


def missing_from(held: list[Holder], key: str) -> str:
    """What is said where no part of a recipe has a hyper-parameter: the nearest name, and all that there are."""
    name, numbered, which = key.partition("@")
    edits = {holder.number for holder in held if holder.number is not None}
    if numbered and which not in map(str, edits):
        return f"there is no edit '{which}' in '{key}'; there are {len(edits)}, counted from 1"
    known = sorted({name for holder in held for name in holder.names})
    if not known:
        return f"it has no hyper-parameters, and so no '{name}'"
    return f"no edit has a hyper-parameter '{name}'{nearest(name, known)}; there are {', '.join(known)}"


def varied(configuration: Configuration, name: str, changed: Mapping[str, JsonValue], reason: str) -> Configuration:
    """A configuration with changed hyper-parameters.

    Its formula is gone: it counts for the hyper-parameters of the original, so that its second answer must come from
    elsewhere, such as the source that prints its count.
    """
    return configuration.model_copy(
        update={
            "id": name.partition("/")[2],
            "name": f"{configuration.name}, with {', '.join(f'{k} {as_typed(v)}' for k, v in sorted(changed.items()))}",
            "default": False,
            "default_with_biases": False,
            "basis": "variant",
            "basis_note": reason,
            "also_on": (),
            "recipe": varied_recipe(configuration.recipe, changed),
            "formula": None,
            "oracles": (),
        }
    )


def _faults(error: ValidationError, owners: Mapping[str, list[Holder]], changed: Mapping[str, JsonValue]) -> list[str]:
    """All that is wrong with a recipe: the hyper-parameter, and what is allowed."""
    found = []
    for one in error.errors():
        named = [part for part in one["loc"] if isinstance(part, str)]
        key = next((key for key in changed if key.partition("@")[0] in named), None)
        if key is not None and owners[key]:
            found.append(_refused(key, changed[key], owners[key]))
        elif one["loc"] != ("stages",):  # that a stage is missing follows from the fault in it
            found.append(f"{[*named, 'recipe'][len(named) - 1]}: {one['msg'].removeprefix('Value error, ')}")
    return found


def _refused(key: str, value: JsonValue, owners: list[Holder]) -> str:
    """What is said of a value that is not allowed."""
    allowed = " or ".join(dict.fromkeys(holder.allowed(key.partition("@")[0]) for holder in owners))
    words = re.findall(r"[a-z][\w.]+", allowed)
    wrong = [str(one) for one in (value if isinstance(value, list) else [value]) if str(one) not in words]
    hint = next((hint for word in wrong if not _is_number(word) and (hint := nearest(word, words))), "")
    return f"{key} is {as_typed(value)}; it must be {allowed}{hint}"
