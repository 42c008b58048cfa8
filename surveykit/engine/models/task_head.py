"""A model with a head for a task: transformers' class for the classification of texts, and what is new in it."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import transformers
from torch import nn
from transformers import PreTrainedModel
from transformers.models.auto.modeling_auto import MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES

from surveykit.engine.models.bound_places import BoundPlace
from surveykit.errors import SurveyError
from surveykit.recipes import Place

if TYPE_CHECKING:
    from surveykit.engine.models.model import Blueprint, Instance


def with_task_head(plan: Blueprint, labels: int) -> Blueprint:
    """The same model with a head of so many labels in place of its output layer.

    Raises:
        SurveyError: transformers has no such class for models of this type.
    """
    name = MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES.get(plan.config.model_type)
    found = getattr(transformers, name, None) if isinstance(name, str) else None
    if found is None:
        kind = f"models of type '{plan.config.model_type}'"
        raise SurveyError(f"{plan.name}: transformers has no class for {kind} with a head of labels; leave out --head")
    config = copy.deepcopy(plan.config)
    config.num_labels = labels
    config.architectures = [name]
    config.problem_type = "regression" if labels == 1 else "single_label_classification"  # else guessed from the labels
    if getattr(config, "pad_token_id", None) is None:  # several texts at once need one
        config.pad_token_id = 0
    return replace(plan, config=config, model_class=cast(type[PreTrainedModel], found), labels=labels)


def head_modules(model: PreTrainedModel) -> dict[str, nn.Module]:
    """What a class has beside the base model, by name; only what has parameters.

    Raises:
        SurveyError: the base model is no part of it.
    """
    base = model.base_model
    beside = {name: m for name, m in model.named_children() if m is not base and next(m.parameters(), None) is not None}
    if base is model:
        raise SurveyError(f"{type(model).__name__} does not tell its head from the model in front of it")
    return beside


def head_parameters(instance: Instance) -> set[int]:
    """The parameters of a task's head, by identity: new for the task. None where the model has its own output layer."""
    modules = {} if instance.blueprint.labels is None else head_modules(instance.model)
    return {id(parameter) for module in modules.values() for parameter in module.parameters()}


def head_places(model: PreTrainedModel, slots: Iterable[BoundPlace]) -> Iterator[BoundPlace]:
    """The places of a model with a task's head: that is the head now, and its linear layers are no linear layers of the
    model."""
    names = {id(module): name for name, module in model.named_modules()}
    inside = {id(m): m for head in head_modules(model).values() for m in head.modules()}
    outer: Place | None = None
    for slot in slots:
        outer = outer or slot.place
        if id(slot.module) not in inside and slot.place.role != "head":
            yield slot
    for key, module in inside.items():
        if outer is not None and module._parameters:
            weight = getattr(module, "weight", None)
            shape = () if weight is None else tuple(weight.shape)
            place = replace(
                outer, role="head", sublayer="outside", layer=0, layers=0, shape=shape, name=names[key],
                fan_in=shape[-1] if shape else 0, fan_out=shape[0] if shape else 0,
            )  # fmt: skip
            yield BoundPlace(place, module)
