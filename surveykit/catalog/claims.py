"""What the survey prints, cell by cell, and how its wording is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from surveykit.catalog.figures import parse_figure
from surveykit.recipes.base import Overhead
from surveykit.record import Record

Tick = Literal["✓", "✗"]
Column = Literal["score", "params_millions", "params_percent", "ram_gb", "throughput_train", "throughput_infer"]

OVERHEAD_PRINTED: Mapping[str, tuple[Overhead, ...]] = {
    "No overhead": (),
    "+ FFN": ("ffn",),
    "+ input": ("input",),
    "+ FFN and input": ("ffn", "input"),
    "+ linear layer": ("linear",),
    "+ gating": ("gating",),
    "+ decoder": ("decoder",),
}
"""How Table 1 words the inference overhead, and what we read in it."""


class Table1Row(Record):
    """A row of the survey's Table 1, as printed."""

    row: str
    """The method's name in the table."""
    type: Literal["A", "S", "R", "AS", "AR", "ARS"]
    disk: Tick
    ram: Tick
    bp: Tick
    overhead: Literal["No overhead", "+ FFN", "+ input", "+ FFN and input", "+ linear layer", "+ gating", "+ decoder"]
    note: str | None = None
    """A footnote of the table, in our words."""


class Table2Row(Record):
    """A row of the survey's Table 2, as printed."""

    row: str
    """The method's name in the table."""
    trainable_percent: str
    """Trainable parameters in percent, as printed; a range or a bound stays text."""
    changed_percent: str
    """Changed parameters in percent, as printed."""
    under_1b: Tick
    """Evaluated on models of fewer than 1 billion parameters."""
    under_20b: Tick
    """… of fewer than 20 billion."""
    over_20b: Tick
    """… of more than 20 billion."""
    note: str | None = None

    @field_validator("trainable_percent", "changed_percent")
    @classmethod
    def _is_figure(cls, printed: str) -> str:
        parse_figure(printed)
        return printed


class SurveyPlace(Record):
    """Where the survey treats the method, and what its tables say of it."""

    section: str = Field(pattern=r"^[0-9]+(\.[0-9]+)?$")
    """Number of the section that describes it."""
    table1: Table1Row | None
    """Null: the method has no row there."""
    table2: Table2Row | None


class TableCell(Record):
    """One printed figure of Table 5: one fact per row of the file."""

    identity = ("backbone_label", "row", "column")

    backbone_label: str
    row: str
    column: Column
    printed: str | None
    status: Literal["printed", "dash", "missing_in_source"]

    @model_validator(mode="after")
    def _text_when_printed(self) -> Self:
        if (self.status == "printed") != (self.printed is not None):
            raise ValueError("a cell has text exactly when its status is 'printed'")
        if self.printed is not None:
            parse_figure(self.printed)
        return self
