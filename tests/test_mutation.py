"""verify-params fails when any one count, claim, formula, recipe or explanation is altered."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterator

import pytest
from bare_models import bare
from pydantic import BaseModel, ValidationError
from real_catalog import REAL

from surveykit.catalog.load import Catalog
from surveykit.catalog.measured import Cell
from surveykit.catalog.measurements import COUNTS
from surveykit.catalog.records import Configuration, ExplainedFigures, Method
from surveykit.engine import measure as engine_measure
from surveykit.engine.measure import measure
from surveykit.recipes import KINDS, Edit, Recipe, Where
from surveykit.verify import verify

REQUIRED_FORMS = ("trainable", "added", "expanded", "stored", "changed", "update_rank")
CLAIMED = {m.id for m in REAL.methods.values() for c in m.configurations if c.survey_rows}
IN_TABLE5 = tuple(m for m in REAL.measurements if m.configuration.split("/")[0] in CLAIMED)
"""The measurements of methods with rows of Table 5: what claims and explanations speak of."""
CONFIGURATIONS = {name: (method, configuration) for name, method, configuration in REAL.configurations()}


@pytest.fixture(autouse=True)
def built_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand mutants are counted on one model."""
    monkeypatch.setattr(engine_measure, "build", bare)


def with_method(catalog: Catalog, method: Method) -> Catalog:
    return dataclasses.replace(catalog, methods={**catalog.methods, method.id: method})


def with_configuration(catalog: Catalog, method: Method, changed: Configuration) -> Catalog:
    configurations = tuple(changed if c.id == changed.id else c for c in method.configurations)
    return with_method(catalog, method.model_copy(update={"configurations": configurations}))


def test_nothing_altered_passes() -> None:
    assert verify(REAL, REAL.measurements).passed


@pytest.mark.parametrize("column", COUNTS)
def test_any_recorded_count(column: str) -> None:
    altered = tuple(m.model_copy(update={column: getattr(m, column) + 1}) for m in REAL.measurements)
    found = verify(dataclasses.replace(REAL, measurements=altered), REAL.measurements).findings
    noticed = {f.where for f in found if f.check == "drift" and f.message.startswith(f"{column} is recorded")}
    assert noticed == {f"{m.configuration} on {m.backbone}" for m in REAL.measurements}


def test_any_missing_record() -> None:
    found = verify(dataclasses.replace(REAL, measurements=()), REAL.measurements).findings
    noticed = {f.where for f in found if f.check == "drift" and f.message.startswith("nothing is recorded")}
    assert noticed == {f"{m.configuration} on {m.backbone}" for m in REAL.measurements}


def test_any_claim_in_its_last_digit() -> None:
    for i, cell in enumerate(REAL.table5):
        if cell.column not in ("params_millions", "params_percent") or cell.printed is None:
            continue
        last = (int(cell.printed[-1]) + 5) % 10
        altered = cell.model_copy(update={"printed": f"{cell.printed[:-1]}{last}"})
        catalog = dataclasses.replace(REAL, table5=(*REAL.table5[:i], altered, *REAL.table5[i + 1 :]))
        assert not verify(catalog, IN_TABLE5).passed, cell


@pytest.mark.parametrize("form", REQUIRED_FORMS)
def test_any_formula(form: str) -> None:
    methods = {}
    for method in REAL.methods.values():
        changed = [
            c.model_copy(update={"formula": c.formula.model_copy(update={form: f"({getattr(c.formula, form)}) + 1"})})
            for c in method.configurations
        ]
        methods[method.id] = method.model_copy(update={"configurations": tuple(changed)})
    found = verify(dataclasses.replace(REAL, methods=methods), REAL.measurements).findings
    noticed = {f.where for f in found if f.check == "formula" and f.message.startswith(f"the formula of {form} ")}
    assert noticed == {f"{m.configuration} on {m.backbone}" for m in REAL.measurements}


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
        if stage.optimizer is not None:
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
        return [value + 1, value * 2]
    if isinstance(value, float):
        return [value * 2, value / 2]
    return words or ([2, 64, 1.0] if value is None else [])


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_any_recipe(name: str) -> None:
    method, configuration = CONFIGURATIONS[name]
    altered = 0
    for what, mutant in mutants(configuration):
        catalog = with_configuration(REAL, method, mutant)
        fresh = list(measure(catalog, [Cell("t5-small", name)]))
        assert any(name in f.where for f in verify(catalog, fresh).findings), what
        altered += 1
    assert altered


EXPLANATIONS = [(m, i) for m in REAL.methods.values() for i in range(len(m.explanations))]


@pytest.mark.parametrize(("method", "i"), EXPLANATIONS, ids=[f"{m.id}-{i}" for m, i in EXPLANATIONS])
def test_any_explanation(method: Method, i: int) -> None:
    explanation = method.explanations[i]
    others = method.explanations[:i] + method.explanations[i + 1 :]
    claimed = next(c for c in method.configurations if explanation.row in {r.row for r in c.survey_rows})
    first, *rest = explanation.figures
    column, figure = next(iter(first.printed().items()))
    alterations: list[dict[str, object] | None] = [
        None,
        {"figures": (first.model_copy(update={"backbone": "t5-base"}), *rest)},
        {"figures": (first.model_copy(update={column: f"{figure}1"}), *rest)},
        {"figures": (first.model_copy(update={column: None}), *rest)},
    ]
    if explanation.fits_setup is not None:
        alterations += [{"fits_setup": f"{method.id}/{claimed.id}"}, {"fits_setup": "full-tuning/all"}]
        wrong = {"other_row": "other_module_set", "other_module_set": "other_configuration"}
        alterations += [{"cause": wrong.get(explanation.cause, "other_row")}]
        # An explanation that calls a solved difference unresolved is not even a valid record.
        with pytest.raises(ValidationError):
            type(explanation).model_validate({**explanation.model_dump(), "cause": "unresolved"})
    elif explanation.tried:
        alterations += [{"fits_setup": explanation.tried[0], "cause": "other_configuration"}]
    for alteration in alterations:
        changed = () if alteration is None else (explanation.model_copy(update=alteration),)
        catalog = with_method(REAL, method.model_copy(update={"explanations": (*others, *changed)}))
        report = verify(catalog, IN_TABLE5)
        assert any(explanation.row in f.where for f in report.findings), alteration


def test_stored_instead_of_trained_must_be_what_is_stored() -> None:
    method = REAL.methods["prefix-tuning"]
    (true,) = method.explanations
    fields = {**true.model_dump(), "cause": "stored_not_trained", "fits_setup": None}
    with_method_altered = method.model_copy(update={"explanations": (type(true).model_validate(fields),)})
    messages = [f.message for f in verify(with_method(REAL, with_method_altered), REAL.measurements).findings]
    assert "what is stored does not give the printed 77.25" in messages


def test_an_explanation_of_a_figure_that_matches_fails() -> None:
    method = REAL.methods["lora"]
    matching = ExplainedFigures(backbone="t5-large", params_millions="2.36")
    superfluous = method.explanations[0].model_copy(update={"figures": (matching,)})
    catalog = with_method(REAL, method.model_copy(update={"explanations": (*method.explanations, superfluous)}))
    messages = [f.message for f in verify(catalog, REAL.measurements).findings]
    assert "the figure matches now; remove its explanation" in messages


def test_the_mutations_reach_every_kind_of_edit() -> None:
    def kinds(model: BaseModel) -> set[str]:
        return {edit.kind for stage in model.recipe.stages for edit in stage.edits}  # type: ignore[attr-defined]

    used = set().union(*(kinds(configuration) for _, configuration in CONFIGURATIONS.values()))
    assert used == {kind.model_fields["kind"].annotation.__args__[0] for kind in KINDS}  # type: ignore[union-attr]
