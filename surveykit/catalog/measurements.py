"""What the engine found, as it stands in catalog/measured."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from surveykit.record import Record


class Measurement(Record):
    """What the engine counted for one configuration on one backbone."""

    configuration: str
    """method/configuration"""
    backbone: str
    status: Literal["counted", "failed"]
    reason: str | None
    """Why it failed; null when it did not."""
    trainable: int | None = Field(ge=0)
    """Parameters that the optimizer holds, in the largest stage."""
    trainable_task: int | None = Field(ge=0)
    """… in the last stage that is run for each task."""
    trained_pretrained: int | None = Field(ge=0)
    """Pretrained parameters among the trainable ones of that stage."""
    added: int | None = Field(ge=0)
    """New parameters, as trained."""
    stored: int | None = Field(ge=0)
    """Numbers to keep for each task."""
    provenance: Literal["config", "header", "weights"]
    """What the backbone was built from."""
    key: str = Field(pattern=r"^[0-9a-f]{16}$")
    """Staleness key: recipe, sources of the engine, backbone."""
    run: str
    """The run that found it, a key of runs.csv."""


class Run(Record):
    """The environment that measurements came from."""

    run: str
    date: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$")
    surveykit: str
    python: str
    torch: str
    transformers: str
