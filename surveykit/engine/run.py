"""Measuring many cells: on all processors, and recorded as they are found."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from surveykit.catalog.load import Catalog
from surveykit.catalog.measured import Cell, Recording, cell_of, record, tidy
from surveykit.catalog.measurements import Measurement, Recorded
from surveykit.catalog.staleness import Measure
from surveykit.engine.measure import R, counted, measure, this_run, together
from surveykit.errors import Problem
from surveykit.processes import Watch, in_processes, unwatched

COUNTED_AT_ONCE = 70
"""Cells of a backbone that a process counts in one go: many, since it builds the backbone for them."""
COUNTS_WORTH_WORKERS = 300
"""Below this number of cells to count, starting workers costs more than it saves."""
CONFIGURATIONS_WORTH_WORKERS = 8
"""Likewise of configurations to trace and to train: a worker imports torch for as long as five or so of them take."""


def counts(catalog: Catalog, cells: Sequence[Cell], watch: Watch = unwatched) -> Iterator[Measurement]:
    """Count cells, in several processes where they are many."""
    if len(cells) >= COUNTS_WORTH_WORKERS:
        few = COUNTED_AT_ONCE
        apart = _apart(cells, lambda cell: cell.backbone)
        groups = [group[i : i + few] for group in apart for i in range(0, len(group), few)]
        for rows in _measured(counted, catalog, groups, watch, os.cpu_count()):
            yield from rows
        return
    watch(0, len(cells))
    for done, measurement in enumerate(measure(catalog, cells), start=1):
        watch(done, len(cells))
        yield measurement


def traces_and_trials(catalog: Catalog, cells: Iterable[Cell], watch: Watch = unwatched) -> Iterator[list[Recorded]]:
    """Costs, predictions and trials, the cells of one configuration after another, in several processes where these are
    many."""
    groups = _apart(cells, lambda cell: cell.configuration)
    if groups:
        apart = len(groups) >= CONFIGURATIONS_WORTH_WORKERS
        yield from _measured(together, catalog, groups, watch, os.cpu_count() if apart else 1)


def measure_and_record(
    catalog: Catalog, wanted: Mapping[Measure, Sequence[Cell]], faults: Iterable[Problem], watch: Watch = unwatched
) -> Recording:
    """Measure, and write what was found after each configuration, so that an interrupted run loses nothing and resumes."""
    run = this_run()
    counted_now: list[Measurement] = []
    others: list[Recorded] = []
    changed: set[Path] = set()
    try:
        for measurement in counts(catalog, wanted.get("counts", ()), watch):
            counted_now.append(measurement)
    finally:
        changed.update(record(catalog, counted_now, run))
    for rows in traces_and_trials(
        catalog, [cell for m, cells in wanted.items() if m != "counts" for cell in cells], watch
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


def _measured(
    measure_group: Callable[[Catalog, Sequence[Cell]], list[R]],
    catalog: Catalog,
    groups: Sequence[list[Cell]],
    watch: Watch,
    processors: int | None,
) -> Iterator[list[R]]:
    """What is found for each group of cells, in the order in which it comes."""
    total, done = sum(map(len, groups)), 0
    watch(done, total)
    workers = min(processors or 1, len(groups))
    ordered = sorted(groups, key=len, reverse=True)  # the largest first, so that no long one is left for the end
    finished: Iterator[tuple[list[Cell], list[R]]]
    if workers == 1:
        finished = ((cells, measure_group(catalog, cells)) for cells in ordered)
    else:
        finished = in_processes(partial, (measure_group, catalog), ordered, workers)
    for cells, rows in finished:
        done += len(cells)
        watch(done, total)
        yield rows
