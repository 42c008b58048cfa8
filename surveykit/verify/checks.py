"""What must hold for `surveykit verify-params` to pass. Every check returns findings; none raises."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from surveykit.catalog.load import Catalog
from surveykit.catalog.measurements import COUNTS, Measurement
from surveykit.errors import FormulaError
from surveykit.verify.explanations import check_explanations
from surveykit.verify.findings import Finding
from surveykit.verify.verdicts import CellVerdict, judge


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
        *check_explanations(catalog, measured),
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
        if now.key != then.key:  # what changes no count (alpha, an activation, a placement) still changes the recipe
            message = (
                "recorded for another recipe, engine or backbone; run surveykit measure and commit catalog/measured"
            )
            yield Finding("drift", where, message)
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
        try:
            values = forms[m.configuration].values_on(catalog.models[m.backbone].dimensions)
            for name, expected in (values or {}).items():
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


def _shown(count: int | None) -> str:
    return "nothing" if count is None else f"{count:,}"
