"""PEFT configurations in the arguments of a function: which they are, and on which model."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from os import PathLike, fspath
from pathlib import Path

from surveykit.api.asked import Asked
from surveykit.api.names import Folder
from surveykit.catalog.changes import Changes
from surveykit.catalog.peft_arguments import PeftArguments
from surveykit.catalog.peft_file import FILE, PeftFile, read_peft
from surveykit.catalog.selection import catalogued_checkpoint, catalogued_model
from surveykit.errors import SurveyError

Pefts = Folder | Sequence[Folder]
"""An adapter_config.json, a folder of an adapter, an adapter's name on the hub; or several."""


def opened_pefts(peft: Pefts | None) -> list[PeftFile]:
    """The requested configurations; none if there are none. Raises as `opened_peft`."""
    if peft is None:
        return []
    return [opened_peft(fspath(one)) for one in ([peft] if isinstance(peft, str | PathLike) else peft)]


def opened_peft(source: str) -> PeftFile:
    """The configuration in a file, in an adapter's folder, or of an adapter on the Hugging Face hub.

    Raises:
        SurveyError: there is none, or it is not a PEFT configuration.
    """
    path = Path(source)
    if os.path.isdir(path):
        if not os.path.lexists(path / FILE):
            raise SurveyError(f"{source} has no {FILE}, which an adapter's folder must have")
        return read_peft(path / FILE, source)
    if os.path.lexists(path):
        return read_peft(path, source)
    from surveykit.engine.models.configs import from_hub

    return read_peft(from_hub(source, FILE), source)


def model_of(model: Folder | None, files: Sequence[PeftFile], catalog: Path) -> str:
    """The named model, or the one that the files were trained on, by its id if the catalog has it.

    Raises:
        SurveyError: no model is named, or the files name several.
    """
    if model is not None:
        return fspath(model)
    if not files:
        raise SurveyError("no model: name one with --model")
    named = {file.base_model: file for file in files}
    if None in named:
        raise SurveyError(f"{named[None].name} does not say which model it was trained on; name one with --model")
    bases = [str(base) for base in named]
    if len(bases) > 1:
        raise SurveyError(f"trained on several models, {' and '.join(bases)}: name one for all with --model")
    if os.path.exists(bases[0]) or catalogued_model(catalog, bases[0]) is not None:
        return bases[0]
    if (catalogued := catalogued_checkpoint(catalog, bases[0])) is not None:
        return catalogued
    from surveykit.engine.models.configs import from_hub

    try:
        from_hub(bases[0], "config.json")
    except SurveyError as error:
        told = f"{files[0].name} was trained on a model that is neither here nor in the catalog; name it with --model"
        raise SurveyError(f"{told} ({error})") from error
    return bases[0]


def refuse_to_change(methods: Sequence[str], files: Sequence[PeftFile], changes: Changes, **others: object) -> None:
    """Refuse an empty request, and changes to configurations if only PEFT's are requested.

    Raises:
        SurveyError: with what to type instead.
    """
    if not methods and not files:
        raise SurveyError("name a method, such as lora, or a PEFT configuration with --peft")
    given = [f"--{name.replace('_', '-')}" for name, value in others.items() if value is not None]
    if replace(changes, head=None):
        given.append("--set, --targets and the like")
    if given and not methods:
        raise SurveyError(
            f"for methods only: {' and '.join(given)}; change the configuration of --peft in its own file"
        )


def shown_as_peft(
    method: str, model: Folder | None, root: Path, changes: Changes, trainable_budget: str | int | None
) -> PeftArguments:
    """A method's configuration on a model as PEFT's. Raises as `surveykit.show`."""
    if model is None:
        raise SurveyError("a PEFT configuration needs the module names of a model: name the model with --model")
    asked = Asked(root, [method], changes, trainable_budget)
    from surveykit.engine.budget import sized
    from surveykit.engine.on_model import model_named
    from surveykit.engine.peft import as_peft

    instance = model_named(fspath(model), root, changes.head).build()
    wanted = asked.on(instance)
    if len(wanted.recipes) > 1:
        raise SurveyError(f"'{method}' means several methods; name one")
    ((name, recipe),) = wanted.recipes
    recipe, _ = sized(instance, name, recipe, wanted.budget)
    return as_peft(instance, name, recipe)
