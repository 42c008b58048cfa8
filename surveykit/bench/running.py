"""Running a plan: what is done already is skipped, what is lost is tried once more, and each result is a file."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from surveykit.bench.cells import BenchCell
from surveykit.bench.results import FOLDER, BenchResult, Results
from surveykit.executors import Executor
from surveykit.processes import Watch, unwatched

LOST_TWICE = "its process was ended from outside, twice; perhaps this machine has too little memory"


@dataclass(frozen=True)
class Elsewhere:
    """Another process is running the cell."""


@dataclass(frozen=True)
class NotStarted:
    """The cell cannot fit the device."""

    reason: str


Outcome = BenchResult | Elsewhere | NotStarted


@dataclass
class Ran:
    """What became of the cells of a run."""

    results: dict[str, BenchResult] = field(default_factory=dict)
    """By the cell's id: those of earlier runs too."""
    new: int = 0
    elsewhere: list[BenchCell] = field(default_factory=list)
    not_started: list[tuple[BenchCell, str]] = field(default_factory=list)
    stopped: bool = False
    """Whether an interrupt left cells that were not begun."""


@dataclass(frozen=True)
class Work:
    """What a process is told."""

    results: Results
    device: str
    """`cpu` or `cuda`; of several accelerators each process takes one that no other has."""
    data: Path | None
    """The folder with what plans name without a package."""
    threads: int | None
    """Of torch; None leaves them."""
    even_if_too_large: bool
    """Whether cells are started too that need more memory than there is, by their prediction."""


Make = Callable[[Work], Callable[[BenchCell], Outcome]]
Failed = Callable[[BenchCell, str, Work], BenchResult]


def run(
    cells: Sequence[BenchCell], executor: Executor, alone: Executor, make: Make, failed: Failed, work: Work, *,
    watch: Watch = unwatched,
) -> Ran:  # fmt: skip
    """Run the cells that have no result yet.

    Args:
        alone: the executor for cells whose process was lost: one at a time.
        make, failed: of `surveykit.engine.bench.work`: how a process works, and the result of a cell that never had one.

    Raises:
        SurveyError: what cells need is not there, or results cannot be written.
    """
    ran = Ran({cell.id: found for cell in cells if (found := work.results.of(cell)) is not None})
    watch(0, len(cells))
    watch(len(ran.results), len(cells))
    waiting = [cell for cell in cells if cell.id not in ran.results]
    with _first_interrupt_waits() as interrupted:

        def once(cells: Sequence[BenchCell], executor: Executor) -> list[BenchCell]:
            """Run cells; those whose process was lost are returned."""
            lost: list[BenchCell] = []
            for cell, outcome in executor(make, (work,), cells, stop=lambda: bool(interrupted)):
                if isinstance(outcome, BenchResult):
                    if work.results.of(cell) is None:  # its process does not share our disk
                        work.results.write(outcome)
                    ran.results[cell.id] = outcome
                    ran.new += 1
                    watch(len(ran.results), len(waiting) + len(ran.results) - ran.new)
                elif isinstance(outcome, Elsewhere):
                    ran.elsewhere.append(cell)
                elif isinstance(outcome, NotStarted):
                    ran.not_started.append((cell, outcome.reason))
                else:
                    lost.append(cell)
            return lost

        lost = once(waiting, executor) if waiting else []
        for cell in once(lost, alone) if lost else []:
            ran.results[cell.id] = failed(cell, LOST_TWICE, work)
            work.results.write(ran.results[cell.id])
        ran.stopped = bool(interrupted)
    return ran


@contextmanager
def _first_interrupt_waits() -> Iterator[list[int]]:
    """Ctrl-C once: no further cell is begun, and what runs is finished. Twice: as ever."""
    came: list[int] = []
    before = signal.getsignal(signal.SIGINT)

    def once(number: int, frame: FrameType | None) -> None:
        if came and callable(before):
            before(number, frame)
        came.append(number)

    try:
        signal.signal(signal.SIGINT, once)
    except ValueError:  # not the main thread, which alone gets signals
        yield came
        return
    try:
        yield came
    finally:
        signal.signal(signal.SIGINT, before)


def results_folder(root: Path, chosen: Path | None, plan: str) -> Path:
    """Where the results of a plan are written."""
    return (chosen if chosen is not None else root / FOLDER) / plan
