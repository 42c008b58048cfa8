"""Claim × measurement → verdict, for the two parameter columns of the survey's Table 5. Pure: no files, no torch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from surveykit.catalog.claims import TableCell
from surveykit.catalog.figures import parse_figure
from surveykit.catalog.load import Catalog
from surveykit.catalog.measurements import Measurement
from surveykit.catalog.models import Model
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
    trains_all: bool
    """Whether the row is full tuning, whose count is that of the model."""

    @property
    def name(self) -> str:
        return f"Table 5, {self.row} on {self.backbone}, {self.column}"


@dataclass(frozen=True)
class Summary:
    """How many figures ended how, and in how many rows of the table both agree."""

    figures: int
    rows: int
    """Rows of the table, each on one base model, that have a parameter figure."""
    rows_match: int
    """Rows all of whose parameter figures match."""
    full_tuning_rows: int
    """Of those, rows of full tuning, whose count is that of the model."""
    match: int
    fits_another_setup: int
    inconsistent: int
    unresolved: int
    unexplained: int
    not_measured: int

    def sentence(self) -> str:
        """One line that can be quoted."""
        return f"Table 5: {outcome_sentence(self)}"


def outcome_sentence(s: Any) -> str:
    """How the parameter figures ended, in words. A row prints one count twice, so rows are said first.

    Args:
        s: a `Summary`, or the row of the view `summary`, which has its fields.
    """
    parts = [
        f"{s.rows_match} of {s.rows} row{'' if s.rows == 1 else 's'} match{'es' if s.rows == 1 else ''} in both parameter figures"
        + (f" ({s.full_tuning_rows} of them full tuning)" if s.full_tuning_rows else ""),
        f"{s.match} of {s.figures} printed figures match",
    ]
    if s.fits_another_setup:
        parts.append(f"{s.fits_another_setup} differ and fit another setup, which is named")
    if s.inconsistent:
        parts.append(f"{s.inconsistent} {'does' if s.inconsistent == 1 else 'do'} not match the count beside it")
    if s.unresolved:
        parts.append(f"{s.unresolved} {'differs and is' if s.unresolved == 1 else 'differ and are'} unresolved")
    if s.unexplained:
        parts.append(f"{s.unexplained} without an explanation")
    if s.not_measured:
        parts.append(f"{s.not_measured} not measured")
    return "; ".join(parts) + "."


def in_unit(count: int, column: ParameterColumn, backbone: Model) -> Decimal:
    """A count of parameters in millions, or in percent of the bare backbone."""
    if column == "params_millions":
        return Decimal(count) / 1_000_000
    return backbone.percent(count)


def explanation_for(catalog: Catalog, cell: TableCell, backbone: str, method: str) -> Explanation | None:
    """The explanation that quotes this very figure, if there is one."""
    for explanation in catalog.methods[method].explanations:
        for quoted in explanation.figures if explanation.row == cell.row else ():
            printed = {str(column): figure for column, figure in quoted.printed().items()}
            if quoted.backbone == backbone and printed.get(cell.column) == cell.printed:
                return explanation
    return None


def parameter_cells(catalog: Catalog) -> Iterator[tuple[TableCell, ParameterColumn, Model, str, str]]:
    """Every printed parameter figure, with the backbone, method and configuration that it is read as."""
    owners = {r.row: (m.id, name) for name, m, c in catalog.configurations() for r in c.survey_rows}
    backbones = {b.survey_label: b for b in catalog.models.values() if b.survey_label}
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
            verdict = "match" if parse_figure(cell.printed).covers(measured) else "differs"
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
                trains_all=configuration == catalog.quantities.judging.full_tuning,
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
    verdicts = tuple(verdicts)
    outcomes = [v.outcome for v in verdicts]
    rows: dict[tuple[str, str], list[CellVerdict]] = {}
    for v in verdicts:
        rows.setdefault((v.row, v.backbone), []).append(v)
    matching = [row for row in rows.values() if all(v.verdict == "match" for v in row)]
    return Summary(
        figures=len(outcomes),
        rows=len(rows),
        rows_match=len(matching),
        full_tuning_rows=sum(row[0].trains_all for row in matching),
        match=outcomes.count("match"),
        fits_another_setup=outcomes.count("fits_another_setup"),
        inconsistent=outcomes.count("inconsistent"),
        unresolved=outcomes.count("unresolved"),
        unexplained=outcomes.count("unexplained"),
        not_measured=outcomes.count("not_measured"),
    )
