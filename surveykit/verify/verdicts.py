"""Claim × measurement → verdict, for the two parameter columns of the survey's Table 5. Pure: no files, no torch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from surveykit.catalog.backbones import Backbone
from surveykit.catalog.claims import TableCell
from surveykit.catalog.figures import parse_figure
from surveykit.catalog.load import Catalog
from surveykit.catalog.measurements import Measurement
from surveykit.catalog.records import Cause, Explanation

Verdict = Literal["match", "differs", "not_measured"]
Outcome = Literal["match", "fits_another_setup", "inconsistent", "unresolved", "unexplained", "not_measured"]
ParameterColumn = Literal["params_millions", "params_percent"]
PARAMETER_COLUMNS: tuple[ParameterColumn, ...] = ("params_millions", "params_percent")
UNITS: dict[ParameterColumn, str] = {"params_millions": "M", "params_percent": "%"}


@dataclass(frozen=True)
class CellVerdict:
    """One printed figure beside ours."""

    backbone: str
    method: str
    configuration: str
    """method/configuration that the row is read as."""
    row: str
    column: ParameterColumn
    printed: str
    locator: str
    measured: Decimal | None
    """Our figure in the column's unit, unrounded; None when nothing was measured."""
    verdict: Verdict
    outcome: Outcome
    """The verdict together with its explanation. `fits_another_setup` (another stated configuration, or
    what is stored, gives the figure), `inconsistent` (the
    source's own figures disagree) and `unresolved` are explained differences; `unexplained` fails the check."""
    cause: Cause | None
    explanation: str | None
    fits_setup: str | None

    @property
    def name(self) -> str:
        return f"Table 5, {self.row} on {self.backbone}, {self.column}"


@dataclass(frozen=True)
class Summary:
    """How many figures ended how."""

    figures: int
    match: int
    fits_another_setup: int
    inconsistent: int
    unresolved: int
    unexplained: int
    not_measured: int

    def sentence(self) -> str:
        """One line that can be quoted."""
        parts = [
            f"{self.match} of {self.figures} printed parameter figures match",
            f"{self.fits_another_setup} differ and fit another setup, which is named",
        ]
        if self.inconsistent:
            parts.append(f"{self.inconsistent} does not match the count beside it")
        parts.append(f"{self.unresolved} differ and are unresolved")
        if self.unexplained:
            parts.append(f"{self.unexplained} differ without an explanation")
        if self.not_measured:
            parts.append(f"{self.not_measured} were not measured")
        return "Table 5: " + "; ".join(parts) + "."


def in_unit(count: int, column: ParameterColumn, backbone: Backbone) -> Decimal:
    """A count of parameters in millions, or in percent of the bare backbone."""
    if column == "params_millions":
        return Decimal(count) / 1_000_000
    return Decimal(count) * 100 / backbone.parameters


def explanation_for(catalog: Catalog, cell: TableCell, backbone: str, method: str) -> Explanation | None:
    """The explanation that quotes this very figure, if there is one."""
    for explanation in catalog.methods[method].explanations:
        for quoted in explanation.figures if explanation.row == cell.row else ():
            printed = {str(column): figure for column, figure in quoted.printed().items()}
            if quoted.backbone == backbone and printed.get(cell.column) == cell.printed:
                return explanation
    return None


def parameter_cells(catalog: Catalog) -> Iterator[tuple[TableCell, ParameterColumn, Backbone, str, str]]:
    """Every printed parameter figure, with the backbone, method and configuration that it is read as."""
    owners = {r.row: (m.id, name) for name, m, c in catalog.configurations() for r in c.survey_rows}
    backbones = {b.survey_label: b for b in catalog.backbones.values() if b.survey_label}
    for cell in catalog.table5:
        for column in PARAMETER_COLUMNS:
            if cell.column == column and cell.printed is not None:
                method, configuration = owners[cell.row]
                yield cell, column, backbones[cell.backbone_label], method, configuration


def judge(catalog: Catalog, measurements: Iterable[Measurement]) -> tuple[CellVerdict, ...]:
    """Give every printed parameter figure of Table 5 its verdict, in the table's order."""
    counts = {(m.configuration, m.backbone): m.trainable for m in measurements}
    verdicts = []
    for cell, column, backbone, method, configuration in parameter_cells(catalog):
        assert cell.printed is not None
        count = counts.get((configuration, backbone.id))
        measured = None if count is None else in_unit(count, column, backbone)
        explanation = explanation_for(catalog, cell, backbone.id, method)
        verdict: Verdict
        if measured is None:
            verdict = "not_measured"
        else:
            verdict = "match" if parse_figure(cell.printed).equals(measured) else "differs"
        explained = explanation if verdict == "differs" else None
        verdicts.append(
            CellVerdict(
                backbone=backbone.id,
                method=method,
                configuration=configuration,
                row=cell.row,
                column=column,
                printed=cell.printed,
                locator=f"Table 5, {cell.backbone_label}, {cell.row}, {column}",
                measured=measured,
                verdict=verdict,
                outcome=_outcome(verdict, explained),
                cause=explained.cause if explained else None,
                explanation=explained.text if explained else None,
                fits_setup=explained.fits_setup if explained else None,
            )
        )
    return tuple(verdicts)


def _outcome(verdict: Verdict, explanation: Explanation | None) -> Outcome:
    if verdict == "match":
        return "match"
    if verdict == "not_measured":
        return "not_measured"
    if explanation is None:
        return "unexplained"
    if explanation.cause == "source_inconsistent":
        return "inconsistent"
    return "unresolved" if explanation.cause == "unresolved" else "fits_another_setup"


def summarise(verdicts: Iterable[CellVerdict]) -> Summary:
    outcomes = [v.outcome for v in verdicts]
    return Summary(
        figures=len(outcomes),
        match=outcomes.count("match"),
        fits_another_setup=outcomes.count("fits_another_setup"),
        inconsistent=outcomes.count("inconsistent"),
        unresolved=outcomes.count("unresolved"),
        unexplained=outcomes.count("unexplained"),
        not_measured=outcomes.count("not_measured"),
    )
