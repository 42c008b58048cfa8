"""A named setting with some of its fields changed, as flags and arguments change them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from surveykit.catalog.settings import setting_of
from surveykit.catalog.training import CHOICES, Training
from surveykit.errors import SurveyError, nearest

if TYPE_CHECKING:
    from surveykit.catalog.load import Catalog

DEFAULT = "trainer"
"""The setting where none is named: what most people run."""


def training_of(catalog: Catalog, setting: str, overrides: Mapping[str, Any]) -> Training:
    """How a step of a named setting runs, with other values of some fields.

    Args:
        overrides: by the names of the fields of `Training`; those that are None stay as they are.

    Raises:
        SurveyError: there is no such setting, a value is none that a field may have, or two cannot be combined.
    """
    stated, given = setting_of(catalog, setting).training, {k: v for k, v in overrides.items() if v is not None}
    for name, value in given.items():
        allowed = CHOICES.get(name)
        if allowed is not None and value not in allowed:
            words = [str(choice) for choice in allowed]
            raise SurveyError(f"{name} is '{value}'; it must be one of {', '.join(words)}{nearest(str(value), words)}")
    try:
        return Training.model_validate({**stated.model_dump(), **given})
    except ValidationError as error:
        first = error.errors()[0]
        place = "".join(f"{name}: " for name in first["loc"])
        reason = first["msg"].removeprefix("Value error, ")
        changed = ", ".join(f"{name} {value}" for name, value in given.items())
        raise SurveyError(f"{place}{reason} (setting {setting}{f' with {changed}' if changed else ''})") from None
