"""Configurations with other hyper-parameters: `lora/qv-r8 alpha=64 rank=32` is `lora/qv-r8` with two of them changed."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from pydantic import JsonValue, ValidationError

from surveykit.catalog.records import Configuration
from surveykit.errors import SurveyError, nearest
from surveykit.recipes import Recipe

LISTS = frozenset({"roles", "sublayers", "layers"})
"""Hyper-parameters that are lists; a single word stands for a list of one."""


def varied_name(configuration: str, changed: Mapping[str, JsonValue]) -> str:
    """The full name of a configuration with changed hyper-parameters: method/configuration name=value …, sorted."""
    return " ".join([configuration, *(f"{name}={_shown(changed[name])}" for name in sorted(changed))])


def _shown(value: JsonValue) -> str:
    if isinstance(value, list):
        return "+".join(map(_shown, value))
    return str(value).lower() if value is None or isinstance(value, bool) else str(value)


def varied_recipe(recipe: Recipe, changed: Mapping[str, JsonValue]) -> Recipe:
    """A recipe in which hyper-parameters of its edits have other values, in every edit that has them.

    Args:
        changed: by name; `roles`, `layers` and the like change where the edits go, or which pretrained parameters
            are trained. `roles@2` changes the second edit alone; behind the edits of a stage count its trained parameters.

    Raises:
        SurveyError: no edit has such a hyper-parameter, or the value is not allowed.
    """
    data = recipe.model_dump(mode="json")
    edits = [edit for stage in data["stages"] for edit in (*stage["edits"], *stage["train"])]
    for key, value in changed.items():
        name, _, which = key.partition("@")
        meant = edits[int(which) - 1 : int(which)] if which.isdecimal() and int(which) else [] if which else edits
        if not meant and which:
            raise SurveyError(f"there is no edit '{which}' in '{key}'; there are {len(edits)}, counted from 1")
        owners = [owner for edit in meant for owner in _owners(edit, name)]
        if not owners:
            known = sorted({key for edit in meant for key in _names(edit)})
            raise SurveyError(
                f"no edit has a hyper-parameter '{name}'{nearest(name, known)}; there are {', '.join(known)}"
            )
        for owner in owners:
            owner[name] = [value] if name in LISTS and isinstance(value, str | int) else value
    try:
        return Recipe.model_validate_json(json.dumps(data))
    except ValidationError as error:
        raise SurveyError(_reason(error)) from None


def varied(configuration: Configuration, name: str, changed: Mapping[str, JsonValue], reason: str) -> Configuration:
    """A configuration with changed hyper-parameters.

    Its formula is gone: it counts for the hyper-parameters of the original, so that its second answer must come from
    elsewhere, such as the source that prints its count.
    """
    return configuration.model_copy(
        update={
            "id": name.partition("/")[2],
            "name": f"{configuration.name}, with {', '.join(f'{k} {_shown(v)}' for k, v in sorted(changed.items()))}",
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


def _reason(error: ValidationError) -> str:
    """The first thing that is wrong with a recipe: the hyper-parameter, and what is allowed."""
    first = error.errors()[0]
    name = next((part for part in reversed(first["loc"]) if isinstance(part, str)), "recipe")
    hint = nearest(str(first["input"]), re.findall(r"'([^']+)'", str(first.get("ctx", {}).get("expected", ""))))
    return f"{name}: {first['msg'].removeprefix('Value error, ')}{hint}"


def _owners(edit: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """The mappings of an edit in which a hyper-parameter stands: the edit itself, or where it goes."""
    where = edit.get("where")
    return [edit] if name in edit and name != "where" else [where] if isinstance(where, dict) and name in where else []


def _names(edit: dict[str, Any]) -> list[str]:
    where = edit.get("where")
    return [*(k for k in edit if k not in ("kind", "where")), *(where if isinstance(where, dict) else ())]
