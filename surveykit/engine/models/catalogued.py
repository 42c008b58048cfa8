"""Models of the catalog: their config.json, built like that of any other model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from surveykit.catalog.models import Model
from surveykit.engine.models.configs import config_of
from surveykit.engine.models.model import Blueprint, Instance, blueprint_of
from surveykit.errors import RecipeError, SurveyError


def build(record: Model, *, device: str = "meta", seed: int = 0) -> Instance:
    """Instantiate a model without weights (`meta`) or with random ones (`cpu`).

    Raises:
        SurveyError: it cannot be built, or has not the expected number of parameters.
    """
    instance = blueprint(record).build(device=device, seed=seed)
    if instance.parameters != (record.size or instance.parameters):
        built = f"transformers builds {instance.parameters:,} parameters"
        raise RecipeError(f"{record.id}: {built}, the catalog expects {record.size:,}")
    return instance


def blueprint(record: Model) -> Blueprint:
    """What transformers builds from the configuration, of the class that is counted. Raises as `blueprint_from`."""
    return blueprint_from(record.config, record.counts, record.id)


def blueprint_from(content: Mapping[str, Any], counts: str, name: str) -> Blueprint:
    """What transformers builds from the content of a config.json.

    Args:
        counts: the class of transformers that is built.
        name: of the model, for messages.

    Raises:
        SurveyError: transformers has no such class for it, or its architecture is not supported.
    """
    config = config_of(content, name)
    config.architectures = [counts]
    plan = blueprint_of(config, name=name)
    if plan.model_class.__name__ != counts:
        raise SurveyError(f"{name}: transformers has no {counts} for '{config.model_type}' configurations")
    return plan
