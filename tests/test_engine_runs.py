"""The recipes are real: they run, train, merge, and are restored from what is stored, on a tiny T5."""

from __future__ import annotations

import pytest
import torch
from real_catalog import CONFIGURATIONS
from torch import Tensor

from surveykit.catalog.load import Catalog
from surveykit.engine import Attached, Instance
from surveykit.engine.models.tiny import tiny_batch, tiny_instance
from surveykit.engine.train.differences import close
from surveykit.engine.train.trial import outputs, randomise, trial
from surveykit.errors import RecipeError
from surveykit.recipes import Recipe, Stage
from surveykit.recipes.sites import BudgetedEdit

# Widths of d_model are counted only: attention cannot use such a prefix where the inner width differs.
RUNNABLE = [name for name in CONFIGURATIONS if "model-width" not in name]
# T5 has no biases: BitFit by the letter trains nothing there.
TRAINS_NOTHING = {"bitfit/native"}


def last_stage(catalog: Catalog, name: str) -> Stage:
    recipe: Recipe = catalog.recipe(name)
    return recipe.stages[-1]


def shares_a_budget(stage: Stage) -> bool:
    """Counted with the budget spread evenly; training moves it, and a matrix may lose all. test_lowrank says how."""
    return any(isinstance(edit, BudgetedEdit) for edit in stage.edits)


@pytest.mark.parametrize("name", RUNNABLE)
def test_a_recipe_does_what_its_counts_say(catalog: Catalog, name: str) -> None:
    found = trial(catalog.recipe(name))
    assert found.loss_falls is (None if name in TRAINS_NOTHING else True)
    assert found.stray is None
    assert found.merge in ("exact", "partly", "none")
    assert (found.obstacle is None) == (found.merge == "exact")
    assert found.restored
    if not shares_a_budget(last_stage(catalog, name)):
        assert found.saved_bytes == found.stored_bytes
        # A few entries may stay equal by rounding; a mask and dead units leave more in true training.
        assert 0.9999 * found.changed <= found.changed_random
    assert found.changed_random <= found.changed
    assert found.changed_trained <= found.changed
    assert found.rank <= found.update_rank
    # The rank that a matrix can have at most is reached by some matrix, unless a budget leaves none of them whole.
    if last_stage(catalog, name).mask is None and not shares_a_budget(last_stage(catalog, name)):
        assert found.rank == found.update_rank


@pytest.mark.parametrize("gated", [False, True])
@pytest.mark.parametrize("name", RUNNABLE)
def test_changes_the_output_and_comes_off_without_a_trace(catalog: Catalog, name: str, gated: bool) -> None:
    instance, batch = tiny_instance(gated=gated), tiny_batch()
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


@pytest.mark.parametrize("name", RUNNABLE)
def test_merging_on_a_gated_backbone_keeps_the_outputs(catalog: Catalog, name: str) -> None:
    instance, batch = tiny_instance(gated=True), tiny_batch()
    attached = Attached(instance, last_stage(catalog, name))
    randomise(attached)
    branch = outputs(instance, batch)
    obstacles = attached.merge()
    assert close(outputs(instance, batch), branch)
    if not obstacles:
        assert not attached.added()
    attached.detach()


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
