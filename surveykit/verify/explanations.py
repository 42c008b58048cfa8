"""An explanation is checked like a claim: it must speak of a difference, and its evidence must hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from surveykit.catalog.claims import TableCell
from surveykit.catalog.figures import parse_figure
from surveykit.catalog.load import Catalog
from surveykit.catalog.measurements import Measurement
from surveykit.catalog.records import CellExplanation, Configuration, Explanation, Method, Setup
from surveykit.recipes import Recipe
from surveykit.verify.cells import PERCENTAGES, TableVerdict, judge_tick
from surveykit.verify.evidence import SETTLED, Evidence
from surveykit.verify.findings import Finding
from surveykit.verify.percentages import fits
from surveykit.verify.verdicts import ParameterColumn, in_unit, parameter_cells

Measured = Mapping[tuple[str, str], Measurement]


def check_explanations(catalog: Catalog, measured: Measured) -> Iterator[Finding]:
    """Check every explanation whose row was measured."""
    cells = {(cell.row, backbone.id, cell.column): cell for cell, _, backbone, _, _ in parameter_cells(catalog)}
    for method in catalog.methods.values():
        for explanation in method.explanations:
            claimed = next(
                c for c in method.configurations if explanation.row in {claim.row for claim in c.survey_rows}
            )
            yield from _cause(catalog, explanation, method.id, claimed)
            for quoted in explanation.figures:
                found = []
                for column, figure in quoted.printed().items():
                    cell = cells.get((explanation.row, quoted.backbone, column))
                    if cell is not None and cell.printed == figure:
                        found.append(cell)
                        continue
                    where = f"Table 5, {explanation.row} on {quoted.backbone}, {column}"
                    printed = "nothing" if cell is None else cell.printed
                    yield Finding("explanation", where, f"explains the figure {figure}, but the table prints {printed}")
                name = f"{method.id}/{claimed.id}"
                if found and (name, quoted.backbone) in measured:
                    yield from _figures(catalog, explanation, name, quoted.backbone, found, measured)


def check_cell_explanations(evidence: Evidence, cells: Iterable[TableVerdict]) -> Iterator[Finding]:
    """Check every explanation of a cell of Tables 1 and 2: there must be a difference, and what is said to give the
    printed cell must give it and differ from the default configuration as the cause says."""
    words = {(v.method, v.table, v.column): v for v in cells}
    for method in evidence.catalog.methods.values():
        for explanation in method.cell_explanations:
            verdict = words[method.id, explanation.table, explanation.column]
            if verdict.verdict in SETTLED:
                message = f"the verdict is {verdict.verdict} now; remove its explanation"
                yield Finding("explanation", verdict.locator, message)
            if explanation.fits_setup is not None:
                yield from _cell_setup(evidence, method, explanation, explanation.fits_setup, verdict.locator)


def _cell_setup(
    evidence: Evidence, method: Method, explanation: CellExplanation, setup: Setup, where: str
) -> Iterator[Finding]:
    name = f"{setup.configuration} on {setup.backbone}"
    if explanation.column in PERCENTAGES:
        gives = fits(evidence, explanation.column, explanation.printed, setup.configuration, setup.backbone)
    else:
        gives = judge_tick(
            evidence, setup.configuration, setup.backbone, explanation.column, explanation.printed
        ).word in SETTLED  # fmt: skip
    if not gives:
        yield Finding("explanation", where, f"{name} does not give the printed {explanation.printed}")
    default = method.default
    if default is None:  # without a configuration nothing is judged
        return
    owner, other = next((m.id, c) for n, m, c in evidence.catalog.configurations() if n == setup.configuration)
    if explanation.cause == "other_backbone":
        holds = setup.configuration == f"{method.id}/{default.id}"
    else:
        holds = _CAUSES[explanation.cause](method.id, default, owner, other)
    if not holds:
        message = f"the cause {explanation.cause} does not describe how {name} differs from {method.id}/{default.id}"
        yield Finding("explanation", where, message)


def _figures(
    catalog: Catalog,
    explanation: Explanation,
    claimed: str,
    backbone: str,
    printed: list[TableCell],
    measured: Measured,
) -> Iterator[Finding]:
    record = catalog.models[backbone]

    def equals(count: int, cell: TableCell) -> bool:
        column: ParameterColumn = "params_millions" if cell.column == "params_millions" else "params_percent"
        return parse_figure(cell.printed or "").covers(in_unit(count, column, record))

    def gives(name: str, cell: TableCell) -> bool | None:
        """Whether a configuration gives a printed figure; None when it was not measured."""
        found = measured.get((name, backbone))
        return None if found is None or found.trainable is None else equals(found.trainable, cell)

    def gives_stored(cell: TableCell) -> bool:
        stored = measured[claimed, backbone].stored
        return stored is not None and equals(stored, cell)

    for cell in printed:
        where = f"Table 5, {explanation.row} on {backbone}, {cell.column}"
        if gives(claimed, cell):
            yield Finding("explanation", where, "the figure matches now; remove its explanation")
        if explanation.fits_setup is not None and not gives(explanation.fits_setup, cell):
            found = "was not measured" if gives(explanation.fits_setup, cell) is None else "does not give it"
            yield Finding("explanation", where, f"printed {cell.printed}: {explanation.fits_setup} {found}")
        if explanation.cause == "stored_not_trained" and not gives_stored(cell):
            yield Finding("explanation", where, f"what is stored does not give the printed {cell.printed}")
    if explanation.cause == "source_inconsistent" and not _another_figure_matches(
        catalog, claimed, backbone, printed, gives
    ):
        where = f"Table 5, {explanation.row} on {backbone}"
        yield Finding("explanation", where, "source_inconsistent needs another figure of the same cell that matches")
    for name in explanation.tried:
        if all(gives(name, cell) for cell in printed):
            message = f"{name} gives every printed figure; name it in fits_setup"
            yield Finding("explanation", f"Table 5, {explanation.row} on {backbone}", message)


def _another_figure_matches(
    catalog: Catalog,
    claimed: str,
    backbone: str,
    printed: list[TableCell],
    gives: Callable[[str, TableCell], bool | None],
) -> bool:
    """Whether the row's other parameter figure on this backbone confirms our count, so that the two contradict."""
    others = [
        cell
        for cell, _, record, _, _ in parameter_cells(catalog)
        if record.id == backbone and cell.row == printed[0].row and cell not in printed
    ]
    return any(gives(claimed, cell) for cell in others)


def _cause(catalog: Catalog, explanation: Explanation, method: str, claimed: Configuration) -> Iterator[Finding]:
    """A cause says in what the setup that fits differs from the row's own; compare the two."""
    holds = _CAUSES.get(explanation.cause)
    if holds is None:
        return
    where = f"methods/{method}.yaml, explanation of {explanation.row}"
    other = explanation.fits_setup
    if other is None:  # the record refuses this; a cause in _CAUSES always names its configuration
        return
    configuration = next(c for name, _, c in catalog.configurations() if name == other)
    if not holds(method, claimed, other.split("/")[0], configuration):
        message = f"the cause {explanation.cause} does not describe how {other} differs from {method}/{claimed.id}"
        yield Finding("explanation", where, message)


_Holds = Callable[[str, Configuration, str, Configuration], bool]


def _other_row(method: str, claimed: Configuration, other_method: str, other: Configuration) -> bool:
    return method != other_method


def _other_module_set(method: str, claimed: Configuration, other_method: str, other: Configuration) -> bool:
    return method == other_method and claimed.recipe != other.recipe and _bare(claimed.recipe) == _bare(other.recipe)


def _other_configuration(method: str, claimed: Configuration, other_method: str, other: Configuration) -> bool:
    return method == other_method and _bare(claimed.recipe) != _bare(other.recipe)


def _library_default(method: str, claimed: Configuration, other_method: str, other: Configuration) -> bool:
    return _other_configuration(method, claimed, other_method, other) and any(
        oracle.trainable is None for oracle in other.oracles
    )


_CAUSES: Mapping[str, _Holds] = {
    "other_row": _other_row,
    "other_module_set": _other_module_set,
    "other_configuration": _other_configuration,
    "library_default": _library_default,
}


def _bare(recipe: Recipe) -> list[object]:
    """The edits of a recipe without where they go."""
    return [edit.model_dump(exclude={"where"}) for stage in recipe.stages for edit in stage.edits]
