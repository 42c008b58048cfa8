"""verify-params fails when any one count, claim, formula, recipe or explanation is altered."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest
from conftest import CATALOG
from pydantic import BaseModel, ValidationError

from surveykit.catalog.load import Catalog, load
from surveykit.catalog.measured import Cell
from surveykit.catalog.measurements import COUNTS
from surveykit.catalog.records import Configuration, ExplainedFigures, Method
from surveykit.engine.measure import measure
from surveykit.recipes import Edit, Recipe
from surveykit.verify import verify

REAL = load(CATALOG)
REQUIRED_FORMS = ("trainable", "added", "expanded", "stored", "changed", "update_rank")
CONFIGURATIONS = {name: (method, configuration) for name, method, configuration in REAL.configurations()}


def with_method(catalog: Catalog, method: Method) -> Catalog:
    return dataclasses.replace(catalog, methods={**catalog.methods, method.id: method})


def with_configuration(catalog: Catalog, method: Method, changed: Configuration) -> Catalog:
    configurations = tuple(changed if c.id == changed.id else c for c in method.configurations)
    return with_method(catalog, method.model_copy(update={"configurations": configurations}))


def test_nothing_altered_passes() -> None:
    assert verify(REAL, REAL.measurements).passed


@pytest.mark.parametrize("column", COUNTS)
def test_any_recorded_count(column: str) -> None:
    for i, m in enumerate(REAL.measurements):
        altered = (*REAL.measurements[:i], m.model_copy(update={column: getattr(m, column) + 1}))
        catalog = dataclasses.replace(REAL, measurements=(*altered, *REAL.measurements[i + 1 :]))
        found = verify(catalog, REAL.measurements).findings
        assert any(f.check == "drift" and m.configuration in f.where for f in found), (m.configuration, m.backbone)


def test_any_missing_record() -> None:
    for i in range(len(REAL.measurements)):
        fewer = REAL.measurements[:i] + REAL.measurements[i + 1 :]
        assert not verify(dataclasses.replace(REAL, measurements=fewer), REAL.measurements).passed


def test_any_claim_in_its_last_digit() -> None:
    for i, cell in enumerate(REAL.table5):
        if cell.column not in ("params_millions", "params_percent") or cell.printed is None:
            continue
        last = (int(cell.printed[-1]) + 5) % 10
        altered = cell.model_copy(update={"printed": f"{cell.printed[:-1]}{last}"})
        catalog = dataclasses.replace(REAL, table5=(*REAL.table5[:i], altered, *REAL.table5[i + 1 :]))
        assert not verify(catalog, REAL.measurements).passed, cell


@pytest.mark.parametrize("form", REQUIRED_FORMS)
@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_any_formula(name: str, form: str) -> None:
    method, configuration = CONFIGURATIONS[name]
    text = getattr(configuration.formula, form)
    changed = configuration.formula.model_copy(update={form: f"({text}) + 1"})
    catalog = with_configuration(REAL, method, configuration.model_copy(update={"formula": changed}))
    found = verify(catalog, REAL.measurements).findings
    assert {f.check for f in found} == {"formula"}


def mutants(configuration: Configuration) -> Iterator[tuple[str, Configuration]]:
    """The configuration with one hyper-parameter of its recipe changed."""
    for s, stage in enumerate(configuration.recipe.stages):
        for e, edit in enumerate(stage.edits):
            for field, value in counted_fields(edit):
                changed = edit.model_copy(update={field: value})
                edits = (*stage.edits[:e], changed, *stage.edits[e + 1 :])
                yield f"{field}={value}", replaced(configuration, s, {"edits": edits})
        if stage.train:
            yield "train nothing", replaced(configuration, s, {"train": ()})
        if stage.train_everything:
            yield "train nothing", replaced(configuration, s, {"train_everything": False})


def replaced(configuration: Configuration, stage: int, update: dict[str, object]) -> Configuration:
    stages = list(configuration.recipe.stages)
    stages[stage] = stages[stage].model_copy(update=update)
    return configuration.model_copy(update={"recipe": Recipe.model_construct(stages=tuple(stages))})


def counted_fields(edit: Edit) -> Iterator[tuple[str, object]]:
    """One alteration for each hyper-parameter: most show in a count, the others only in the key of the record."""
    for field in ("alpha", "scale", "scaling"):
        value = getattr(edit, field, None)
        if value is not None:
            yield field, value * 2
    choices = {"activation": ("relu", "silu"), "placement": ("sequential", "parallel"), "side": ("input", "output")}
    for field, (one, other) in choices.items():
        value = getattr(edit, field, None)
        if value is not None and (field, edit.kind) != ("placement", "hypercomplex_bottleneck"):  # it has only one
            yield field, other if value == one else one
    for field in ("rank", "length", "hidden", "second_rank"):
        value = getattr(edit, field, None)
        if value is not None:
            yield field, value + 1
    for field, other in (("reduction", 2), ("terms", 2)):
        value = getattr(edit, field, None)
        if value is not None:
            yield field, value * other if field == "reduction" else value // other
    if hasattr(edit, "second_rank") and edit.second_rank is None:
        yield "second_rank", 2
    if hasattr(edit, "hidden") and edit.hidden is None:
        yield "hidden", 64
    if hasattr(edit, "block_rank"):
        yield "block_rank", 2
    if hasattr(edit, "gate"):
        yield "gate", "none" if edit.gate != "none" else "sequence_mean_sigmoid"
    if hasattr(edit, "learned_scaling"):
        yield "learned_scaling", not edit.learned_scaling
    if hasattr(edit, "width"):
        yield "width", "d_model" if edit.width == "inner" else "inner"
    yield (
        "where",
        edit.where.model_copy(update={"layers": (0,)})
        if edit.kind != "prompt"
        else edit.where.model_copy(
            update={
                "sublayers": ("encoder.input", "decoder.input")
                if len(edit.where.sublayers or "12") == 1
                else ("encoder.input",)
            }
        ),
    )


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_any_recipe(name: str) -> None:
    method, configuration = CONFIGURATIONS[name]
    altered = 0
    for what, mutant in mutants(configuration):
        catalog = with_configuration(REAL, method, mutant)
        fresh = list(measure(catalog, [Cell("t5-3b", name)]))  # inner width ≠ d_model there
        found = verify(catalog, fresh).findings
        assert any(name in f.where for f in found), what
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
    if explanation.reproduced_by is not None:
        alterations += [{"reproduced_by": f"{method.id}/{claimed.id}"}, {"reproduced_by": "full-tuning/all"}]
        wrong = {"other_row": "other_module_set", "other_module_set": "other_configuration"}
        alterations += [{"cause": wrong.get(explanation.cause, "other_row")}]
        # An explanation that calls a solved difference unresolved is not even a valid record.
        with pytest.raises(ValidationError):
            type(explanation).model_validate({**explanation.model_dump(), "cause": "unresolved"})
    elif explanation.tried:
        alterations += [{"reproduced_by": explanation.tried[0], "cause": "other_configuration"}]
    for alteration in alterations:
        changed = () if alteration is None else (explanation.model_copy(update=alteration),)
        catalog = with_method(REAL, method.model_copy(update={"explanations": (*others, *changed)}))
        report = verify(catalog, REAL.measurements)
        assert any(explanation.row in f.where for f in report.findings), alteration


def test_stored_instead_of_trained_must_be_what_is_stored() -> None:
    method = REAL.methods["prefix-tuning"]
    (true,) = method.explanations
    fields = {**true.model_dump(), "cause": "stored_not_trained", "reproduced_by": None}
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
    assert used == {"bottleneck", "hypercomplex_bottleneck", "kronecker", "low_rank", "prefix", "prompt", "scale"}
