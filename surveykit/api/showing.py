"""One method: show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, overload

from pydantic import JsonValue

from surveykit.api.names import Folder, Layers, Names, database_of, refuse_others, root_of
from surveykit.catalog.changes import changes_of
from surveykit.errors import SurveyError

if TYPE_CHECKING:
    from surveykit.catalog.peft_arguments import PeftArguments
    from surveykit.database.methods import Portrait


@overload
def show(method: str, *, catalog: Folder | None = ...) -> Portrait: ...
@overload
def show(
    method: str, *, as_: Literal["peft"], model: Folder, trainable_budget: str | int | None = ...,
    set: Mapping[str, JsonValue] | None = ..., targets: Names | None = ..., roles: Names | None = ...,
    layers: Layers | None = ..., top_layers: int | None = ..., also_train: Names | None = ..., head: int | None = ...,
    catalog: Folder | None = ..., **hyper_parameters: JsonValue,
) -> PeftArguments: ...  # fmt: skip
def show(
    method: str, *, as_: Literal["peft"] | None = None, model: Folder | None = None,
    trainable_budget: str | int | None = None, set: Mapping[str, JsonValue] | None = None, targets: Names | None = None,
    roles: Names | None = None, layers: Layers | None = None, top_layers: int | None = None,
    also_train: Names | None = None, head: int | None = None, catalog: Folder | None = None, **hyper_parameters: JsonValue,
) -> Portrait | PeftArguments:  # fmt: skip
    """One method, every claim beside our measurement; or its configuration on a model as PEFT's.

    Args:
        method: its id, name or alias, in any case; with `as_`, a method (its default configuration) or
            method/configuration.
        as_: `"peft"`: the equivalent PEFT configuration for a model.
        model, trainable_budget, set, targets, roles, layers, top_layers, also_train, head, hyper_parameters: with `as_`, as
            of `count`.

    Returns:
        Paragraphs about it, and its facts; with `as_`, PEFT's arguments with the names of that model's modules, as Python
        (`python()`), as an adapter_config.json (`json()`), and notes on them.

    Raises:
        SurveyError: there is no such method (the nearest is named), or PEFT cannot express its configuration.
        CatalogError: the catalog is invalid.
        MissingExtra: with `as_`, torch or transformers is not installed.
    """
    if as_ is not None:
        from surveykit.api.peft import shown_as_peft

        refuse_others("--as", as_, ("peft",))
        changes = changes_of(
            set, hyper_parameters, targets=targets, roles=roles, layers=layers, top_layers=top_layers,
            also_train=also_train, head=head,
        )  # fmt: skip
        return shown_as_peft(method, model, root_of(catalog), changes, trainable_budget)
    changed = (model, trainable_budget, set, targets, roles, layers, top_layers, also_train, head, hyper_parameters)
    if any(changed):
        raise SurveyError("--model and changes to the configuration need --as peft; `count` takes them too")
    from surveykit.database.methods import portrait
    from surveykit.database.reading import reading

    with reading(database_of(catalog)) as reader:
        return portrait(reader, method)
