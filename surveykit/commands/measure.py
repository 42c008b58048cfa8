"""`surveykit measure`: count what is stale, and write it to catalog/measured."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from surveykit.catalog.load import Catalog
    from surveykit.catalog.measured import Cell
    from surveykit.catalog.measurements import Measurement


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("method", nargs="*", metavar="METHOD", help="only these methods, or method/configuration")
    parser.add_argument("--backbone", action="append", metavar="ID", help="only on this backbone; may be repeated")
    parser.add_argument("--all", action="store_true", help="also measure again what is recorded and not stale")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def run(arguments: Namespace) -> int:
    from time import perf_counter

    from surveykit.catalog.locate import locate
    from surveykit.catalog.measured import record, stale

    catalog = load_for_measuring(locate(arguments.catalog).root)
    wanted = select(catalog, arguments.method, arguments.backbone)
    if not arguments.all:
        outdated = set(stale(catalog))
        wanted = [cell for cell in wanted if cell in outdated]
    if not wanted:
        print("nothing to measure: every recorded count is current")
        return 0
    from surveykit.engine.measure import this_run

    started = perf_counter()
    fresh: list[Measurement] = []
    try:
        for measurement in measured(catalog, wanted, quiet=arguments.quiet):
            fresh.append(measurement)
    finally:  # an interrupted run keeps what it has found
        changed = record(catalog, fresh, this_run())
    failed = [m for m in fresh if m.status == "failed"]
    for m in failed:
        print(f"failed: {m.configuration} on {m.backbone}: {m.reason}", file=sys.stderr)
    took = perf_counter() - started
    print(f"measured {len(fresh)} cells in {took:.1f} s, {len(failed)} failed; {len(changed)} files changed")
    return 1 if failed else 0


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


def select(catalog: Catalog, methods: Iterable[str] | None, backbones: Iterable[str] | None) -> list[Cell]:
    """The cells of the named methods (or method/configuration) and backbones; all where nothing is named.

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
        for cell in cells(catalog)
        if (not methods or cell.configuration in methods or cell.configuration.split("/")[0] in methods)
        and (not backbones or cell.backbone in backbones)
    ]


def measured(catalog: Catalog, wanted: list[Cell], *, quiet: bool) -> Iterator[Measurement]:
    """Measure cells behind a progress bar on standard error."""
    from surveykit.engine.measure import measure
    from surveykit.errors import MissingExtra

    try:
        from tqdm import tqdm
    except ImportError as error:
        raise MissingExtra("tqdm", "measure") from error
    hidden = quiet or not sys.stderr.isatty()
    with tqdm(total=len(wanted), unit="cell", disable=hidden, leave=False, file=sys.stderr) as bar:
        for measurement in measure(catalog, wanted, lambda cell: bar.set_description(cell.backbone, refresh=False)):
            bar.update()
            yield measurement
