"""quantities.yaml: what is measured, in which unit, where it is judged, and from where on a tick counts as true."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal, Self

from pydantic import Field, model_validator

from surveykit.record import Record

TICKS = ("disk", "ram")
"""Quantities that a tick of Table 1 speaks of: each needs a threshold."""


class Judging(Record):
    """Where ticks are judged."""

    judged_on: str
    """Base model of the view methods, on which ticks and overheads are judged, and percentages where the paper's own model
    is not in the catalog."""
    full_tuning: str
    """The configuration that is the whole of a share of memory."""
    matched_to: str
    """The configuration whose places and rank a configuration must share to be counted in columns named matched."""
    stored_value_bytes: int = Field(ge=1)
    """Bytes of a stored parameter of the base model."""
    length: int = Field(ge=1)
    """Positions of the input at which memory is judged."""
    dtype: Literal["bfloat16", "float32"]
    """Number format in which memory is judged."""


class Quantity(Record):
    """Something that is measured."""

    id: str
    """Short name, unique among quantities."""
    says: str = Field(min_length=10)
    """What is measured, in words."""
    unit: str = Field(min_length=3)
    """Unit of the measured value."""
    saved_at_most: Decimal | None = Field(ge=0, le=1, max_digits=5, decimal_places=4)
    """Up to this value a tick is right; NULL where no tick speaks of the quantity."""


class Quantities(Record):
    """The whole file."""

    judging: Judging
    quantities: tuple[Quantity, ...]

    @model_validator(mode="after")
    def _complete(self) -> Self:
        ids = [q.id for q in self.quantities]
        for twice in sorted({name for name in ids if ids.count(name) > 1}):
            raise ValueError(f"the quantity {twice} stands twice")
        for name in TICKS:
            if not any(q.id == name and q.saved_at_most is not None for q in self.quantities):
                raise ValueError(f"the quantity {name} needs saved_at_most: a tick of Table 1 speaks of it")
        return self

    def saved_at_most(self, tick: str) -> Decimal:
        """Up to which value a tick is right."""
        return next(q.saved_at_most for q in self.quantities if q.id == tick and q.saved_at_most is not None)
