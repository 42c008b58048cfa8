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
    effective: int | None = Field(ge=0)
    """Of those of that stage, the ones that may move."""
    trained_pretrained: int | None = Field(ge=0)
    """Pretrained parameters among the trainable ones of that stage."""
    added: int | None = Field(ge=0)
    """New parameters, as trained."""
    expanded: int | None = Field(ge=0)
    """New entries of the network once all that can is merged, with products written out."""
    stored: int | None = Field(ge=0)
    """Numbers to keep for each task."""
    stored_shared: int | None = Field(ge=0)
    """Numbers to keep once for all tasks."""
    stored_bytes: int | None = Field(ge=0)
    """Bytes to keep for each task: numbers of 4 bytes, with the indices of sparse forms and seeds."""
    changed: int | None = Field(ge=0)
    """Entries of the pretrained weights that can differ once all that can is merged."""
    update_rank: int | None = Field(ge=0)
    """Largest rank of the change of a pretrained matrix."""
    optimizer_state: int | None = Field(ge=0)
    """Numbers that the optimizer keeps, in the stage in which they are most."""
    quantized: int | None = Field(ge=0)
    """Pretrained numbers that the last stage holds in few bits."""
    provenance: Literal["config", "header", "weights"]
    """What the backbone was built from."""
    key: str = Field(pattern=r"^[0-9a-f]{16}$")
    """Staleness key: recipe, sources of the engine, backbone."""
    run: str
    """The run that found it, a key of runs.csv."""


COUNTS = (
    "trainable", "trainable_task", "effective", "trained_pretrained", "added", "expanded", "stored", "stored_shared",
    "stored_bytes", "changed", "update_rank", "optimizer_state", "quantized",
)  # fmt: skip
"""The counts of a measurement, in the order of its fields."""


class Run(Record):
    """The environment that measurements came from."""

    run: str
    date: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$")
    surveykit: str
    python: str
    torch: str
    transformers: str
