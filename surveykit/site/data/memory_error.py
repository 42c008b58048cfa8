"""How far predicted memory is from published runs: read from a file that a benchmark writes."""

from __future__ import annotations

from datetime import date

from surveykit.ranks import rank_correlation
from surveykit.record import Record
from surveykit.verify.predictions import KindError, Split


class Group(Record):
    """The runs of one source on one model, which are in one part of the split."""

    source: str
    model: str
    split: Split
    runs: int


class ModuleRun(Record):
    """One experiment of PEFT's benchmark, predicted through PEFT's own modules. Bytes."""

    row: str
    """Its name."""
    printed: int
    """The highest reserved memory."""
    predicted: int | None
    """The peak; None where `reason` says why there is none."""
    reason: str | None

    @property
    def error_percent(self) -> float:
        """How far the prediction is above the printed figure, in percent of it."""
        assert self.predicted is not None, "asked for the error of a run that was not predicted"
        return 100 * (self.predicted / self.printed - 1)


class MemoryErrors(Record):
    """One run of `benchmarks/memory_error.py`."""

    date: date
    torch: str
    transformers: str
    peft: str
    seed: int
    """Of the split."""
    allocator_share: float | None
    """How much more a process keeps of a device than its tensors take, as a share, in the median of printed runs."""
    groups: tuple[Group, ...]
    errors: tuple[KindError, ...]
    modules: tuple[ModuleRun, ...]

    @property
    def compared(self) -> int:
        """Experiments that were predicted through PEFT's own modules."""
        return len(self._predicted)

    @property
    def mean_percent(self) -> float:
        """The mean of their absolute errors."""
        return sum(abs(run.error_percent) for run in self._predicted) / len(self._predicted)

    @property
    def rank_correlation(self) -> float | None:
        """Spearman's, of printed and predicted figures."""
        return rank_correlation(
            [float(r.printed) for r in self._predicted], [float(r.predicted or 0) for r in self._predicted]
        )

    @property
    def _predicted(self) -> list[ModuleRun]:
        return [run for run in self.modules if run.predicted is not None]
