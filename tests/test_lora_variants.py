"""What variants of LoRA do in training, where their outputs after it say nothing: PEFT's gradients, kept activations, draws."""

from __future__ import annotations

import copy
from typing import Any

import peft
import pytest
import torch
from conftest import CATALOG
from small_models import CONFIGS, batch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from surveykit.catalog.peft_arguments import PeftArguments, peft_arguments
from surveykit.catalog.peft_file import peft_file
from surveykit.catalog.peft_recipes import translated
from surveykit.catalog.peft_targets import NotOurs
from surveykit.engine import Attached, Instance
from surveykit.engine.models.model import instance_of
from surveykit.engine.models.peft_modules import parts_of
from surveykit.errors import SurveyError
from surveykit.recipes import Recipe
from surveykit.recipes.compressed import CompressedLowRank
from surveykit.recipes.sampled import SampledLowRank

QV = ["q_proj", "v_proj"]


@pytest.fixture
def llama() -> Instance:
    torch.manual_seed(5)
    return instance_of(CONFIGS["llama"](), device="cpu", seed=5)


def recipe_of(instance: Instance, content: dict[str, Any]) -> Recipe:
    file = peft_file({"peft_type": "LORA", "r": 4, "lora_alpha": 6, "target_modules": QV, **content}, "test")
    return translated(file, parts_of(instance, file), CATALOG).recipe


def moved(attached: Attached) -> None:
    with torch.no_grad():
        for parameter in attached.added():
            if parameter.requires_grad:
                parameter.add_(torch.randn(parameter.shape) * 0.1)


@pytest.mark.parametrize("along", ["batch_average", "batch_average_once"])
@pytest.mark.parametrize("groups", [7, 12])  # 60 features: with a rest, and without
def test_gradients_of_compressed_activations_are_those_of_peft(llama: Instance, along: str, groups: int) -> None:
    inner = {"num_groups": groups, "scale": 0.3, "init_type": along}
    config = peft.LoraConfig(r=4, lora_alpha=6, target_modules=QV, velora_config=inner)
    theirs = peft.get_peft_model(copy.deepcopy(llama.model), config).train()
    names = {id(module): name for name, module in llama.model.named_modules()}
    attached = Attached(llama, recipe_of(llama, {"velora_config": inner}).stages[-1])
    llama.model.train()
    moved(attached)
    pairs: list[tuple[Tensor, Tensor]] = []
    for placed in attached.placed:
        layer = theirs.get_submodule(f"base_model.model.{names[id(placed.slot.module)]}")
        for ours, own in ((placed.part.down, layer.lora_A), (placed.part.up, layer.lora_B)):
            own["default"].weight.data.copy_(ours)
            pairs.append((ours, own["default"].weight))
    given = batch(llama)
    for model in (llama.model, theirs):
        model(**given).loss.backward()
    for ours, own in pairs:
        torch.testing.assert_close(ours.grad, own.grad, rtol=1e-4, atol=1e-7)


def largest_kept(instance: Instance, groups: int) -> int:
    """Numbers of the largest tensor that the update of 100 positions keeps for backward."""
    stage = recipe_of(instance, {"velora_config": {"num_groups": groups}}).stages[-1]
    edit, sizes = stage.edits[0], [0]
    assert isinstance(edit, CompressedLowRank)
    with Attached(instance, stage) as attached:
        attached.container.train()
        x = torch.randn(2, 50, 60, requires_grad=True)
        with saved_tensors_hooks(lambda t: sizes.append(t.numel()) or t, lambda t: t):
            edit.branch(attached.placed[0].part, x)
    return max(sizes)


def test_what_is_kept_for_backward_is_as_few_numbers_as_there_are_groups(llama: Instance) -> None:
    assert largest_kept(llama, 60) == 100 * 60
    assert largest_kept(llama, 12) == 100 * 12


def test_earlier_positions_see_the_backbone_alone(llama: Instance) -> None:
    stage = recipe_of(llama, {"alora_invocation_tokens": [5, 9]}).stages[-1]
    late = stage.model_copy(update={"edits": (stage.edits[0].model_copy(update={"last": 3}),)})
    given = batch(llama)
    bare = llama.model(**given).logits
    with Attached(llama, late) as attached:
        moved(attached)
        found = llama.model(**given).logits
    assert torch.equal(found[:, :-3], bare[:, :-3])
    assert not torch.isclose(found[:, -3:], bare[:, -3:]).all()


def test_draws_are_for_training_and_around_the_mean(llama: Instance) -> None:
    stage = recipe_of(llama, {"monteclora_config": {"buffer_size": 3, "sample_scaler": 0.01}}).stages[-1]
    edit, x = stage.edits[0], torch.randn(2, 5, 60)
    assert isinstance(edit, SampledLowRank)
    with Attached(llama, stage) as attached, torch.no_grad():
        moved(attached)
        part = attached.placed[0].part
        mean = edit.branch(part, x)
        part.train()
        draws = [edit.branch(part, x) for _ in range(40)]
    assert not torch.equal(draws[0], draws[1])
    assert (draws[0] - mean).abs().max() < mean.abs().max()
    assert {*edit.deployed().tensors(attached.placed[0].slot.place)} == {"down", "up"}


def test_a_configuration_inside_is_read_and_written(llama: Instance) -> None:
    recipe = recipe_of(llama, {"kasa_config": {"beta": 0.5}})
    assert recipe.stages[-1].edits[0].model_dump()["value_penalty"] == 0.5
    said = peft_arguments(recipe, parts_of(llama), "CAUSAL_LM")
    assert said.arguments["kasa_config"] == {"beta": 0.5, "gamma": 0.001}
    scope: dict[str, Any] = {}
    exec(said.python(), scope)
    assert scope["config"].kasa_config.beta == 0.5


def test_a_scale_that_its_configuration_does_not_say_is_refused(llama: Instance) -> None:
    stage = recipe_of(llama, {"kasa_config": {}}).stages[-1]
    edit = stage.edits[0].model_copy(update={"scaling": "root_rank"})
    other = Recipe(stages=(stage.model_copy(update={"edits": (edit,)}),))
    with pytest.raises(SurveyError, match="does not have truncated low rank with scaling=root_rank"):
        peft_arguments(other, parts_of(llama), "CAUSAL_LM")


def test_what_is_inside_and_unknown_is_not_passed_over(llama: Instance) -> None:
    with pytest.raises(NotOurs, match=r"no kasa_config\.tomorrow"):
        recipe_of(llama, {"kasa_config": {"tomorrow": 3}})
    with pytest.raises(NotOurs, match="no use_dora"):
        recipe_of(llama, {"kasa_config": {}, "use_dora": True})


def test_lists_of_modules_say_which_factor_is_cut(llama: Instance) -> None:
    modules = ["q_proj", "o_proj", "down_proj"]
    lists = {"nblocks": 2, "target_modules_bd_a": ["o_proj", "down_proj"], "target_modules_bd_b": ["q_proj"]}
    recipe = recipe_of(llama, {"target_modules": modules, "use_bdlora": lists})
    said: PeftArguments = peft_arguments(recipe, parts_of(llama), "CAUSAL_LM")
    again = recipe_of(llama, dict(said.arguments))
    assert {edit.model_dump()["split"] for edit in recipe.stages[-1].edits} == {"up", "down"}
    assert [edit.model_dump() for edit in again.stages[-1].edits] == [
        edit.model_dump() for edit in recipe.stages[-1].edits
    ]
    with pytest.raises(NotOurs, match="is in none of"):
        recipe_of(llama, {"target_modules": [*modules, "k_proj"], "use_bdlora": lists})
