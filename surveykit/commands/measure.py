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

    from surveykit.catalog.chosen import chosen_recipes
    from surveykit.catalog.locate import locate
    from surveykit.errors import SurveyError

    if not arguments.method:
        raise SurveyError("with --model, name the methods to measure, or `all`")
    if arguments.backbone or arguments.all or arguments.only:
        raise SurveyError("--backbone, --all and --only are for the catalog's own records; leave them out with --model")
    root = locate(arguments.catalog).root
    chosen_recipes(root, arguments.method)  # a wrong name is said before a model is built
    from surveykit.engine.on_model import CostsOnModel, loss_of, measure_on, model_named

    blueprint = model_named(arguments.model, root)
    recipes = chosen_recipes(root, arguments.method, biases=blueprint.build().has_biases)
    described = f"{blueprint.name}: a step of {arguments.batch} × {arguments.length} positions; {loss_of(blueprint)}"
    rows = [astuple(r) for r in measure_on(blueprint, recipes, batch=arguments.batch, length=arguments.length)]
    show([field.name for field in fields(CostsOnModel)], rows, [described, *blueprint.notes], arguments.format)
    return 0 if any(row[1] is not None for row in rows) else 1


def _run_on_catalog(arguments: Namespace) -> int:
    from time import perf_counter

    from surveykit.catalog.locate import locate
    from surveykit.catalog.measured import cells, stale

    catalog = load_for_measuring(locate(arguments.catalog).root)
    started, todo = perf_counter(), {}
    for measure in MEASURES:
        if arguments.only and measure not in arguments.only:
            continue
        wanted = select(catalog, arguments.method, arguments.backbone, cells(catalog, measure))
        outdated = set(wanted) if arguments.all else set(stale(catalog, measure))
        todo[measure] = [cell for cell in wanted if cell in outdated]
    if not any(todo.values()):
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
    from surveykit.catalog.measured import record
    from surveykit.engine.measure import this_run

    fresh: list[Any] = []
    changed: set[Path] = set()
    try:
        fresh += measured(catalog, todo.get("counts", []), quiet=quiet)
        for rows in _together(catalog, [*todo.get("costs", []), *todo.get("trials", [])], quiet=quiet):
            fresh += rows
            changed.update(record(catalog, fresh, this_run()))
    finally:
        changed.update(record(catalog, fresh, this_run()))
    return fresh, sorted(changed)


def _together(catalog: Catalog, wanted: list[Cell], *, quiet: bool) -> Iterator[list[Any]]:
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
    import multiprocessing
    import os
    from concurrent.futures import ProcessPoolExecutor, as_completed

    workers = min(os.cpu_count() or 1, len(groups))
    if workers == 1:
        for cells in groups:
            yield found(catalog, cells)
        return
    context = multiprocessing.get_context("spawn")  # torch's threads do not survive a fork
    every = sum(map(len, groups))
    with progress(every, quiet=quiet) as bar, ProcessPoolExecutor(workers, mp_context=context) as pool:
        # The largest first, so that no long one is left for the end.
        ordered = sorted(groups, key=len, reverse=True)
        running = {pool.submit(found, catalog, cells): len(cells) for cells in ordered}
        try:
            for done in as_completed(running):
                bar.update(running[done])
                yield done.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def load_for_measuring(root: Path) -> Catalog:
    """The catalog; where only catalog/measured is at fault, the catalog without it, to be measured anew."""
    from surveykit.catalog.load import load
    from surveykit.errors import CatalogError

    try:
        return load(root)
    except CatalogError as error:
        if not all("/measured/" in problem.file for problem in error.problems):
            raise
        print(f"surveykit: measuring everything again, since {error}", file=sys.stderr)
        return load(root, measured=False)


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
        if name not in catalog.backbones:
            raise SurveyError(f"there is no backbone '{name}'{nearest(name, catalog.backbones)}")
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
