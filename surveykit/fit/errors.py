"""How far predicted peaks are from those that were measured on GPUs, and what a GPU needs beside the tensors."""

from __future__ import annotations

from surveykit.catalog.training import Training
from surveykit.database.reading import AnswerRow, Reader
from surveykit.record import Record
from surveykit.verify.predictions import kind_of

DRIVER_CONTEXT = 2**29
"""Bytes that the context of CUDA takes beside the tensors: about 0.5 GiB for torch with cuBLAS, more with NCCL."""
ALLOCATOR_PERCENT = 3.0
"""What the allocator reserves beyond what it hands out, in percent, where no published runs say how much."""


class PredictionError(Record):
    """Errors of predictions of one kind of setting, over published runs that they were not tuned on."""

    kind: str
    """The kind of setting of these runs: that which is asked for, or else the nearest of which there are runs."""
    sources: tuple[str, ...]
    """Keys of those that published the runs."""
    runs: int
    median_percent: float
    """Of the absolute errors, in percent of the measured peak."""
    worst_percent: float
    """Of the absolute errors, in percent of the measured peak."""
    low_percent: float
    """How far measured peaks lay above (less than 0: below) predicted ones, in percent of these; one in twenty is lower."""
    high_percent: float
    """… one in twenty is higher."""

    def low(self, peak: int) -> int:
        """The smallest peak that a predicted one may mean, in bytes; at most that, even where all were predicted too low."""
        return min(peak, round(peak * (1 + self.low_percent / 100)))

    def high(self, peak: int) -> int:
        """The largest one; at least the predicted one."""
        return max(peak, round(peak * (1 + self.high_percent / 100)))

    @property
    def sentence(self) -> str:
        """The error in words."""
        return (
            f"Error of such predictions: median {self.median_percent:.1f} %, at most {self.worst_percent:.1f} %, "
            f"over {self.runs} published GPU runs ({self.kind}; {', '.join(self.sources)}). Measured peaks were between "
            f"{self.low_percent:+z.1f} and {self.high_percent:+z.1f} % of predicted ones."
        )


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
        kind=kind, sources=tuple(error.sources.split(",")), runs=error.runs, median_percent=error.median_percent,
        worst_percent=error.worst_percent, low_percent=error.low_percent, high_percent=error.high_percent,
    )  # fmt: skip


def allocator_percent(reader: Reader) -> float:
    """How much more than its tensors take at their highest a process keeps of a device, in percent: the median over runs
    whose source prints both."""
    found = [row.allocator_share for row in reader.all("SELECT DISTINCT allocator_share FROM memory_error")]
    return ALLOCATOR_PERCENT if not found or found[0] is None else 100 * float(found[0])


def _distance(run: AnswerRow, training: Training) -> int:
    """Fields of the step in which a run differs from a setting."""
    return sum(getattr(run, name) != getattr(training, name) for name in Training.model_fields)
