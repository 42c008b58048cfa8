"""Some methods of a catalog, without reading the others: for commands that must answer at once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from surveykit.catalog import layers
from surveykit.catalog.backbones import Backbone
from surveykit.catalog.files import read_text
from surveykit.catalog.records import Method
from surveykit.catalog.validation import read_yaml
from surveykit.errors import CatalogError, SurveyError, nearest
from surveykit.recipes import Recipe

EVERY = "all"
"""Stands for every method."""
R = TypeVar("R", Method, Backbone)


def selected_recipes(
    root: Path, names: Sequence[str], configuration: str | None = None, *, biases: bool = False
) -> list[tuple[str, Recipe]]:
    """Recipes with their full names, method/configuration, in the order in which they are named.

    Args:
        root: the catalog's folder.
        names: methods (their default configuration is meant), method/configuration, or `all`.
        configuration: of methods that are named alone, this one instead of the default.
        biases: whether the model that they are for has biases, which the default of some depends on.

    Raises:
        SurveyError: there is no such method or configuration, or its file is invalid.
    """
    found: dict[str, Recipe] = {}
    for name in names:
        if name == EVERY:
            wanted = [(method, configuration) for method in _ids(root, "methods")]
        else:
            method, _, own = name.partition("/")
            wanted = [(method, own or configuration)]
        for method, own_configuration in wanted:
            full, recipe = _recipe(root, method, own_configuration, biases)
            found.setdefault(full, recipe)
    return list(found.items())


def catalogued_backbone(root: Path, name: str) -> Backbone | None:
    """The backbone of this id; None where the catalog has none.

    Raises:
        CatalogError: its file is invalid.
    """
    return _read(root, "backbones", name, Backbone) if name in _ids(root, "backbones") else None


def _ids(root: Path, folder: str) -> list[str]:
    return sorted(path.stem for path in layers.entries(root, folder).values() if path.suffix == ".yaml")


def _recipe(root: Path, name: str, configuration: str | None, biases: bool) -> tuple[str, Recipe]:
    known = _ids(root, "methods")
    if name not in known:
        raise SurveyError(f"there is no method '{name}'{nearest(name, known)}")
    method = _read(root, "methods", name, Method)
    default = method.default_on(biases=biases)
    for one in method.configurations:
        if one.id == configuration or (configuration is None and one is default):
            return f"{name}/{one.id}", one.recipe
    ids = [one.id for one in method.configurations]
    close = nearest(configuration or "", ids)
    raise SurveyError(f"{name} has no configuration '{configuration}'{close or '; it has ' + ', '.join(ids)}")


def _read(root: Path, folder: str, name: str, record: type[R]) -> R:
    path = layers.first(root, f"{folder}/{name}.yaml")
    file = layers.name_of(root, path)
    text, problem = read_text(path, file)
    if text is None:
        raise CatalogError([problem] if problem else [])
    entry, _, problems = read_yaml(text, file, record)
    if entry is None:
        raise CatalogError(problems)
    return entry
