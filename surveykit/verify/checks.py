"""What must hold of measurements: what is recorded is what is measured, and what the formulas give."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from surveykit.catalog.load import Catalog
from surveykit.catalog.measured import stale
from surveykit.catalog.measurements import COUNTS, Measurement
from surveykit.catalog.staleness import Measure
from surveykit.errors import FormulaError
from surveykit.verify.again import shown
from surveykit.verify.findings import Finding

_RECORDED: tuple[Measure, ...] = ("costs", "predictions", "files", "trials")


def check_counts(catalog: Catalog, fresh: Iterable[Measurement], *, recorded: bool = True) -> Iterator[Finding]:
    """Every count that was measured now is recorded so, and is what its formula gives.

    Args:
        recorded: whether it is a fault that nothing is recorded.
    """
    measured = {(m.configuration, m.backbone): m for m in fresh}
    there = {(m.configuration, m.backbone) for m in catalog.measurements}
    yield from _drift(catalog, measured if recorded else {cell: m for cell, m in measured.items() if cell in there})
    yield from _formulas(catalog, measured.values())


def check_recorded(catalog: Catalog, needed: Mapping[Measure, Collection[str]] | None = None) -> Iterator[Finding]:
    """Everything that is not measured each time is recorded and current, and every trial did what it should.

    Args:
        needed: look at these configurations alone, by what is needed of them; None for all.
    """
    for measure in _RECORDED if needed is None else needed:
        for cell in stale(catalog, measure):
            if needed is not None and cell.configuration not in needed[measure]:
                continue
            message = (
                f"its {measure} are missing or belong to another recipe, model, setting or code; run surveykit measure"
            )
            yield Finding("stale", str(cell), message)
    if needed is None:
        yield from _trials(catalog)


def _drift(catalog: Catalog, fresh: Mapping[tuple[str, str], Measurement]) -> Iterator[Finding]:
    recorded = {(m.configuration, m.backbone): m for m in catalog.measurements}
    for cell, now in fresh.items():
        where = " on ".join(cell)
        then = recorded.get(cell)
        if then is None:
            yield Finding("drift", where, "nothing is recorded; run surveykit measure and commit catalog/measured")
            continue
        if now.status != then.status:
            yield Finding("drift", where, f"recorded as {then.status}, now {now.status} ({now.reason})")
            continue
        if now.key != then.key:  # what changes no count (alpha, an activation, a placement) still changes the recipe
            message = "recorded for another recipe, engine or model; run surveykit measure and commit catalog/measured"
            yield Finding("drift", where, message)
        for name in COUNTS:
            old, new = getattr(then, name), getattr(now, name)
            if old != new:
                yield Finding("drift", where, f"{name} is recorded as {shown(old)}, but measures {shown(new)}")


def _formulas(catalog: Catalog, fresh: Iterable[Measurement]) -> Iterator[Finding]:
    for m in fresh:
        if m.status == "failed":
            yield Finding("not_measured", f"{m.configuration} on {m.backbone}", m.reason or "no reason recorded")
            continue
        written = catalog.configuration(m.configuration).formula
        try:
            values = written.values_on(catalog.models[m.backbone].dimensions) if written else None
        except FormulaError as error:
            yield Finding("formula", f"{m.configuration} on {m.backbone}", str(error))
            continue
        for name, expected in (values or {}).items():
            if expected != getattr(m, name):
                message = f"the formula of {name} gives {expected:,}, the model has {shown(getattr(m, name))}"
                yield Finding("formula", f"{m.configuration} on {m.backbone}", message)


def _trials(catalog: Catalog) -> Iterator[Finding]:
    for t in catalog.trials:
        if t.status != "run":
            continue
        faults = {
            "some steps do not lower the loss": t.loss_falls == "no",
            f"{t.stray} changed but should not have": t.stray is not None,
            "outputs differ before and after merging": t.merge == "differs",
            "the stored file does not give the same outputs": t.restored == "no",
            "more parameters changed than can change": (t.changed_random or 0) > (t.changed or 0),
            "the change has a higher rank than it can have": (t.rank or 0) > (t.update_rank or 0),
        }
        for message, holds in faults.items():
            if holds:
                yield Finding("trial", t.configuration, message)
