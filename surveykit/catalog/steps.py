"""How the runs behind a table's rows were made: a preset of settings.yaml, changed by rules over the cells of a row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, Self

from pydantic import Field, JsonValue, ValidationError, model_validator

from surveykit.catalog.measurements import Whole
from surveykit.catalog.settings import Setting
from surveykit.catalog.training import SURVEYS, Training
from surveykit.errors import nearest
from surveykit.record import Record

Cells = Mapping[str, str]
Held = Literal["weights", "gradients", "optimizer"]


class Rule(Record):
    """What rows with certain cells have otherwise than the rest of their table."""

    cells: Mapping[str, str | tuple[str, ...]] = Field(min_length=1)
    """Cells by column, or several that mean the same: to which rows the rule applies."""
    training: Mapping[str, JsonValue] = {}
    """Fields of `training` with their values in these rows."""
    held: tuple[Held, ...] | None = None
    """What is still there between two steps, where it is not what the table says."""
    remark: str | None = Field(default=None, min_length=10)
    """What these runs are known to do otherwise than what is traced; it stands beside their error."""
    not_comparable: str | None = Field(default=None, min_length=10)
    """Why memory of these rows is not predicted."""

    @model_validator(mode="after")
    def _fields_are_known(self) -> Self:
        for name in self.training:
            if name not in Training.model_fields:
                raise ValueError(f"training has no field '{name}'{nearest(name, Training.model_fields)}")
        return self

    def applies(self, row: Cells) -> bool:
        """Whether a row has these cells."""
        return all(
            row.get(column) in ((wanted,) if isinstance(wanted, str) else wanted)
            for column, wanted in self.cells.items()
        )


class Runs(Record):
    """How the runs of a table were made, row by row."""

    preset: str
    """An id of settings.yaml."""
    batch: Whole | str | None = None
    """Examples at once on a device, or the column with their number; null where it is the preset's."""
    length: Whole | str | None = None
    """Positions of an example, or the column with their number; null where it is the first of the preset's."""
    held: tuple[Held, ...] = ("weights", "optimizer")
    """What is still there between two steps, which figures of memory that is held are compared with."""
    when: tuple[Rule, ...] = ()
    """Rules, each over those before it."""

    def columns(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """The columns that it reads, each with its place in this record."""
        for name in ("batch", "length"):
            if isinstance(value := getattr(self, name), str):
                yield (name,), value
        for i, rule in enumerate(self.when):
            for column in rule.cells:
                yield ("when", i, "cells", column), column


@dataclass(frozen=True)
class Step:
    """A training step as a source states it."""

    preset: str
    batch: int
    length: int
    target_length: int
    training: Training
    held: tuple[Held, ...] = ("weights", "optimizer")
    remark: str | None = None
    """What the run is known to do otherwise than what is traced."""

    @property
    def key(self) -> str:
        """What tells steps apart whose memory may differ; a record of one has the same text as its `step`."""
        return f"{self.batch} x {self.length}, {self.target_length}: {training_text(self.training)}"


def training_text(training: Training) -> str:
    """The fields in which a step differs from the survey's setting: `attention=sdpa keep_cache=true`."""
    changed = training.differences(SURVEYS)
    return " ".join(f"{name}={str(value).lower()}" for name, value in changed.items()) or "survey"


class NoStepError(ValueError):
    """A row whose memory is not predicted, with the reason."""


class UnreadableRowError(ValueError):
    """A cell, or rules together, from which no step can be made."""


def step_of(stated: Runs, preset: Setting, row: Cells) -> Step:
    """The step of a row.

    Raises:
        NoStepError: a rule says that it is not comparable.
        UnreadableRowError: a cell is no number, or the rules contradict each other.
    """
    values: dict[str, object] = preset.training.model_dump()
    held, remark = stated.held, None
    for rule in stated.when:
        if rule.applies(row):
            if rule.not_comparable is not None:
                raise NoStepError(rule.not_comparable)
            values |= rule.training
            held, remark = rule.held or held, rule.remark or remark
    try:
        training = Training.model_validate(values)
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, e['loc']))} {e['msg']}".removeprefix(" Value error, ") for e in error.errors()]
        raise UnreadableRowError(f"the table's `runs` make no training of this row: {'; '.join(faults)}") from None
    batch = _number("batch", stated.batch or preset.batch, row)
    length = _number("length", stated.length or next(iter(preset.lengths), None), row)
    return Step(preset.id, batch, length, preset.target_length, training, held, remark)


def _number(what: str, stated: int | str | None, row: Cells) -> int:
    if stated is None:
        raise UnreadableRowError(f"neither `runs` nor its preset states a {what}")
    if isinstance(stated, int):
        return stated
    printed = row.get(stated, "")
    cell = printed.replace(",", "")
    if not cell.isdecimal() or not 1 <= int(cell) <= 10**9:
        raise UnreadableRowError(f"{stated}: '{printed}' is no whole number from 1, which the table's `runs` need")
    return int(cell)
