"""Models of the catalog: their config.json, built like that of any other model."""

from __future__ import annotations

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
    """What transformers builds from the configuration, of the class that is counted.

    Raises:
        SurveyError: transformers has no such class for it, or its architecture is not supported.
    """
    config = config_of(record.config, record.id)
    config.architectures = [record.counts]
    plan = blueprint_of(config, name=record.id)
    if plan.model_class.__name__ != record.counts:
        raise SurveyError(f"{record.id}: transformers has no {record.counts} for '{config.model_type}' configurations")
    return plan
