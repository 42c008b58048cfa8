"""What is meant by names of methods, configurations and backbones. Some methods can be had without reading the others,
for commands that must answer at once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from surveykit.catalog import layers
from surveykit.catalog.files import read_text
from surveykit.catalog.loading import Loading
from surveykit.catalog.model_folder import read_model
from surveykit.catalog.models import Model
from surveykit.catalog.records import Method
from surveykit.catalog.validation import read_yaml
from surveykit.errors import CatalogError, SurveyError, nearest
from surveykit.recipes import Recipe
from surveykit.record import MODEL_ID_PATTERN

if TYPE_CHECKING:
    from surveykit.catalog.load import Catalog
    from surveykit.catalog.measured import Cell

EVERY = "all"
"""Stands for every method."""


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
            wanted = [(method, configuration) for method in _ids(root) if _read(root, method).configurations]
        else:
            method, _, own = name.partition("/")
            wanted = [(method, own or configuration)]
        for method, own_configuration in wanted:
            full, recipe = _recipe(root, method, own_configuration, biases)
            found.setdefault(full, recipe)
    return list(found.items())


def select(
    catalog: Catalog, cells: Iterable[Cell], methods: Sequence[str] = (), backbones: Sequence[str] = ()
) -> list[Cell]:
    """The cells of the named methods (or method/configuration) and backbones; all where nothing is named.

    Cells of trials have no backbone, and are kept whichever are named.

    Raises:
        SurveyError: a name is not in the catalog.
    """
    refuse_unknown(catalog, methods)
    for name in backbones:
        if name not in catalog.models:
            raise SurveyError(f"there is no backbone '{name}'{nearest(name, catalog.models)}")
    return [
        cell
        for cell in cells
        if (not methods or cell.configuration in methods or cell.method in methods)
        and (not backbones or not cell.backbone or cell.backbone in backbones)
    ]


def refuse_unknown(catalog: Catalog, methods: Iterable[str]) -> None:
    """Refuse a name that is neither a method nor method/configuration.

    Raises:
        SurveyError: with the nearest name.
    """
    names = [*catalog.methods, *(name for name, _, _ in catalog.configurations())]
    for name in methods:
        if name not in names:
            raise SurveyError(f"there is no method '{name}'{nearest(name, names)}")


def catalogued_model(root: Path, name: str) -> Model | None:
    """The model of this id; None where the catalog has none.

    Raises:
        CatalogError: its files are invalid.
    """
    folder = layers.first(root, f"models/{name}") if re.fullmatch(MODEL_ID_PATTERN, name) else root
    if folder == root or not folder.is_dir():
        return None
    loading = Loading(root)
    model = read_model(loading, folder)
    if model is None:
        raise CatalogError(loading.problems)
    return model


def catalogued_checkpoint(root: Path, checkpoint: str) -> str | None:
    """The id of the model whose weights are published under this name; None where the catalog has none.

    Args:
        checkpoint: as the hub calls it; old names have no owner (`bert-base-uncased`).
    """
    owner = "" if "/" in checkpoint else "(?:[^/]*/)?"
    for name, folder in layers.entries(root, "models").items():
        text, _ = read_text(folder / "model.yaml", name)
        if re.search(
            rf"^checkpoint: *[\"']?{owner}{re.escape(checkpoint)}[\"']? *$", text or "", re.MULTILINE | re.IGNORECASE
        ):
            return name
    return None


def _ids(root: Path) -> list[str]:
    return sorted(path.stem for path in layers.entries(root, "methods").values() if path.suffix == ".yaml")


def _recipe(root: Path, name: str, configuration: str | None, biases: bool) -> tuple[str, Recipe]:
    known = _ids(root)
    if name not in known:
        raise SurveyError(f"there is no method '{name}'{nearest(name, known)}")
    method = _read(root, name)
    if not method.configurations:
        raise SurveyError(f"{name} has no recipe: {method.not_instantiated}")
    default = method.default_on(biases=biases)
    for one in method.configurations:
        if one.id == configuration or (configuration is None and one is default):
            return f"{name}/{one.id}", one.recipe
    ids = [one.id for one in method.configurations]
    close = nearest(configuration or "", ids)
    raise SurveyError(f"{name} has no configuration '{configuration}'{close or '; it has ' + ', '.join(ids)}")


def _read(root: Path, name: str) -> Method:
    path = layers.first(root, f"methods/{name}.yaml")
    file = layers.name_of(root, path)
    text, problem = read_text(path, file)
    if text is None:
        raise CatalogError([problem] if problem else [])
    entry, _, problems = read_yaml(text, file, Method)
    if entry is None:
        raise CatalogError(problems)
    return entry
