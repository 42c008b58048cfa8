"""verify-params fails when any one count, claim, formula, recipe or explanation is altered."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterator

import pytest
from bare_models import bare
from pydantic import ValidationError
from real_catalog import REAL

from surveykit.catalog.load import Catalog
from surveykit.catalog.measured import Cell
from surveykit.catalog.measurements import COUNTS, Measurement
from surveykit.catalog.records import Configuration, Method
from surveykit.catalog.sources import Explanation, QuotedFigures, Setup
from surveykit.engine import measure as engine_measure
from surveykit.engine.measure import measure
from surveykit.recipes import KINDS, Edit, Projection, Recipe, Where
from surveykit.verify import Finding, verify_counts

REQUIRED_FORMS = ("trainable", "added", "expanded", "stored", "changed", "update_rank")
CONFIGURATIONS = {name: (method, configuration) for name, method, configuration in REAL.configurations()}
SURVEY = "lialin2023scaling"


@pytest.fixture(autouse=True)
def built_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand mutants are counted on one model."""
    monkeypatch.setattr(engine_measure, "build", bare)


def with_configuration(catalog: Catalog, method: Method, changed: Configuration) -> Catalog:
    configurations = tuple(changed if c.id == changed.id else c for c in method.configurations)
    altered = method.model_copy(update={"configurations": configurations})
    return dataclasses.replace(catalog, methods={**catalog.methods, method.id: altered})


def with_source(key: str, **changes: object) -> Catalog:
    """The catalog with one source alone, of which fields are other ones."""
    return dataclasses.replace(REAL, sources={key: dataclasses.replace(REAL.sources[key], **changes)})  # type: ignore[arg-type]


def findings(catalog: Catalog) -> tuple[Finding, ...]:
    """What is found where everything measures as it is recorded in the real catalog."""
    known = {*CONFIGURATIONS, *catalog.variations}
    return verify_counts(catalog, [m for m in REAL.measurements if m.configuration in known]).findings


def names(measurements: tuple[Measurement, ...]) -> set[str]:
    return {f"{m.configuration} on {m.backbone}" for m in measurements}


def test_nothing_altered_passes() -> None:
    assert findings(REAL) == ()
    for key in REAL.sources:
        assert findings(with_source(key)) == ()


@pytest.mark.parametrize("column", COUNTS)
def test_any_recorded_count(column: str) -> None:
    altered = tuple(m.model_copy(update={column: getattr(m, column) + 1}) for m in REAL.measurements)
    found = findings(dataclasses.replace(REAL, measurements=altered))
    noticed = {f.where for f in found if f.check == "drift" and f.message.startswith(f"{column} is recorded")}
    assert noticed == names(REAL.measurements)


def test_any_missing_record() -> None:
    found = findings(dataclasses.replace(REAL, measurements=()))
    noticed = {f.where for f in found if f.check == "drift" and f.message.startswith("nothing is recorded")}
    assert noticed == names(REAL.measurements)


def test_any_claim_in_its_last_digit() -> None:
    """Every count of a named configuration that matches, in every source; in the first, where some tolerance is given."""
    altered = 0
    for verdict in verify_counts(REAL, REAL.measurements).verdicts:
        claim = verdict.claim
        printed = claim.printed or ""
        if verdict.word != "match":
            continue
        digits = [i for i, letter in enumerate(printed) if letter.isdigit()]
        place = digits[0 if REAL.quantities.by_id[claim.quantity].tolerance else -1]
        other = f"{printed[:place]}{(int(printed[place]) + 5) % 10}{printed[place + 1 :]}"
        table = REAL.sources[claim.source].tables[claim.table]
        cells = {**table.rows[claim.position - 1], claim.column: other}
        rows = (*table.rows[: claim.position - 1], cells, *table.rows[claim.position :])
        tables = {**REAL.sources[claim.source].tables, table.id: dataclasses.replace(table, rows=rows)}
        evidence = [m for m in REAL.measurements if (m.configuration, m.backbone) == (claim.configuration, claim.model)]
        catalog = with_source(claim.source, tables=tables)
        if next(c for c in catalog.claims if c.place == claim.place).configuration != claim.configuration:
            continue  # the label is read by this very figure: another one means something else, or is refused
        found = verify_counts(catalog, evidence).findings
        assert verdict.name in {f.where for f in found}, claim.place
        altered += 1
    assert altered > 100


@pytest.mark.parametrize("form", REQUIRED_FORMS)
def test_any_formula(form: str) -> None:
    methods = {}
    for method in REAL.methods.values():
        changed = [
            c.model_copy(update={"formula": c.formula.model_copy(update={form: f"({getattr(c.formula, form)}) + 1"})})
            if c.formula else c
            for c in method.configurations
        ]  # fmt: skip
        methods[method.id] = method.model_copy(update={"configurations": tuple(changed)})
    found = findings(dataclasses.replace(REAL, methods=methods))
    noticed = {f.where for f in found if f.check == "formula" and f.message.startswith(f"the formula of {form} ")}
    assert noticed == names(tuple(m for m in REAL.measurements if has_a_value(m)))
    assert len(noticed) > 500


def has_a_value(measurement: Measurement) -> bool:
    """Whether the formula of what was measured holds on that model."""
    formula = REAL.configuration(measurement.configuration).formula
    return formula is not None and formula.values_on(REAL.models[measurement.backbone].dimensions) is not None


def mutants(configuration: Configuration) -> Iterator[tuple[str, Configuration]]:
    """The configuration with one hyper-parameter of its recipe changed."""
    for s, stage in enumerate(configuration.recipe.stages):
        for e, edit in enumerate(stage.edits):
            for field, value in counted_fields(edit):
                changed = edit.model_copy(update={field: value})
                edits = (*stage.edits[:e], changed, *stage.edits[e + 1 :])
                yield f"{field}={value}", replaced(configuration, s, {"edits": edits})
        if not stage.edits and not stage.train and not stage.train_everything:
            yield "train the norms", replaced(configuration, s, {"train": (Where(roles=("norm",)),)})
        if stage.mask is not None:
            fewer = stage.mask.model_copy(update={"keep_ppm": stage.mask.keep_ppm // 2})
            yield "half of the mask", replaced(configuration, s, {"mask": fewer})
        if isinstance(stage.optimizer, Projection):
            higher = stage.optimizer.model_copy(update={"rank": stage.optimizer.rank + 1})
            yield "a higher rank of gradients", replaced(configuration, s, {"optimizer": higher})
        if stage.base is not None:
            yield "no rounding", replaced(configuration, s, {"base": None})
        if stage.train and stage.mask is None:
            yield "train nothing", replaced(configuration, s, {"train": ()})
        if stage.train_everything and stage.mask is None:
            yield "train nothing", replaced(configuration, s, {"train_everything": False})


def replaced(configuration: Configuration, stage: int, update: dict[str, object]) -> Configuration:
    stages = list(configuration.recipe.stages)
    stages[stage] = stages[stage].model_copy(update=update)
    return configuration.model_copy(update={"recipe": Recipe.model_construct(stages=tuple(stages))})


def counted_fields(edit: Edit) -> Iterator[tuple[str, object]]:
    """Alterations of each hyper-parameter that the catalog could hold: most show in a count, others only in the key."""
    for name, field in type(edit).model_fields.items():
        if name == "kind":
            continue
        if name == "where":
            yield name, edit.where.model_copy(update={"layers": (0,)})
            continue
        for other in alternatives(getattr(edit, name), field.annotation):
            try:
                type(edit).model_validate({**edit.model_dump(), name: other})
            except ValidationError:
                continue
            yield name, other
            break


def alternatives(value: object, annotation: object) -> list[object]:
    """Other values of a field, the likeliest to be valid first."""
    words = [word for word in typing.get_args(annotation) if isinstance(word, str | bool) and word != value]
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [value + 1, value * 2] if value else [1]
    if isinstance(value, float):
        return [value * 2, value / 2] if value else [0.5]
    return words or ([2, 64, 1.0] if value is None else [])


@pytest.mark.sampled(name=lambda name: name.partition("/")[0])
@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_any_recipe(name: str) -> None:
    method, configuration = CONFIGURATIONS[name]
    altered = 0
    for what, mutant in mutants(configuration):
        catalog = with_configuration(dataclasses.replace(REAL, sources={}), method, mutant)
        fresh = list(measure(catalog, [Cell("t5-small", name)]))
        assert any(name in f.where for f in verify_counts(catalog, fresh).findings), what
        altered += 1
    assert altered


JUDGED = {
    (v.claim.source, v.explanation.name) for v in verify_counts(REAL, REAL.measurements).verdicts if v.explanation
}
EXPLANATIONS = [
    (key, explanation)
    for key, folder in REAL.sources.items() for explanation in folder.explanations if (key, explanation.name) in JUDGED
]  # fmt: skip


def with_explanation(key: str, old: Explanation | None, *new: Explanation) -> Catalog:
    others = tuple(e for e in REAL.sources[key].explanations if e is not old)
    return with_source(key, explanations=(*others, *new))


@pytest.mark.parametrize(("key", "explanation"), EXPLANATIONS, ids=[f"{key}-{e.name}" for key, e in EXPLANATIONS])
def test_any_explanation(key: str, explanation: Explanation) -> None:
    own = next(c.configuration for c in REAL.claims if (c.source, c.row) == (key, explanation.row) and c.configuration)
    first, *rest = explanation.figures
    column, figure = next(iter(first.printed.items()))

    def quoting(**changes: object) -> dict[str, object]:
        return {"figures": (first.model_copy(update=changes), *rest)}

    without = {name: printed for name, printed in first.printed.items() if name != column}
    alterations = [
        quoting(model="t5-base"),
        quoting(printed={**first.printed, column: f"{figure}1"}),
        quoting(printed=without),
    ]
    if explanation.fits_setup is not None:
        alterations += [{"fits_setup": Setup(configuration=name)} for name in (own, "full-tuning/all")]
        wrong = {"other_row": "other_module_set", "other_module_set": "other_configuration"}
        alterations += [{"cause": wrong.get(explanation.cause, "other_row")}]
        # An explanation that calls a solved difference unresolved is not even a valid record.
        with pytest.raises(ValidationError):
            Explanation.model_validate({**explanation.model_dump(), "cause": "unresolved"})
    elif explanation.cause == "unresolved":
        alterations += [
            {"fits_setup": Setup(configuration=own), "cause": "other_configuration"},
            {"cause": "truncated"},
        ]
    assert findings(with_explanation(key, explanation)), "it was removed"
    for alteration in alterations:
        found = findings(with_explanation(key, explanation, explanation.model_copy(update=alteration)))
        assert any(explanation.row in f.where for f in found), alteration


def explanation_of(row: str, model: str) -> Explanation:
    return next(e for e in REAL.sources[SURVEY].explanations if e.row == row and e.models == (model,))


def test_stored_instead_of_trained_must_be_what_is_stored() -> None:
    true = explanation_of("Prefix tuning", "t5-3b")
    fields = {**true.model_dump(), "cause": "stored_not_trained", "fits_setup": None}
    altered = with_explanation(SURVEY, true, Explanation.model_validate(fields))
    assert "the stored parameters do not give the printed 77.25" in [f.message for f in findings(altered)]


def test_an_explanation_of_a_figure_that_matches_fails() -> None:
    matching = QuotedFigures(model="t5-large", printed={"params_millions": "2.36"})
    superfluous = explanation_of("LoRa (q and v)", "t5-3b").model_copy(update={"figures": (matching,)})
    messages = [f.message for f in findings(with_explanation(SURVEY, None, superfluous))]
    assert "the verdict is match now; remove its explanation" in messages


def test_the_mutations_reach_every_kind_of_edit() -> None:
    edits = [edit for _, one in CONFIGURATIONS.values() for stage in one.recipe.stages for edit in stage.edits]
    # Of some kinds another is kept, which no recipe trains: its counts are those of what is stored.
    used = {kind for edit in edits for kind in (edit.kind, edit.deployed().kind)}
    assert used == {kind.model_fields["kind"].annotation.__args__[0] for kind in KINDS}  # type: ignore[union-attr]
