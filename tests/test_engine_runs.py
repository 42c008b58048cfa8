"""The recipes are real: they run, train, merge, and are restored from what is stored, on a tiny T5."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
import torch
from bare_models import bare
from real_catalog import CONFIGURATIONS
from tiny_fit import counted
from torch import Tensor

from surveykit.catalog.load import Catalog
from surveykit.engine import Attached, Instance, count
from surveykit.engine.measure_trials import trial_values
from surveykit.engine.models.tiny import tiny_batch, tiny_instance, tiny_model
from surveykit.engine.train.differences import difference
from surveykit.engine.train.trial import outputs, randomise, trial
from surveykit.errors import RecipeError
from surveykit.recipes import Recipe, Stage
from surveykit.recipes.sites import BudgetedEdit
from surveykit.recipes.sparse_update import SparseUpdate
from surveykit.recipes.weight_network import WeightNetwork

FITTING = {name for name, one in CONFIGURATIONS.items() if counted(one.recipe, bare(tiny_model())) is not None}
# Widths of d_model are counted only: attention cannot use such a prefix where the inner width differs.
RUNNABLE = [name for name in CONFIGURATIONS if "model-width" not in name and name in FITTING]
# T5 has no biases: BitFit by the letter trains nothing there.
TRAINS_NOTHING = {"bitfit/native"}


def last_stage(catalog: Catalog, name: str) -> Stage:
    recipe: Recipe = catalog.recipe(name)
    return recipe.stages[-1]


def shares_a_budget(stage: Stage) -> bool:
    """Counted with the budget spread evenly; training moves it, and a matrix may lose all. test_lowrank says how."""
    return any(isinstance(edit, BudgetedEdit) for edit in stage.edits)


def places_decide(stage: Stage) -> bool:
    """Few single entries reach the rank that is counted only where no two of them share a row or a column."""
    return any(isinstance(edit, SparseUpdate) for edit in stage.edits)


def units_may_be_dead(stage: Stage) -> bool:
    """The update of a column of the weight is zero where no unit of a narrow network with ReLU is active for it."""
    return any(isinstance(edit, WeightNetwork) and edit.activation == "relu" for edit in stage.edits)


def machinery(recipe: Recipe) -> str:
    """What of a recipe decides how it is trained, merged, saved and restored: kinds of edits, how LoRA's factors start and
    which are trained, and options of stages; not numbers, nor where edits go."""

    def options(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: options(inner) for name, inner in value.items() if name not in ("name", "edits", "train")}
        return "a number" if type(value) in (int, float) else value

    return json.dumps(
        [
            [
                sorted(
                    {(edit.kind, *(getattr(edit, name, "") for name in ("initial", "trains"))) for edit in stage.edits}
                ),
                bool(stage.train),
                options(json.loads(stage.model_dump_json())),
            ]
            for stage in recipe.stages
        ]
    )


ALIKE = {machinery(CONFIGURATIONS[name].recipe): name for name in reversed(RUNNABLE)}
"""One configuration, the first, for each machinery."""


def wrong(catalog: Catalog, name: str, found: Mapping[str, Any]) -> list[str]:
    """Statements that do not hold of what a trial on a tiny T5 found, in the words in which it is recorded."""
    stage, counts = last_stage(catalog, name), count(catalog.recipe(name), bare(tiny_model()))
    budget = shares_a_budget(stage)
    holds = {
        "the loss falls": found["loss_falls"] == (None if name in TRAINS_NOTHING else "yes"),
        "nothing strays": found["stray"] is None,
        "it merges exactly or says why not": (found["merge"], found["obstacle"] is None)
        in (("exact", True), ("partly", False), ("none", False)),
        "what is saved restores it": found["restored"] == "yes",
        "what is saved is what is counted": budget or found["saved_bytes"] == counts.stored_bytes,
        # A few entries may stay equal by rounding; a mask and dead units leave more in true training.
        "what can change does": budget
        or any(edit.changes_at_most for edit in stage.edits)
        or (0.99 if units_may_be_dead(stage) else 0.9999) * found["changed"] <= found["changed_random"],
        "nothing else changes": max(found["changed_random"], found["changed_trained"])
        <= found["changed"]
        == counts.changed,
        # The rank that a matrix can have at most is reached by some matrix, unless a budget leaves none of them whole.
        "the rank is what is counted": found["rank"] == found["update_rank"] == counts.update_rank
        or (found["rank"] <= found["update_rank"] and (budget or stage.mask is not None or places_decide(stage))),
    }
    return [statement for statement, is_true in holds.items() if not is_true]


@pytest.mark.sampled(name=lambda name: tuple(edit.kind for edit in CONFIGURATIONS[name].recipe.stages[-1].edits))
@pytest.mark.parametrize("name", ALIKE.values())
def test_a_recipe_does_what_its_counts_say(catalog: Catalog, name: str) -> None:
    assert wrong(catalog, name, trial_values(catalog.recipe(name))) == []


def test_every_recipe_did_what_its_counts_say_when_it_was_measured(catalog: Catalog) -> None:
    recorded = {row.configuration: row.model_dump() for row in catalog.trials if row.status == "run"}
    assert set(recorded) == set(RUNNABLE)
    assert {name: found for name in RUNNABLE if (found := wrong(catalog, name, recorded[name]))} == {}


def check_comes_off_without_a_trace(catalog: Catalog, name: str, instance: Instance) -> None:
    batch = tiny_batch()
    before = outputs(instance, batch)
    values = [p.detach().clone() for p in instance.pretrained]
    with Attached(instance, last_stage(catalog, name)) as attached:
        pretrained_held = any(p.requires_grad for p in instance.pretrained)
        randomise(attached)
        assert (not attached.added() and not pretrained_held) == (name in TRAINS_NOTHING)
        if name not in TRAINS_NOTHING:
            assert not torch.allclose(outputs(instance, batch), before, atol=1e-4)
        with torch.no_grad():
            for parameter, value in zip(instance.pretrained, values, strict=True):
                if parameter.requires_grad:
                    parameter.copy_(value)
    assert all(torch.equal(p, value) for p, value in zip(instance.pretrained, values, strict=True))
    torch.testing.assert_close(outputs(instance, batch), before, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ALIKE.values())
def test_it_comes_off_without_a_trace(catalog: Catalog, name: str) -> None:
    check_comes_off_without_a_trace(catalog, name, tiny_instance())


@pytest.mark.sampled(name=lambda name: machinery(CONFIGURATIONS[name].recipe))
@pytest.mark.parametrize("name", RUNNABLE)
def test_on_a_gated_backbone_it_comes_off_without_a_trace_and_merging_keeps_the_outputs(
    catalog: Catalog, name: str
) -> None:
    instance, batch = tiny_instance(gated=True), tiny_batch()
    check_comes_off_without_a_trace(catalog, name, instance)
    attached = Attached(instance, last_stage(catalog, name))
    randomise(attached)
    branch = outputs(instance, batch)
    obstacles = attached.merge()
    assert difference(outputs(instance, batch), branch).equal
    if not obstacles:
        assert not attached.added()
    attached.detach()


def test_what_does_not_fit_is_refused_with_its_widths_and_its_method_runs_otherwise(catalog: Catalog) -> None:
    refused = {*CONFIGURATIONS} - FITTING
    for name in refused:
        with pytest.raises(RecipeError, match=r"does not fit tiny: .*\d"):
            trial(catalog.recipe(name))
    assert {name.partition("/")[0] for name in refused} <= {name.partition("/")[0] for name in RUNNABLE}


def test_a_prefix_of_the_wrong_width_is_refused_when_run(catalog: Catalog) -> None:
    narrow = [name for name in CONFIGURATIONS if "model-width" in name]
    assert narrow
    for name in narrow:
        with pytest.raises(RecipeError, match="does not fit 4 heads"):
            trial(catalog.recipe(name))


def test_a_role_that_is_not_there_is_refused(catalog: Catalog) -> None:
    wrong = last_stage(catalog, "lora/qv-r8").model_copy(deep=True)
    edit = wrong.edits[0]
    where = edit.where.model_copy(update={"roles": ("feed_forward_gate",)})
    wrong = wrong.model_copy(update={"edits": (edit.model_copy(update={"where": where}),)})
    with pytest.raises(RecipeError, match="no place for low_rank"):
        Attached(tiny_instance(), wrong)


def trained_tensors(instance: Instance) -> list[Tensor]:
    return [p for p in instance.model.parameters() if p.requires_grad]


def test_leaving_a_stage_freezes_the_backbone(catalog: Catalog) -> None:
    instance = tiny_instance()
    with Attached(instance, last_stage(catalog, "full-tuning/all")):
        assert trained_tensors(instance)
    assert not trained_tensors(instance)
