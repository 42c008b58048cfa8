"""A plain table of claims beside our counts: check."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from os import fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import JsonValue

from surveykit.api.claims_table import Row, Table, TableError
from surveykit.api.names import Folder, Layers, Names, root_of
from surveykit.api.peft import refuse_to_change
from surveykit.catalog.changes import Changes, changed, changes_of
from surveykit.catalog.claims import Claim
from surveykit.catalog.load import Catalog
from surveykit.catalog.measurements import Measurement
from surveykit.catalog.peft_file import PeftFile
from surveykit.errors import ChangeError, MissingExtra, Problem, RecipeError, SurveyError
from surveykit.fit.sizes import Budget, parse_budget
from surveykit.recipes import Recipe
from surveykit.verify.evidence import Evidence
from surveykit.verify.figures import covers
from surveykit.verify.judge import judge
from surveykit.verify.verdicts import NEEDS_EXPLANATION, Verdict

if TYPE_CHECKING:
    from surveykit.engine.models.model import Instance


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
    """How far the printed figure is above ours, in percent of ours; None if there is nothing to compare."""
    would_give: tuple[Setup, ...]
    """If the figure differs, the stated configurations that give it, the method's own first."""
    size: str | None = None
    """The hyper-parameter that a budget set, and its value."""
    notes: tuple[str, ...] = ()
    """Notes on the changes to its configuration, one line each."""


@dataclass(frozen=True)
class _Counted:
    """All configurations of a table on their models."""

    counts: list[Measurement]
    parameters: dict[str, int]
    """Of bare models."""
    sizes: dict[tuple[str, str], str]
    """What a budget set, by configuration and model."""
    notes: dict[tuple[str, str], tuple[str, ...]]


def check(
    claims: Folder, *, model: Folder | None = None, peft: Folder | None = None, trainable_budget: str | int | None = None,
    set: Mapping[str, JsonValue] | None = None, targets: Names | None = None, roles: Names | None = None,
    layers: Layers | None = None, top_layers: int | None = None, also_train: Names | None = None,
    head: int | None = None, catalog: Folder | None = None, **hyper_parameters: JsonValue,
) -> list[CheckedClaim]:  # fmt: skip
    """Judge the claims of a plain table, such as that of a draft paper.

    Args:
        claims: a CSV file with the columns `method` (a method, or method/configuration), `column` (a quantity, such as
            trainable) and `printed`; optionally `peft` (instead of a method, as below), `model`, `unit`, `locator`, and `targets`, `roles`, `layers`, `top_layers`,
            `also_train` and `head`, which mean what these arguments mean; any other column is a hyper-parameter.
        model: the model of rows that name none: an id of the catalog, a config.json, a folder with one, or a name on the
            hub; without it, rows of PEFT use the model that the configuration was trained on.
        peft: the PEFT configuration of rows without a method, as in `count`.
        trainable_budget, set, targets, roles, layers, top_layers, also_train, head, hyper_parameters: as in `count`, for all
            rows; a row's own value overrides it.

    Returns:
        One result for each row, in the order of the file.

    Raises:
        CatalogError: the table, a model that it names or the catalog is invalid, with every problem.
        SurveyError: a change or budget is wrong, or applies to no row.
        MissingExtra: torch or transformers is not installed.
    """
    from surveykit.catalog.load_once import load_once

    given = {
        "set": {**(set or {}), **hyper_parameters}, "targets": targets, "roles": roles, "layers": layers,
        "top_layers": top_layers, "also_train": also_train, "head": head,
    }  # fmt: skip
    for_all = changes_of(**given)  # type: ignore[arg-type]  # each has the type of its argument
    budget = None if trainable_budget is None else parse_budget(str(trainable_budget))
    whole = load_once(root_of(catalog), measured=False)
    named = [None if one is None else fspath(one) for one in (model, peft)]
    rows = Table(whole, named[0], given, named[1], sized=budget is not None).rows(Path(claims))
    stated_here = dict(row.stated for row in rows if not isinstance(row.stated, PeftFile))
    unfit: Sequence[str] = ()
    if stated_here:
        _, unfit = changed(for_all, [*stated_here.items()], sized=budget is not None)
    else:
        refuse_to_change(
            [], [row.stated for row in rows if isinstance(row.stated, PeftFile)], for_all, trainable_budget=budget
        )
    counted = _counted(rows, whole, budget, unfit)
    evidence = Evidence(whole, counted.counts, (), (), sizes=counted.parameters)
    refused = {(m.configuration, m.backbone): m.reason for m in counted.counts if m.reason}
    verdicts = [_with_reason(v, refused) for v in judge([row.claim for row in rows], evidence)]
    differing = {row.on: row for row, v in zip(rows, verdicts, strict=True) if v.word in NEEDS_EXPLANATION}
    others = [m for _, row in sorted(differing.items()) for m in _stated(row, whole)]
    wider = Evidence(whole, [*others, *counted.counts], (), (), sizes=counted.parameters)
    stated = frozenset(m.configuration for m in others)
    return [_checked(row, verdict, wider, stated, counted) for row, verdict in zip(rows, verdicts, strict=True)]


def _counted(rows: list[Row], catalog: Catalog, budget: Budget | None, unfit: Sequence[str]) -> _Counted:
    """Every configuration of the table counted on its model.

    Raises:
        CatalogError: models cannot be read, or have not what the changes of a row name.
    """
    from surveykit.engine.changes import changed_on

    found = _Counted([], {}, {}, {})
    problems: list[Problem] = []
    for on, lines in _by_model(rows).items():
        try:
            instance = _instance(lines[0], catalog)
        except MissingExtra:
            raise
        except SurveyError as error:
            problems.append(lines[0].problem(str(error)))
            continue
        found.parameters[on] = instance.parameters
        for row in {row.claim.configuration: row for row in reversed(lines)}.values():
            if isinstance(row.stated, PeftFile):
                try:
                    measurement, notes = _measured_peft(row, row.stated, instance, catalog)
                except MissingExtra:
                    raise
                except SurveyError as error:
                    problems.append(row.problem(str(error)))
                    continue
                found.counts.append(measurement)
                found.notes[measurement.configuration, on] = notes
                continue
            try:
                ((name, recipe),), notes = changed_on(instance, row.changes, [row.stated])
            except ChangeError as error:
                problems += [row.problem(fault) for fault in error.faults]
                continue
            measurement, size = _measured(name, recipe, instance, on, budget)
            found.counts.append(measurement)
            found.notes[name, on] = (*unfit, *notes)
            if size is not None:
                found.sizes[name, on] = size
    if problems:
        raise TableError(problems)
    return found


def _by_model(rows: Iterable[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row.on, []).append(row)
    return found


def _instance(row: Row, catalog: Catalog) -> Instance:
    from surveykit.engine.on_model import model_named

    return model_named(row.model, catalog.root, row.changes.head).build()


def _stated(row: Row, catalog: Catalog) -> Iterator[Measurement]:
    """Every configuration of the catalog on the model of a row, with its head if it has one."""
    instance, head = _instance(row, catalog), Changes(head=row.changes.head)
    for name, _, configuration in catalog.configurations():
        yield _measured(head.name(name), head.apply(configuration.recipe), instance, row.on, None)[0]


def _measured(
    name: str, recipe: Recipe, instance: Instance, on: str, budget: Budget | None
) -> tuple[Measurement, str | None]:
    from surveykit.engine.budget import sized
    from surveykit.engine.measure_counts import count_values

    values: dict[str, Any] = dict.fromkeys(Measurement.values_of())
    size = None
    try:
        recipe, size = sized(instance, name, recipe, None if budget is None else budget.of(instance.parameters))
        values |= count_values(recipe, instance)
    except SurveyError as error:
        values |= {"status": "failed", "reason": str(error)}
    return Measurement.model_construct(**{**values, "configuration": name, "backbone": on}), size


def _measured_peft(
    row: Row, file: PeftFile, instance: Instance, catalog: Catalog
) -> tuple[Measurement, tuple[str, ...]]:
    """A configuration of PEFT counted, by our recipe where we have the method, with what has to be said of it."""
    from dataclasses import asdict

    from surveykit.engine.models.peft_modules import peft_counts
    from surveykit.engine.peft import peft_on

    one, name = peft_on(instance, file, catalog.root), row.claim.configuration or ""
    if one.recipe is not None:
        measurement, _ = _measured(name, one.recipe, instance, row.on, None)
        return measurement, (f"{name} is {one.name} in surveykit's recipes", *one.notes)
    values: dict[str, Any] = dict.fromkeys(Measurement.values_of())
    try:
        counts = peft_counts(instance.blueprint, one.file)
        values |= {"status": "counted", **asdict(counts), "trainable_task": counts.trainable}
    except RecipeError as error:
        values |= {"status": "failed", "reason": str(error)}
    return Measurement.model_construct(**{**values, "configuration": name, "backbone": row.on}), one.notes


def _with_reason(verdict: Verdict, refused: Mapping[tuple[str, str], str]) -> Verdict:
    """Where a configuration does not fit its model, the verdict says why."""
    reason = refused.get((verdict.claim.configuration or "", verdict.claim.model or ""))
    return verdict if reason is None else replace(verdict, found=replace(verdict.found, reason=reason))


def _checked(row: Row, verdict: Verdict, evidence: Evidence, stated: frozenset[str], counted: _Counted) -> CheckedClaim:
    from surveykit.catalog.figures import parse_figure

    ours = verdict.found.value
    difference = None
    if ours:
        figure = parse_figure(verdict.claim.printed or "")
        difference = float((figure.low * figure.scale / ours - 1) * 100)
    setups = tuple(_setups(verdict.claim, evidence, stated)) if verdict.word in NEEDS_EXPLANATION else ()
    key = row.claim.configuration or "", row.on
    return CheckedClaim(verdict, difference, setups, counted.sizes.get(key), counted.notes[key])


def _setups(claim: Claim, evidence: Evidence, stated: frozenset[str]) -> Iterator[Setup]:
    quantity = evidence.catalog.quantities.by_id[claim.quantity]
    names = [name for name, model in evidence.counts if model == claim.model and name in stated]
    for name in sorted(names, key=lambda name: (name.partition("/")[0] != claim.method, name)):
        for sense in quantity.senses:
            figure = evidence.figure(name, claim.model or "", sense, claim.unit)
            if figure is not None and covers(claim, quantity, figure):
                yield Setup(name, sense.id)
                break
