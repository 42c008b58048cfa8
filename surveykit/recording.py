"""Measuring many cells: on all processors, and recorded as they are found.

The engine takes seconds to import. Workers need it, and this process only where it measures itself.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

from surveykit.catalog.load import Catalog
from surveykit.catalog.measured import Cell, Recording, cell_of, record, this_run, tidy
from surveykit.catalog.measurements import Measurement, Recorded
from surveykit.catalog.staleness import Measure
from surveykit.errors import MissingExtra, Problem, SurveyError
from surveykit.executors import Executor, executor, in_this_process
from surveykit.processes import ENDED, Lost, Watch, unwatched

R = TypeVar("R", bound=Recorded)

COUNTED_AT_ONCE = 70
"""Cells of a backbone that a process counts in one go: many, since each process builds the backbone once."""
COUNTS_WORTH_WORKERS = 300
"""Below this number of cells to count, starting workers costs more than it saves."""
CONFIGURATIONS_WORTH_WORKERS = 8
"""Likewise of configurations to trace and to train: a worker imports torch for as long as five or so of them take."""


def unmeasurable() -> dict[Measure, str]:
    """What cannot be measured for want of a package, each with a sentence that says what to install."""
    if find_spec("peft") is not None:
        return {}
    return {"files": f"Files were left out, since {MissingExtra('peft', 'peft', 'measuring them')}."}


def counts(
    catalog: Catalog, cells: Sequence[Cell], watch: Watch = unwatched, on: Executor | None = None
) -> Iterator[Measurement]:
    """Count cells, in several processes where they are many.

    Args:
        on: where they are counted; None for processes of this machine, or this one where they are few.
    """
    if on is not None or len(cells) >= COUNTS_WORTH_WORKERS:
        few = COUNTED_AT_ONCE
        apart = _apart(cells, lambda cell: cell.backbone)
        groups = [group[i : i + few] for group in apart for i in range(0, len(group), few)]
        for rows in _measured(_counted, catalog, groups, watch, on or processes(groups)):
            yield from rows
        return
    if not cells:
        return
    from surveykit.engine.measure import measure

    watch(0, len(cells))
    for done, measurement in enumerate(measure(catalog, cells), start=1):
        watch(done, len(cells))
        yield measurement


def traces_and_trials(
    catalog: Catalog, cells: Iterable[Cell], watch: Watch = unwatched, on: Executor | None = None
) -> Iterator[list[Recorded]]:
    """Costs, predictions, files and trials, the cells of one configuration after another, in several processes where these are
    many."""
    groups = _apart(cells, lambda cell: cell.configuration)
    if groups:
        apart = len(groups) >= CONFIGURATIONS_WORTH_WORKERS
        yield from _measured(_together, catalog, groups, watch, on or (processes(groups) if apart else in_this_process))


def measure_and_record(
    catalog: Catalog,
    wanted: Mapping[Measure, Sequence[Cell]],
    faults: Iterable[Problem],
    watch: Watch = unwatched,
    on: Executor | None = None,
) -> Recording:
    """Measure, and write what was found after each configuration, so that an interrupted run loses nothing and resumes.

    Args:
        on: where it is measured; None for this machine.
    """
    run = this_run()
    counted_now: list[Measurement] = []
    others: list[Recorded] = []
    changed: set[Path] = set()
    try:
        for measurement in counts(catalog, wanted.get("counts", ()), watch, on):
            counted_now.append(measurement)
    finally:
        changed.update(record(catalog, counted_now, run))
    for rows in traces_and_trials(
        catalog, [cell for m, cells in wanted.items() if m != "counts" for cell in cells], watch, on
    ):
        changed.update(record(catalog, rows, run))
        others += rows
    changed.update(tidy(catalog))
    return Recording(
        cells={measure: len(cells) for measure, cells in wanted.items() if cells},
        failed=tuple(m for m in counted_now if m.status == "failed"),
        refused=tuple(
            sorted({cell_of(row).configuration for row in others if getattr(row, "status", "") == "refused"})
        ),
        files=tuple(sorted(changed)),
        faults=tuple(faults),
    )


def _apart(cells: Iterable[Cell], by: Callable[[Cell], str]) -> list[list[Cell]]:
    groups: dict[str, list[Cell]] = {}
    for cell in cells:
        groups.setdefault(by(cell), []).append(cell)
    return list(groups.values())


def processes(groups: Sequence[object]) -> Executor:
    """Processes of this machine, one a processor."""
    return executor("processes", workers=max(1, min(os.cpu_count() or 1, len(groups))))


def _counted(catalog: Catalog, cells: Sequence[Cell]) -> list[Measurement]:
    from surveykit.engine.measure import counted

    return counted(catalog, cells)


def _together(catalog: Catalog, cells: Sequence[Cell]) -> list[Recorded]:
    from surveykit.engine.measure import together

    return together(catalog, cells)


def _measured(
    measure_group: Callable[[Catalog, Sequence[Cell]], list[R]],
    catalog: Catalog,
    groups: Sequence[list[Cell]],
    watch: Watch,
    on: Executor,
) -> Iterator[list[R]]:
    """What is found for each group of cells, in the order in which it comes.

    Raises:
        SurveyError: the process of a group was ended from outside.
        MissingExtra: torch or transformers is not installed.
    """
    this_run()  # what is missing is said here, not in a worker
    total, done = sum(map(len, groups)), 0
    watch(done, total)
    ordered = sorted(groups, key=len, reverse=True)  # the largest first, so that no long one is left for the end
    for cells, rows in on(partial, (measure_group, catalog), ordered):
        if isinstance(rows, Lost):
            raise SurveyError(ENDED)
        done += len(cells)
        watch(done, total)
        yield rows
