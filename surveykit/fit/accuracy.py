"""How far memory computed from recorded traces is from direct traces: read from a file that a benchmark writes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from surveykit.record import Record

LIMIT_PERCENT = 5
"""Errors below it are counted."""


class At(Record):
    """The errors of all configurations at one setting of one backbone, in percent of the traced peak."""

    backbone: str
    batch: int
    length: int
    figures: int
    """Peaks compared: configurations, in each width of numbers."""
    mean_percent: float
    """Of the absolute errors."""
    below_limit: int
    """Figures whose error is below `LIMIT_PERCENT`."""
    largest_percent: float
    largest_of: str
    """The configuration with the largest error."""

    @classmethod
    def of(cls, backbone: str, batch: int, length: int, errors: Sequence[tuple[str, float]]) -> At:
        """Sum up errors, each with its configuration; at least one."""
        sizes = [abs(error) for _, error in errors]
        largest = max(range(len(sizes)), key=sizes.__getitem__)
        return cls(
            backbone=backbone, batch=batch, length=length, figures=len(sizes),
            mean_percent=round(sum(sizes) / len(sizes), 3), below_limit=sum(size < LIMIT_PERCENT for size in sizes),
            largest_percent=round(sizes[largest], 2), largest_of=errors[largest][0],
        )  # fmt: skip


class Accuracy(Record):
    """One run of `benchmarks/fit_error.py`."""

    date: date
    torch: str
    transformers: str
    least_gb: float
    """Traced peaks below it are left out."""
    settings: tuple[At, ...]

    @property
    def figures(self) -> int:
        return sum(at.figures for at in self.settings)

    @property
    def mean_percent(self) -> float:
        return sum(at.mean_percent * at.figures for at in self.settings) / self.figures

    @property
    def below_limit_percent(self) -> float:
        return 100 * sum(at.below_limit for at in self.settings) / self.figures

    def largest(self, batches: range) -> At | None:
        """The setting with the largest error among those with such a batch."""
        return max((at for at in self.settings if at.batch in batches), key=lambda at: at.largest_percent, default=None)
