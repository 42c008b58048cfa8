"""Figures that the bench measured, beside the printed ones whose table its plan repeats. Nothing is judged by them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from statistics import fmean

from surveykit.bench.catalogued import TIER, Benched, benched
from surveykit.bench.report import BenchRow
from surveykit.catalog.claims import Claim
from surveykit.catalog.load import Catalog
from surveykit.catalog.plans import Beside
from surveykit.catalog.source_folder import Cells
from surveykit.verify.evidence import FACTORS
from surveykit.verify.verdicts import Here, Verdict


def with_figures(catalog: Catalog, verdicts: Iterable[Verdict]) -> tuple[Verdict, ...]:
    """Verdicts with what was measured here for their claims."""
    repeated = _repeated(catalog)
    return tuple(replace(v, here=tuple(_figures(catalog, v.claim, repeated))) for v in verdicts)


def figures_of_claims(catalog: Catalog) -> Iterator[tuple[Claim, Here]]:
    """Everything that was measured here for claims of sources."""
    repeated = _repeated(catalog)
    for claim in catalog.claims if repeated else ():
        for figure in _figures(catalog, claim, repeated):
            yield claim, figure


def _repeated(catalog: Catalog) -> list[Benched]:
    """Plans that repeat a table of a source and have results."""
    return [one for one in benched(catalog) if one.plan.beside is not None and one.by_device]


def _figures(catalog: Catalog, claim: Claim, repeated: Iterable[Benched]) -> Iterator[Here]:
    for one in repeated:
        beside = one.plan.beside
        if beside is None or (claim.source, claim.table) != (beside.source, beside.table):
            continue
        if claim.column not in beside.columns:
            continue
        cells = catalog.sources[claim.source].tables[claim.table].rows[claim.position - 1]
        task = _task(beside, cells)
        for device, rows in one.rows.items():
            for row in rows:
                if (row.configuration, row.model, row.task) == (claim.configuration, claim.model, task):
                    value = _value(one, beside, claim, cells, device, row)
                    if value is not None:
                        yield Here(value, device, one.plan.id, TIER, beside.columns[claim.column])


def _task(beside: Beside, cells: Cells) -> str | None:
    """The plan's task of a printed row; None where the table names none. A data set that the plan lacks has no row."""
    return next((tasks.get(cells[column], "") for column, tasks in beside.tasks.items()), None)


def _value(one: Benched, beside: Beside, claim: Claim, cells: Cells, device: str, row: BenchRow) -> float | None:
    """A figure in the unit of the claim; None where it was not measured."""
    figure = beside.columns[claim.column]
    if figure != "score":
        value: float | None = getattr(row, figure)
        return value if value is None or not figure.endswith("bytes") else value / FACTORS[claim.unit or "bytes"]
    seed = cells[beside.seed] if beside.seed else ""
    if not seed:
        return None if row.score is None else 100 * row.score
    scores = [
        result.score.value for result in one.by_device[device]
        if result.score is not None and str(result.seed) == seed
        and (result.configuration, result.model, result.task, result.rate)
        == (row.configuration, row.model, row.task, row.rate)
    ]  # fmt: skip
    return 100 * fmean(scores) if scores else None
