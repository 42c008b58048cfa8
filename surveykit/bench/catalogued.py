"""The plans of a catalog with their results: what the database, `surveykit verify` and the site show of the bench."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from surveykit.bench.cells import BenchCell, cells_of, plans, read_plan
from surveykit.bench.report import BenchRow, rows_of
from surveykit.bench.results import FOLDER, BenchResult, results_of, slug
from surveykit.catalog.plans import Plan
from surveykit.errors import CatalogError, Problem, SurveyError, nearest

if TYPE_CHECKING:
    from surveykit.catalog.load import Catalog

TIER = "measured here"
"""What figures of the bench are called beside printed ones, and those that were measured elsewhere."""


@dataclass(frozen=True)
class Benched:
    """A plan, and every result of it in the catalog."""

    plan: Plan
    cells: tuple[BenchCell, ...]
    results: tuple[BenchResult, ...]

    @cached_property
    def current(self) -> frozenset[str]:
        """The results' ids that are still cells of the plan: nothing that decides what they measure has changed since."""
        if not self.results:
            return frozenset()
        return frozenset(cell.id for cell in self.cells) & {result.id for result in self.results}

    @cached_property
    def by_device(self) -> Mapping[str, tuple[BenchResult, ...]]:
        """Current results of each device."""
        found: dict[str, list[BenchResult]] = {}
        for result in self.results:
            if result.id in self.current:
                found.setdefault(result.machine.device, []).append(result)
        return {device: tuple(some) for device, some in sorted(found.items())}

    @cached_property
    def rows(self) -> Mapping[str, tuple[BenchRow, ...]]:
        """What they say on each device."""
        return {device: tuple(rows_of(self.plan, some)) for device, some in self.by_device.items()}


def benched(catalog: Catalog, problems: list[Problem] | None = None) -> Iterator[Benched]:
    """Every plan of a catalog with its results.

    Args:
        problems: where it is given, why result files are left out is added here.

    Raises:
        CatalogError: a plan is at fault.
    """
    configurations = {name for name, _, _ in catalog.configurations()}
    for name in sorted(plans(catalog.root)):
        plan = read_plan(catalog.root, name)
        try:
            cells = cells_of(catalog, plan)
            _refuse_unknown_table(catalog, plan)
        except SurveyError as error:
            raise CatalogError([Problem(f"plans/{name}.yaml", 0, 0, str(error))]) from None
        known = []
        for result in results_of(catalog.root, name, problems):
            if result.configuration in configurations:
                known.append(result)
            elif problems is not None:
                file = f"{catalog.root.name}/{FOLDER}/{name}/{slug(result.machine.device)}/{result.id}.json"
                says = f"this measures '{result.configuration}', which is not in the catalog; remove it"
                problems.append(Problem(file, 0, 0, says))
        yield Benched(plan, cells, tuple(known))


def _refuse_unknown_table(catalog: Catalog, plan: Plan) -> None:
    if plan.beside is None:
        return
    source, table = plan.beside.source, plan.beside.table
    if source not in catalog.sources:
        raise SurveyError(f"beside: there is no source '{source}'{nearest(source, catalog.sources)}")
    tables = catalog.sources[source].tables
    if table not in tables:
        raise SurveyError(f"beside: {source} has no table '{table}'{nearest(table, tables)}")
    columns = tables[table].meaning.names()
    for column in plan.beside.named:
        if column not in columns:
            raise SurveyError(f"beside: {table} has no column '{column}'{nearest(column, columns)}")
    tasks = {task.id for task in plan.tasks}
    for task in (name for names in plan.beside.tasks.values() for name in names.values()):
        if task not in tasks:
            raise SurveyError(f"beside: the plan has no task '{task}'{nearest(task, tasks)}")
