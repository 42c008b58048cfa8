"""How far predictions of memory are from published runs that nothing was tuned on, for settings like the one asked for."""

from __future__ import annotations

from dataclasses import dataclass

from surveykit.catalog.training import Training
from surveykit.database.reading import AnswerRow, Reader
from surveykit.verify.predictions import kind_of


@dataclass(frozen=True)
class PredictionError:
    """The errors of predictions against held-out runs in one kind of setting. Percent of the printed figure."""

    kind: str
    """The kind of setting of these runs: that of the setting asked for, or else the nearest of which there are runs."""
    is_nearest: bool
    """Whether there are no runs of its own kind, so that the nearest stands for it."""
    sources: tuple[str, ...]
    """Keys of the sources of the runs."""
    runs: int
    median_percent: float
    """Of the absolute errors."""
    worst_percent: float
    """Of the absolute errors."""
    low_percent: float
    """The error below which one run in twenty lies, with its sign: the prediction is this much above what is printed."""
    high_percent: float
    """The error above which one run in twenty lies, with its sign."""
    allocator_share: float
    """How much more a process keeps of a device than its tensors take at their highest, as a share of that."""

    def range_of(self, predicted: int) -> tuple[int, int]:
        """Bytes between which the memory lies, if the prediction is off by no more than nine of ten of these runs."""
        return int(predicted / (1 + self.high_percent / 100)), int(predicted / (1 + self.low_percent / 100))


def prediction_error(reader: Reader, training: Training) -> PredictionError | None:
    """The errors to quote with a prediction in a setting; None where no held-out run is recorded.

    They are those of the same kind of setting. Where there are none, those of the kind whose runs differ from it in the
    fewest fields.
    """
    runs = reader.all("SELECT * FROM memory_prediction WHERE split = 'held out' AND kind <> 'held between steps'")
    if not runs:
        return None
    own = kind_of(training)
    kind = own if any(run.kind == own for run in runs) else min(runs, key=lambda run: _distance(run, training)).kind
    (error,) = reader.all("SELECT * FROM memory_error WHERE split = 'held out' AND kind = ?", kind)
    return PredictionError(
        kind, kind != own, tuple(error.sources.split(",")), error.runs, error.median_percent, error.worst_percent,
        error.low_percent, error.high_percent, error.allocator_share or 0.0,
    )  # fmt: skip


def _distance(run: AnswerRow, training: Training) -> int:
    """Fields of the step in which a run differs from a setting."""
    return sum(getattr(run, name) != getattr(training, name) for name in Training.model_fields)
