"""A plain table of claims beside what we count: check."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from os import fspath
from pathlib import Path

from pydantic import JsonValue

from surveykit.api.names import Folder, root_of
from surveykit.catalog.claims import Claim
from surveykit.catalog.files import read_text
from surveykit.catalog.load import Catalog
from surveykit.catalog.measurements import Measurement
from surveykit.catalog.sources import UNITS, Unit
from surveykit.catalog.variations import varied_name, varied_recipe
from surveykit.errors import CatalogError, MissingExtra, Problem, SurveyError, nearest
from surveykit.recipes import Recipe
from surveykit.verify.evidence import Evidence
from surveykit.verify.figures import covers
from surveykit.verify.judge import judge
from surveykit.verify.verdicts import NEEDS_EXPLANATION, Verdict

NEEDED = ("method", "column", "printed")
OPTIONAL = ("model", "unit", "locator")
TICKS = ("✓", "✗", "yes", "no")
MOST_ROWS = 10_000


@dataclass(frozen=True)
class Setup:
    """A stated configuration that would give a printed figure."""

    configuration: str
    sense: str
    """What its figure counts."""


@dataclass(frozen=True)
class CheckedClaim:
    """A claim with its verdict."""

    verdict: Verdict
    difference_percent: float | None
    """How far the printed figure lies above ours, in percent of ours; None where there is nothing to compare."""
    would_give: tuple[Setup, ...]
    """Where the figure differs, the stated configurations that give it: the method's own first."""


@dataclass(frozen=True)
class _Row:
    line: int
    claim: Claim
    recipe: Recipe
    model: str


def check(claims: Folder, *, model: Folder | None = None, catalog: Folder | None = None) -> list[CheckedClaim]:
    """Judge the claims of a plain table, such as that of a draft paper.

    Args:
        claims: a CSV file with the columns `method` (a method, or method/configuration), `column` (a quantity, such as
            trainable) and `printed`; if wanted `model`, `unit` and `locator`; any other column is a hyper-parameter.
        model: what rows without a model of their own speak of: an id of the catalog, a folder with a config.json, such a
            file, or a name on the hub.

    Returns:
        One result for each row, in the order of the file.

    Raises:
        CatalogError: the table, a model that it names or the catalog is at fault, with every problem.
        MissingExtra: torch or transformers is not installed.
    """
    from surveykit.catalog.load import load

    whole = load(root_of(catalog), measured=False)
    rows = _read(Path(claims), whole, None if model is None else fspath(model))
    counts, sizes = _counted(rows, whole)
    evidence = Evidence(whole, counts, (), (), sizes=sizes)
    refused = {(m.configuration, m.backbone): m.reason for m in counts if m.reason}
    verdicts = [_with_reason(v, refused) for v in judge([row.claim for row in rows], evidence)]
    differing = {row.model for row, v in zip(rows, verdicts, strict=True) if v.word in NEEDS_EXPLANATION}
    stated = [(name, c.recipe) for name, _, c in whole.configurations()]
    others = [m for one in sorted(differing) for m in _on(one, stated, whole, sizes)]
    wider = Evidence(whole, [*others, *counts], (), (), sizes=sizes)
    return [_checked(verdict, wider) for verdict in verdicts]


def _read(path: Path, catalog: Catalog, model: str | None) -> list[_Row]:
    text, problem = read_text(path, path.name)
    if text is None:
        raise CatalogError([problem] if problem else [], "the table")
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")), strict=True)  # spreadsheets begin with a mark
    problems: list[Problem] = []
    rows: list[_Row] = []
    try:
        columns = list(reader.fieldnames or ())
        faults = [f"the column '{c}' is missing{nearest(c, columns)}" for c in NEEDED if c not in columns]
        faults += [f"the column '{c}' stands twice" for c in dict.fromkeys(columns) if columns.count(c) > 1]
        problems += [Problem(path.name, 1, 1, fault) for fault in faults]
        for cells in reader if not problems else ():
            if None in cells or None in cells.values():
                problems.append(Problem(path.name, reader.line_num, 1, f"this line has not {len(columns)} cells"))
                continue
            try:
                rows.append(_row(cells, reader.line_num, catalog, model, path.name))
            except SurveyError as error:
                problems.append(Problem(path.name, reader.line_num, 1, str(error)))
            if len(rows) > MOST_ROWS:
                raise CatalogError(
                    [Problem(path.name, reader.line_num, 1, f"more than {MOST_ROWS:,} rows")], "the table"
                )
    except csv.Error as error:
        problems.append(Problem(path.name, max(reader.line_num, 1), 1, f"not CSV: {error}"))
    if not problems and not rows:
        problems.append(Problem(path.name, 1, 1, "the table has no rows"))
    if problems:
        raise CatalogError(problems, "the table")
    return rows


def _row(cells: Mapping[str, str], line: int, catalog: Catalog, model: str | None, file: str) -> _Row:
    """The claim of a line. Raises SurveyError for what is wrong with it."""
    method, _, own = cells["method"].strip().partition("/")
    if method not in catalog.methods:
        raise SurveyError(f"there is no method '{method}'{nearest(method, catalog.methods)}")
    default = catalog.methods[method].default
    if default is None:
        raise SurveyError(f"{method} has no configuration: {catalog.methods[method].not_instantiated}")
    base = f"{method}/{own or default.id}"
    stated = [c.id for c in catalog.methods[method].configurations]
    if own and own not in stated:
        raise SurveyError(f"{method} has no configuration '{own}'{nearest(own, stated)}; it has {', '.join(stated)}")
    quantity = catalog.quantities.by_id.get(cells["column"].strip())
    if quantity is None:
        known = catalog.quantities.by_id
        raise SurveyError(
            f"there is no quantity '{cells['column']}'{nearest(cells['column'], known)}; there are {', '.join(known)}"
        )
    unit = cells.get("unit", "").strip() or None
    if unit is not None and unit not in UNITS:
        raise SurveyError(f"there is no unit '{unit}'{nearest(unit, UNITS)}; there are {', '.join(UNITS)}")
    on = cells.get("model", "").strip() or model
    if not on:
        raise SurveyError("no model: give the row one in a column `model`, or name one for all with --model")
    changed = {
        name.strip(): _value(cell) for name, cell in cells.items() if name not in (*NEEDED, *OPTIONAL) and cell.strip()
    }
    printed = cells["printed"].strip()
    name = varied_name(base, changed)
    claim = Claim(
        source=file, table=file, position=line, row=cells["method"], column=quantity.id, quantity=quantity.id,
        unit=_unit(unit), model_label=on, method=method, configuration=name, model=on, setting=None,
        printed=_parsable(printed, quantity.compare), status="printed", means=None,
        locator=cells.get("locator", "").strip() or f"line {line}", tier="printed", unknown=None,
    )  # fmt: skip
    return _Row(line, claim, varied_recipe(catalog.recipe(base), changed), on)


def _unit(text: str | None) -> Unit | None:
    return next((unit for unit in UNITS if unit == text), None)


def _parsable(printed: str, compare: str) -> str:
    from surveykit.catalog.figures import parse_figure

    try:
        if compare in ("rounding", "predicted"):
            parse_figure(printed)
        if compare == "tick" and printed not in TICKS:
            raise ValueError(f"'{printed}' is no tick: {', '.join(TICKS)}")
    except ValueError as error:
        raise SurveyError(str(error)) from None
    return printed


def _value(cell: str) -> JsonValue:
    """A hyper-parameter as typed: a number, true or false, words joined by + or spaces as a list, or a word."""
    text = cell.strip()
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return list(text.replace("+", " ").split()) if "+" in text or " " in text else text


def _counted(rows: list[_Row], catalog: Catalog) -> tuple[list[Measurement], dict[str, int]]:
    """Every configuration of the table counted on its model, and the parameters of each model.

    Raises:
        CatalogError: models cannot be read.
    """
    wanted: dict[str, dict[str, Recipe]] = {}
    for row in rows:
        wanted.setdefault(row.model, {})[row.claim.configuration or ""] = row.recipe
    sizes: dict[str, int] = {}
    counts: list[Measurement] = []
    problems: list[Problem] = []
    for model, recipes in wanted.items():
        try:
            counts += _on(model, recipes.items(), catalog, sizes)
        except MissingExtra:
            raise
        except SurveyError as error:
            first = next(row for row in rows if row.model == model)
            problems.append(Problem(first.claim.source, first.line, 1, str(error)))
    if problems:
        raise CatalogError(problems, "the table")
    return counts, sizes


def _on(
    model: str, recipes: Iterable[tuple[str, Recipe]], catalog: Catalog, sizes: dict[str, int]
) -> Iterator[Measurement]:
    from surveykit.engine.measure_counts import count_values
    from surveykit.engine.on_model import model_named

    instance = model_named(model, catalog.root).build()
    sizes[model] = instance.parameters
    for name, recipe in recipes:
        found = dict.fromkeys(Measurement.values_of())
        yield Measurement.model_construct(
            **{**found, **count_values(recipe, instance), "configuration": name, "backbone": model}
        )


def _with_reason(verdict: Verdict, refused: Mapping[tuple[str, str], str]) -> Verdict:
    """Where a configuration does not fit its model, the verdict says why."""
    reason = refused.get((verdict.claim.configuration or "", verdict.claim.model or ""))
    return verdict if reason is None else replace(verdict, found=replace(verdict.found, reason=reason))


def _checked(verdict: Verdict, evidence: Evidence) -> CheckedClaim:
    from surveykit.catalog.figures import parse_figure

    ours = verdict.found.value
    difference = None
    if ours:
        figure = parse_figure(verdict.claim.printed or "")
        difference = float((figure.low * figure.scale / ours - 1) * 100)
    setups = tuple(_setups(verdict.claim, evidence)) if verdict.word in NEEDS_EXPLANATION else ()
    return CheckedClaim(verdict, difference, setups)


def _setups(claim: Claim, evidence: Evidence) -> Iterator[Setup]:
    quantity = evidence.catalog.quantities.by_id[claim.quantity]
    names = [name for name, _, _ in evidence.catalog.configurations()]
    for name in sorted(names, key=lambda name: (name.partition("/")[0] != claim.method, name)):
        for sense in quantity.senses:
            figure = evidence.figure(name, claim.model or "", sense, claim.unit)
            if figure is not None and covers(claim, quantity, figure):
                yield Setup(name, sense.id)
                break
