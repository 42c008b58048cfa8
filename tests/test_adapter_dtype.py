"""Adapters in float32 on a backbone in bfloat16, as PEFT holds them: what they compute, and what they cost."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import peft
import pytest
import torch
from conftest import CATALOG
from peft import TaskType, get_peft_model
from real_catalog import CONFIGURATIONS
from small_models import CONFIGS
from test_engine_runs import ALIKE, TRAINS_NOTHING
from test_peft_oracle import READERS
from torch import Tensor, nn
from transformers import LlamaConfig, PreTrainedModel

from surveykit.catalog.load import Catalog
from surveykit.catalog.peft_file import peft_file
from surveykit.catalog.training import Training
from surveykit.engine import Attached
from surveykit.engine.models.model import Blueprint, blueprint_of, instance_of
from surveykit.engine.models.tiny import tiny_batch, tiny_instance
from surveykit.engine.peft import peft_on
from surveykit.engine.trace.autocast import autocast_as_on_cuda
from surveykit.engine.trace.costs import Costs
from surveykit.engine.trace.peft_costs import PeftCosts

KINDS = sorted({
    name for name in ALIKE.values() if name not in TRAINS_NOTHING and CONFIGURATIONS[name].recipe.stages[-1].edits
})  # fmt: skip


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_computes_in_mixed_precision(catalog: Catalog, name: str) -> None:
    stage = catalog.recipe(name).stages[-1].model_copy(update={"base": None})
    # An update starts at random there, and on so small a matrix it would be larger than the weight.
    edits = tuple(
        e.model_copy(update={"scaling": e.scaling / 100}) if e.kind == "fourier_spectrum" else e for e in stage.edits
    )
    stage = stage.model_copy(update={"edits": edits})
    wide, narrow = tiny_instance(seed=3), tiny_instance(seed=3)
    for instance in (wide, narrow):
        instance.model.to(torch.bfloat16).eval()  # type: ignore[arg-type]
    wide.model.to(torch.float32)  # of the same values
    batch = tiny_batch()
    generator = torch.Generator().manual_seed(5)
    with Attached(wide, stage) as reference, Attached(narrow, stage, dtype=torch.float32) as attached, torch.no_grad():
        assert {p.dtype for p in attached.added() if p.requires_grad} == {torch.float32}
        sizes = {id(p): placed.edit.trained_size for placed in reference.placed for p in placed.part.parameters()}
        for theirs in reference.added():
            theirs.add_(torch.randn(theirs.shape, generator=generator) * 0.02 * sizes.get(id(theirs), 1.0))
        attached.carry(reference.values())  # with the places that were drawn by chance
        expected, found = (instance.model(**batch).logits for instance in (wide, narrow))
        assert found.dtype == torch.bfloat16
        assert (found.float() - expected).norm() < 0.02 * expected.norm()
        with torch.enable_grad():
            narrow.model(**batch).loss.backward()
            with autocast_as_on_cuda():  # float32 weights, products in bfloat16
                mixed = wide.model(**batch)
            mixed.loss.backward()
            assert (mixed.logits.float() - expected).norm() < 0.02 * expected.norm()
        assert {p.grad.dtype for p in attached.added() if p.grad is not None} == {torch.float32}
        if not attached.obstacles():
            attached.merge()
            assert {p.dtype for p in narrow.pretrained} == {torch.bfloat16}
            assert (narrow.model(**batch).logits.float() - expected).norm() < 0.03 * expected.norm()


PEFT_KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "LORA": ("LoraConfig", {"r": 4, "lora_alpha": 8, "target_modules": ["q_proj", "v_proj", "down_proj"]}),
    "DORA": ("LoraConfig", {"r": 4, "lora_alpha": 8, "use_dora": True, "target_modules": ["q_proj", "up_proj"]}),
    "IA3": ("IA3Config", {"target_modules": ["k_proj", "v_proj", "down_proj"], "feedforward_modules": ["down_proj"]}),
    "LOKR": ("LoKrConfig", {"r": 64, "alpha": 64, "target_modules": ["q_proj", "v_proj"]}),
    "GLORA": ("GloraConfig", {"r": 4, "target_modules": ["q_proj", "v_proj"]}),
}


def logits(model: nn.Module) -> Tensor:
    ids = torch.randint(1, 70, (2, 9), generator=torch.Generator().manual_seed(1))
    found: Tensor = model(input_ids=ids, use_cache=False).logits.detach()
    return found


@pytest.mark.parametrize("kind", PEFT_KINDS)
def test_outputs_equal_those_of_peft(kind: str) -> None:
    cls, arguments = PEFT_KINDS[kind]
    instance = instance_of(CONFIGS["llama"](), device="cpu", seed=2)
    model: PreTrainedModel = instance.model.to(torch.bfloat16).eval()  # type: ignore[arg-type]
    names = {id(module): name for name, module in model.named_modules()}
    theirs = get_peft_model(copy.deepcopy(model), getattr(peft, cls)(task_type=TaskType.CAUSAL_LM, **arguments))
    generator = torch.Generator().manual_seed(11)
    with torch.no_grad():
        for parameter in theirs.parameters():
            if parameter.requires_grad:
                assert parameter.dtype == torch.float32
                parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.1)
    content = {"peft_type": kind.replace("DORA", "LORA"), **arguments}
    recipe = peft_on(instance, peft_file(content, kind), CATALOG).recipe
    assert recipe is not None
    with Attached(instance, recipe.stages[-1], dtype=torch.float32) as attached, torch.no_grad():
        for placed in attached.placed:
            layer = theirs.get_submodule(f"base_model.model.{names[id(placed.slot.module)]}")
            for name, value in READERS[cls](layer).items():
                placed.part.get_parameter(name).copy_(value)
        ours, bare = logits(model), logits(theirs.eval())
    if kind in ("LORA", "IA3"):
        assert torch.equal(ours, bare)
    else:  # sums of the same products in another order, and rounded to bfloat16
        torch.testing.assert_close(ours, bare, rtol=0.02, atol=0.02)


@pytest.fixture(scope="module")
def plan() -> Blueprint:
    """A Llama with grouped heads, wide enough that activations outweigh what is kept once."""
    config = LlamaConfig(
        hidden_size=512, intermediate_size=1376, num_hidden_layers=6, num_attention_heads=8, num_key_value_heads=2,
        vocab_size=8000, pad_token_id=0,
    )  # fmt: skip
    return blueprint_of(config, name="grouped")


ALL = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
TRACED: dict[str, dict[str, Any]] = {
    "LoRA on q, v": {"peft_type": "LORA", "r": 32, "lora_alpha": 64, "target_modules": ["q_proj", "v_proj"]},
    "LoRA on the MLP": {"peft_type": "LORA", "r": 32, "target_modules": ["gate_proj", "up_proj", "down_proj"]},
    "DoRA": {"peft_type": "LORA", "use_dora": True, "r": 32, "target_modules": ["q_proj", "v_proj"]},
    "IA3": {"peft_type": "IA3", "target_modules": ALL, "feedforward_modules": ["gate_proj", "up_proj", "down_proj"]},
    "AdaLoRA": {"peft_type": "ADALORA", "target_modules": ["q_proj", "v_proj"], "init_r": 12, "target_r": 8, "total_step": 100},
    "GLoRA": {"peft_type": "GLORA", "target_modules": ["q_proj", "v_proj"], "r": 8},
    "HRA": {"peft_type": "HRA", "target_modules": ["q_proj", "v_proj"], "r": 8},
    "OFT": {"peft_type": "OFT", "oft_block_size": 32, "target_modules": ["q_proj", "v_proj"]},
    "RoAd": {"peft_type": "ROAD", "target_modules": ["q_proj", "v_proj"]},
    "norms": {"peft_type": "LN_TUNING", "target_modules": ["input_layernorm", "post_attention_layernorm"]},
    "prefix": {"peft_type": "PREFIX_TUNING", "num_virtual_tokens": 20},
    "prompt": {"peft_type": "PROMPT_TUNING", "num_virtual_tokens": 20},
}  # fmt: skip


@pytest.mark.parametrize("adapters", [None, "float32"])
@pytest.mark.parametrize("what", TRACED)
def test_a_step_costs_what_it_costs_with_pefts_modules(plan: Blueprint, what: str, adapters: Any) -> None:
    found = peft_on(plan.build(), peft_file(TRACED[what], what), CATALOG)
    assert found.recipe is not None
    training = Training(adapter_dtype=adapters)
    theirs = PeftCosts(plan, found.file).training(2, 256, training=training).memory
    ours = Costs(plan).training(found.recipe.stages[-1], 2, 256, training=training).memory
    # AdaLoRA keeps two averages of each trained number, which PEFT keeps outside the modules.
    averages = 2 * ours.gradients if what == "AdaLoRA" else 0
    ours = replace(ours, peak=ours.peak - averages, optimizer=ours.optimizer - averages)
    for name in ("saved", "peak", "gradients", "optimizer"):
        assert getattr(ours, name) == pytest.approx(getattr(theirs, name), rel=0.005), name
