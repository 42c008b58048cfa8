"""What must hold for `surveykit verify-params` to pass. Every check returns findings; none raises."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from surveykit import formula
from surveykit.catalog.figures import parse_figure
from surveykit.catalog.load import Catalog
from surveykit.catalog.records import Measurement
from surveykit.errors import FormulaError
from surveykit.verify.verdicts import CellVerdict, explanation_for, in_unit, judge, parameter_cells

Check = Literal["drift", "formula", "unexplained", "explanation", "not_measured"]
COUNTS = ("trainable", "trainable_task", "trained_pretrained", "added", "stored")
FORMULAS = ("trainable", "added", "stored")


@dataclass(frozen=True, order=True)
class Finding:
    """Something that fails the check: where, and what to do about it."""

    check: Check
    where: str
    message: str

    def __str__(self) -> str:
        return f"{self.check}: {self.where}: {self.message}"


@dataclass(frozen=True)
class Report:
    """The outcome of a verification."""

    verdicts: tuple[CellVerdict, ...]
    findings: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        return not self.findings


def verify(catalog: Catalog, fresh: Iterable[Measurement]) -> Report:
    """Compare fresh measurements with the recorded ones, with the formulas, and with the survey's figures.

    Only what was freshly measured is judged, so a selection of methods or backbones can be verified alone.
    """
    fresh = tuple(fresh)
    measured = {(m.configuration, m.backbone): m for m in fresh}
    verdicts = tuple(v for v in judge(catalog, fresh) if (v.configuration, v.backbone) in measured)
    findings = [
        *_drift(catalog, measured),
        *_formulas(catalog, fresh),
        *_unexplained(verdicts),
        *_explanations(catalog, measured),
    ]
    return Report(verdicts, tuple(sorted(findings)))


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
        for name in COUNTS:
            old, new = getattr(then, name), getattr(now, name)
            if old != new:
                yield Finding("drift", where, f"{name} is recorded as {_shown(old)}, but measures {_shown(new)}")


def _formulas(catalog: Catalog, fresh: Iterable[Measurement]) -> Iterator[Finding]:
    forms = {name: c.formula for name, _, c in catalog.configurations()}
    for m in fresh:
        if m.status == "failed":
            yield Finding("not_measured", f"{m.configuration} on {m.backbone}", m.reason or "no reason recorded")
            continue
        written = forms[m.configuration]
        try:
            symbols = formula.bind(written.let, catalog.backbones[m.backbone].symbols())
            for name in FORMULAS:
                expected = formula.evaluate(getattr(written, name), symbols)
                if expected != getattr(m, name):
                    message = f"the formula of {name} gives {expected:,}, the model has {_shown(getattr(m, name))}"
                    yield Finding("formula", f"{m.configuration} on {m.backbone}", message)
        except FormulaError as error:
            yield Finding("formula", f"{m.configuration} on {m.backbone}", str(error))


def _unexplained(verdicts: Iterable[CellVerdict]) -> Iterator[Finding]:
    for v in verdicts:
        if v.outcome == "unexplained":
            message = f"printed {v.printed}, measured {v.measured:.4f}; add an explanation to methods/{v.method}.yaml"
            yield Finding("unexplained", v.name, message)


def _explanations(catalog: Catalog, measured: Mapping[tuple[str, str], Measurement]) -> Iterator[Finding]:
    """An explanation must speak of a difference, its reproduction must reproduce, what was tried must not."""
    for cell, column, backbone, method, configuration in parameter_cells(catalog):
        explanation = explanation_for(catalog, cell, backbone.id, method)
        if explanation is None or (configuration, backbone.id) not in measured:
            continue
        where = f"Table 5, {cell.row} on {backbone.id}, {column}"
        figure = parse_figure(cell.printed or "")

        def gives(name: str) -> bool | None:
            found = measured.get((name, backbone.id))  # noqa: B023 (called within this turn of the loop)
            if found is None or found.trainable is None:
                return None
            return figure.equals(in_unit(found.trainable, column, backbone))  # noqa: B023

        if gives(configuration):
            yield Finding("explanation", where, "the figure matches now; remove its explanation")
        elif explanation.reproduced_by is not None and gives(explanation.reproduced_by) is False:
            yield Finding("explanation", where, f"{explanation.reproduced_by} does not give the printed {cell.printed}")


def _shown(count: int | None) -> str:
    return "nothing" if count is None else f"{count:,}"
