"""`surveykit measure`: measure what is stale, and write it to catalog/measured; or print what methods cost on any model."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

from surveykit import output
from surveykit.commands.count import add_model, positive, show

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from surveykit.catalog.load import Catalog
    from surveykit.catalog.measured import Cell
    from surveykit.catalog.measurements import Measurement
    from surveykit.catalog.staleness import Measure
    from surveykit.errors import Problem


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("method", nargs="*", metavar="METHOD", help="only these methods, or method/configuration")
    parser.add_argument("--backbone", action="append", metavar="ID", help="only on this backbone; may be repeated")
    parser.add_argument("--all", action="store_true", help="also measure again what is recorded and not stale")
    parser.add_argument(
        "--only", choices=("counts", "costs", "trials"), action="append",
        help="only numbers of parameters; memory, backward and inference; runs on a tiny T5; may be repeated",
    )  # fmt: skip
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    own = parser.add_argument_group("on a model of your own: costs are printed, nothing is recorded")
    add_model(own)
    own.add_argument("--batch", type=positive, default=1, metavar="N", help="sequences of a training step (default: 1)")
    own.add_argument("--length", type=positive, default=256, metavar="N", help="positions of each (default: 256)")
    own.add_argument("--format", choices=output.FORMATS, default="table", help="how to print (default: table)")


def run(arguments: Namespace) -> int:
    return _run_on_model(arguments) if arguments.model is not None else _run_on_catalog(arguments)


def _run_on_model(arguments: Namespace) -> int:
    from dataclasses import astuple, fields

    from surveykit.catalog.locate import locate
    from surveykit.catalog.selection import selected_recipes
    from surveykit.errors import SurveyError

    if not arguments.method:
        raise SurveyError("with --model, name the methods to measure, or `all`")
    if arguments.backbone or arguments.all or arguments.only:
        raise SurveyError("--backbone, --all and --only are for the catalog's own records; leave them out with --model")
    root = locate(arguments.catalog).root
    selected_recipes(root, arguments.method)  # a wrong name is said before a model is built
    from surveykit.engine.on_model import CostsOnModel, loss_of, measure_on, model_named

    blueprint = model_named(arguments.model, root)
    recipes = selected_recipes(root, arguments.method, biases=blueprint.build().has_biases)
    described = f"{blueprint.name}: a step of {arguments.batch} × {arguments.length} positions; {loss_of(blueprint)}"
    rows = [astuple(r) for r in measure_on(blueprint, recipes, batch=arguments.batch, length=arguments.length)]
    show([field.name for field in fields(CostsOnModel)], rows, [described, *blueprint.notes], arguments.format)
    return 0 if any(row[1] is not None for row in rows) else 1


def _run_on_catalog(arguments: Namespace) -> int:
    from time import perf_counter

    from surveykit.catalog.locate import locate
    from surveykit.catalog.measured import cells, stale, tidy

    catalog = load_for_measuring(locate(arguments.catalog).root)
    started, todo = perf_counter(), {}
    for measure in MEASURES:
        if arguments.only and measure not in arguments.only:
            continue
        wanted = select(catalog, arguments.method, arguments.backbone, cells(catalog, measure))
        outdated = set(wanted) if arguments.all else set(stale(catalog, measure))
        todo[measure] = [cell for cell in wanted if cell in outdated]
    if not any(todo.values()):
        tidy(catalog)
        print("nothing to measure: everything recorded is current")
        return 0
    fresh, changed = _measure_and_record(catalog, todo, quiet=arguments.quiet)
    failed = [m for m in fresh if getattr(m, "status", "") == "failed"]
    refused = {m.configuration for m in fresh if getattr(m, "status", "") == "refused"}
    for m in failed:
        print(f"failed: {m.configuration} on {m.backbone}: {m.reason}", file=sys.stderr)
    counted = ", ".join(f"{len(found)} {measure}" for measure, found in todo.items() if found)
    took = f"{perf_counter() - started:.1f} s"
    print(f"measured {counted} in {took}, {len(failed)} failed; {len(changed)} files changed")
    if refused:
        print(f"recorded as unable to run, with the reason: {', '.join(sorted(refused))}", file=sys.stderr)
    return 1 if failed else 0


MEASURES: tuple[Measure, ...] = ("counts", "costs", "trials")


def _measure_and_record(
    catalog: Catalog, todo: Mapping[Measure, list[Cell]], *, quiet: bool
) -> tuple[list[Any], list[Path]]:
    """Measure, and write what was found after each configuration, so that an interrupted run loses nothing and resumes."""
    from surveykit.catalog.measured import record, tidy
    from surveykit.engine.measure import this_run

    run = this_run()
    counts: list[Any] = []
    fresh: list[Any] = []
    changed: set[Path] = set()
    try:
        for one in measured(catalog, todo.get("counts", []), quiet=quiet):
            counts.append(one)
    finally:
        changed.update(record(catalog, counts, run))
    for rows in costs_and_trials(catalog, [*todo.get("costs", []), *todo.get("trials", [])], quiet=quiet):
        changed.update(record(catalog, rows, run))
        fresh += rows
    changed.update(tidy(catalog))
    return [*counts, *fresh], sorted(changed)


def costs_and_trials(catalog: Catalog, wanted: Iterable[Cell], *, quiet: bool) -> Iterator[list[Any]]:
    """Costs and trials, the cells of one configuration after another, on all processors."""
    from surveykit.engine.measure import together

    apart: dict[str, list[Cell]] = {}
    for cell in wanted:
        apart.setdefault(cell.configuration, []).append(cell)
    if apart:
        yield from _in_processes(together, catalog, list(apart.values()), quiet=quiet)


def _in_processes(
    found: Callable[[Catalog, Sequence[Cell]], list[Any]], catalog: Catalog, groups: list[list[Cell]], *, quiet: bool
) -> Iterator[list[Any]]:
    """What is found for each group of cells, in the order in which it comes."""
    import os
    from functools import partial

    from surveykit.processes import in_processes

    workers = min(os.cpu_count() or 1, len(groups))
    ordered = sorted(groups, key=len, reverse=True)  # the largest first, so that no long one is left for the end
    with progress(sum(map(len, groups)), quiet=quiet) as bar:
        done: Iterator[tuple[list[Cell], list[Any]]]
        if workers == 1:
            done = ((cells, found(catalog, cells)) for cells in ordered)
        else:
            done = in_processes(partial, (found, catalog), ordered, workers)
        for cells, rows in done:
            bar.update(len(cells))
            yield rows


def load_for_measuring(root: Path) -> Catalog:
    """The catalog without those rows of catalog/measured that are at fault, which are to be measured anew."""
    from surveykit.catalog.load import load

    faults: list[Problem] = []
    catalog = load(root, left_out=faults)
    for fault in faults[:MOST_FAULTS]:
        print(f"surveykit: not used: {fault}", file=sys.stderr)
    if len(faults) > MOST_FAULTS:
        print(f"surveykit: not used: {len(faults) - MOST_FAULTS:,} more lines of {root}/measured", file=sys.stderr)
    return catalog


MOST_FAULTS = 10
"""Faults of catalog/measured that are shown; the rest is counted."""


def select(
    catalog: Catalog, methods: Iterable[str] | None, backbones: Iterable[str] | None, among: list[Cell] | None = None
) -> list[Cell]:
    """The cells of the named methods (or method/configuration) and backbones; all where nothing is named.

    Args:
        among: the cells to choose from; without it those of counts. Trials have no backbone and are kept whole.

    Raises:
        SurveyError: a name is not in the catalog.
    """
    from surveykit.catalog.measured import cells
    from surveykit.errors import SurveyError, nearest

    methods, backbones = list(methods or ()), list(backbones or ())
    names = [name for name, _, _ in catalog.configurations()]
    for name in methods:
        if name not in catalog.methods and name not in names:
            raise SurveyError(f"there is no method '{name}'{nearest(name, [*catalog.methods, *names])}")
    for name in backbones:
        if name not in catalog.models:
            raise SurveyError(f"there is no backbone '{name}'{nearest(name, catalog.models)}")
    return [
        cell
        for cell in (cells(catalog) if among is None else among)
        if (not methods or cell.configuration in methods or cell.configuration.split("/")[0] in methods)
        and (not backbones or not cell.backbone or cell.backbone in backbones)
    ]


COUNTED_AT_ONCE = 70
"""Cells of a backbone that a process counts in one go: many, since it builds the backbone for them."""
WORTH_PROCESSES = 300
"""Fewer cells than this are counted sooner than other processes have imported torch."""


def measured(catalog: Catalog, wanted: list[Cell], *, quiet: bool) -> Iterator[Measurement]:
    """Count cells behind a progress bar on standard error, on all processors where they are many."""
    from surveykit.engine.measure import counted, measure

    if len(wanted) >= WORTH_PROCESSES:
        apart: dict[str, list[Cell]] = {}
        for cell in wanted:
            apart.setdefault(cell.backbone, []).append(cell)
        few = COUNTED_AT_ONCE
        groups = [cells[i : i + few] for cells in apart.values() for i in range(0, len(cells), few)]
        for rows in _in_processes(counted, catalog, groups, quiet=quiet):
            yield from rows
        return
    with progress(len(wanted), quiet=quiet) as bar:
        for measurement in measure(catalog, wanted, lambda cell: bar.set_description(cell.backbone, refresh=False)):
            bar.update()
            yield measurement


def progress(total: int, *, quiet: bool) -> Any:
    """A progress bar on standard error; hidden where nobody looks.

    Raises:
        MissingExtra: the package for it is not installed.
    """
    from surveykit.errors import MissingExtra

    try:
        from tqdm import tqdm

        class Bar(tqdm):  # type: ignore[type-arg]  # generic in the stubs only
            monitor_interval = 0  # no thread that looks after bars, and outlives them
    except ImportError as error:
        raise MissingExtra("tqdm", "measure") from error
    return Bar(total=total, unit="cell", disable=quiet or not sys.stderr.isatty(), leave=False, file=sys.stderr)
