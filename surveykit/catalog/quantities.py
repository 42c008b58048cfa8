"""quantities.yaml: what sources print, which of our counts it can mean, how it is compared, and with which thresholds."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import cached_property
from typing import Literal, Self

from pydantic import Field, model_validator

from surveykit.catalog.measurements import COUNTS
from surveykit.catalog.saved_files import FILE
from surveykit.record import Record

Comparison = Literal["rounding", "tick", "set", "predicted", "shown"]
"""How a printed cell is compared: at its printed rounding; a tick with a threshold or a fact; as a set of words; with a
prediction whose error is shown; not at all."""


class Judging(Record):
    """Where claims are judged that name no model or setting of their own."""

    judged_on: str
    """Model on which ticks and overheads are judged, and percentages if the paper's own model is not in the catalog."""
    full_tuning: str
    """The configuration that shares of memory are relative to."""
    matched_to: str
    """The configuration whose places and rank a configuration must share to be counted in columns named matched."""
    stored_value_bytes: int = Field(ge=1)
    """Bytes of a stored parameter of the base model."""
    searched_below: int = Field(ge=1)
    """Parameters of the largest model on which we search for a figure without a named model."""
    setting: str
    """An id of settings.yaml: how training is traced if a claim names no setting."""
    length: int = Field(ge=1)
    """Positions of the input at which memory is judged."""
    dtype: Literal["bfloat16", "float32"]
    """Precision at which memory is judged."""
    word_of: str | None = None
    """The source whose ticks and types `methods` shows; the methods' own files supply the rest."""


class Sense(Record):
    """One of our counts that a printed figure can mean."""

    id: str
    """Short name, unique in its quantity."""
    counts: tuple[str, ...] = Field(min_length=1)
    """Counts of a measurement that are added up; `model` stands for the parameters of the base model, `file` for the size of the
    file that a run saves."""
    says: str
    """What the figure counts, in words."""

    @model_validator(mode="after")
    def _counts_are_known(self) -> Self:
        for name in self.counts:
            if name not in ("model", FILE, *COUNTS):
                raise ValueError(f"'{name}' is not a count; counts are model, {FILE}, {', '.join(COUNTS)}")
        return self


class Quantity(Record):
    """Something that sources print."""

    id: str
    """Short name, unique among quantities."""
    says: str = Field(min_length=10)
    """What it is, in words."""
    unit: str | None = None
    """Unit of the measured value; NULL where there is none."""
    compare: Comparison
    """How a printed cell is compared: rounding, tick, set, predicted or shown."""
    figure: Literal["peak", "held"] = "peak"
    """What is predicted: the highest in a step (peak), or what remains between two steps (held)."""
    at_most: Decimal | None = Field(default=None, ge=0, le=1, max_digits=5, decimal_places=4)
    """A tick is right up to this value; NULL if ticks are not about an amount."""
    tolerance: Decimal | None = Field(default=None, ge=0, le=1, max_digits=5, decimal_places=4)
    """Share of our figure by which a printed one may differ in addition to rounding, for example for a file's header."""
    senses: tuple[Sense, ...] = ()
    """What a printed figure can mean; the first is what the name says, others are looked at in searches only."""
    reason: str | None = None
    """Why it is not judged, if it is only shown."""

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        if (self.compare == "shown") != (self.reason is not None):
            raise ValueError("a quantity that is only shown, and no other, must say in `reason` why it is not judged")
        if self.compare != "predicted" and self.figure != "peak":
            raise ValueError("only a quantity compared with a prediction can name the predicted figure")
        if (self.compare == "rounding") != bool(self.senses):
            raise ValueError("a quantity compared by rounding, and no other, has senses")
        return self


class Quantities(Record):
    """The whole file."""

    judging: Judging
    quantities: tuple[Quantity, ...]

    @model_validator(mode="after")
    def _complete(self) -> Self:
        ids = [q.id for q in self.quantities]
        for twice in sorted({name for name in ids if ids.count(name) > 1}):
            raise ValueError(f"the quantity {twice} appears twice")
        for name in ("disk", "ram"):
            if name not in ids or self.by_id[name].at_most is None:
                raise ValueError(f"the quantity {name} needs at_most, because its ticks are judged by an amount")
        return self

    @cached_property
    def by_id(self) -> Mapping[str, Quantity]:
        """Quantities by id."""
        return {q.id: q for q in self.quantities}

    def at_most(self, tick: str) -> Decimal:
        """Up to which value a tick is right."""
        threshold = self.by_id[tick].at_most
        assert threshold is not None  # checked when the file is read
        return threshold
