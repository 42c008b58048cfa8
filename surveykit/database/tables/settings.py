"""Tables of the ways to train that have a name, and of where it stands that people train so: the file settings.yaml."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Self

from surveykit.catalog.load import Catalog
from surveykit.catalog.training import Training
from surveykit.database.rows import Row
from surveykit.record import Day, InDatabase


class Setting(Row, Training):
    """Ways to train, by name; a column for each field of a training step; the file settings.yaml."""

    identity = ("id",)
    shown = ("id", "says", "batch", "length", "target_length", *Training.model_fields)

    id: str
    """Name, as given to --setting."""
    says: str
    """What it is, in words."""
    batch: int | None
    """Examples at once; null if users choose."""
    length: int | None
    """Positions of the input; null if users choose."""
    target_length: int
    """Positions of the decoder's input."""

    @classmethod
    def of_catalog(cls, catalog: Catalog) -> Iterator[Self]:
        for s in catalog.settings.values():
            yield cls.of(
                s.training, id=s.id, says=s.says, batch=s.batch, length=next(iter(s.lengths), None),
                target_length=s.target_length,
            )  # fmt: skip


class SettingSource(Row):
    """Sources that show that people train with a setting; the file settings.yaml."""

    identity = ("setting", "position")

    setting: Annotated[str, InDatabase(refers_to="setting", comment="Id of the setting, as in setting.id")]
    position: int
    """Order, from 1."""
    fields: str
    """Columns of setting that the source states, joined by commas; lengths is the column length."""
    says: str
    """What the source says, in our words."""
    address: str
    """Where it was read."""
    checked: Day
    """The day on which it was read."""

    @classmethod
    def of_catalog(cls, catalog: Catalog) -> Iterator[Self]:
        for setting in catalog.settings.values():
            for position, stated in enumerate(setting.sources, start=1):
                yield cls.of(stated, setting=setting.id, position=position, fields=",".join(stated.fields))
