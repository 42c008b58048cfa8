"""Weights of few bits, traced: their bytes, and what is restored when."""

from __future__ import annotations

import json
from typing import Any, Literal

import pytest
import torch
from small_models import CONFIGS
from torch import Tensor, nn
from traced import model_for, stage_of
from transformers import LlamaConfig, LlamaForSequenceClassification

from surveykit.catalog.load import Catalog
from surveykit.catalog.peft_file import PeftFile
from surveykit.catalog.training import SURVEYS, Training
from surveykit.engine import Attached, Instance, build, instance_of
from surveykit.engine.models.catalogued import blueprint
from surveykit.engine.models.configs import config_of
from surveykit.engine.models.model import blueprint_of
from surveykit.engine.models.peft_modules import wrapped
from surveykit.engine.models.tiny import tiny_model as backbone
from surveykit.engine.trace.autocast import autocast_as_on_cuda
from surveykit.engine.trace.costs import DEPTHS, Costs
from surveykit.engine.trace.extrapolation import extrapolate
from surveykit.engine.trace.few_bits import few_bits, layers_in_few_bits
from surveykit.engine.trace.memory import Memory
from surveykit.engine.trace.step import StepTrace, trace_step
from surveykit.recipes import Quantization, Stage

NF4 = Training(base_bits=4)
DOUBLE = Training(base_bits=4, double_quant=True)
INT8 = Training(base_bits=8)


def names_of(instance: Instance, training: Training, stage: Stage | None = None) -> set[str]:
    chosen = layers_in_few_bits(instance, training, stage)
    return {name for name, module in instance.model.named_modules() if module in chosen}


def test_mistral_7b_in_nf4_takes_what_it_takes_by_hand(catalog: Catalog) -> None:
    """With LoRA of rank 16 on four matrices, which is in float32 with its moments: 4.289 GB, 4.307 measured on an A100."""
    instance = build(catalog.models["mistral-7b"])
    instance.model.to(torch.bfloat16)
    with few_bits(instance, DOUBLE) as saving:
        held = 2 * instance.parameters - saving
    linear = 32 * (2 * 4096 * (4096 + 1024) + 3 * 4096 * 14336)
    assert held == linear // 2 + linear // 64 + 4 * (linear // 64 // 256) + 2 * (2 * 32000 + 65) * 4096
    lora = 32 * 16 * 2 * ((4096 + 4096) + (4096 + 1024))
    assert held + 12 * lora == pytest.approx(4.289e9, rel=1e-4)


@pytest.mark.parametrize("name", ["llama", "llama-tied", "gpt2"])
def test_the_output_layer_and_what_is_tied_to_it_stay_wide(name: str) -> None:
    chosen = names_of(instance_of(CONFIGS[name]()), NF4)
    assert chosen
    assert not any("lm_head" in one or "wte" in one or "embed" in one for one in chosen)


def test_the_last_layer_of_a_classifier_stays_wide_whatever_is_attached(stages: dict[str, Stage]) -> None:
    config = CONFIGS["llama"]()
    assert isinstance(config, LlamaConfig)
    config.architectures = [LlamaForSequenceClassification.__name__]
    instance = instance_of(config)
    alone = names_of(instance, NF4)
    assert alone
    assert "score" not in alone
    with Attached(instance, stages["lora"]):
        assert names_of(instance, NF4, stages["lora"]) == alone


@pytest.fixture(scope="module")
def stages(catalog: Catalog) -> dict[str, Stage]:
    return {name: stage_of(catalog, name) for name in ("full", "lora", "houlsby", "last block", "nothing")}


def test_what_is_trained_or_added_keeps_its_width(stages: dict[str, Stage]) -> None:
    instance = model_for(backbone())
    everything = names_of(instance, NF4, stages["nothing"])
    for name, left in (("full", 0), ("lora", len(everything)), ("houlsby", len(everything))):
        with Attached(instance, stages[name]):
            assert len(names_of(instance, NF4, stages[name])) == left, name
    with Attached(instance, stages["last block"]):
        assert 0 < len(names_of(instance, NF4, stages["last block"])) < len(everything)


def test_pefts_own_modules_keep_their_width() -> None:
    content: dict[str, Any] = {"r": 4, "target_modules": ["q_proj", "lm_head"]}
    plan = blueprint_of(CONFIGS["llama"]())
    found = wrapped(plan, PeftFile("lora", "LORA", content))
    chosen = names_of(found.instance, NF4)
    assert {one.removesuffix(".base_layer") for one in chosen} == names_of(plan.build(), NF4)


def test_the_stage_says_more_than_the_model_and_the_model_more_than_the_record(catalog: Catalog) -> None:
    stage = catalog.recipe("qlora/all-linear-r64").stages[-1]
    base = stage.base
    assert isinstance(base, Quantization)
    plain = json.loads(CONFIGS["llama"]().to_json_string())
    said: dict[str, Any] = {**plain, "quantization_config": {"load_in_8bit": True}}
    for config, training, own, int8, bits in (
        (plain, SURVEYS, None, None, 16), (plain, INT8, None, True, 8), (plain, NF4, None, False, 4),
        (said, NF4, None, True, 8), (said, SURVEYS, None, True, 8), (said, INT8, stage, False, 4),
        (plain, INT8, stage, False, 4),
    ):  # fmt: skip
        chosen = layers_in_few_bits(instance_of(config_of(config, "llama")), training, own)
        assert {held.int8 for held in chosen.values()} == ({int8} - {None})
        for layer, held in chosen.items():
            assert isinstance(layer, nn.Linear)
            assert held.bytes * 8 == pytest.approx(bits * layer.weight.numel(), rel=0.15)


def layer_of(instance: Instance) -> nn.Linear:
    layer = next(slot.module for slot in instance.slots if slot.place.role == "feed_forward_in")
    assert isinstance(layer, nn.Linear)
    return layer


def stepped(training: Training) -> tuple[dict[str, list[int]], Tensor, nn.Linear]:
    """Live bytes in forward, after it, in backward and after it, beside the layer and its input and output gradient."""
    instance = model_for(backbone())
    layer = layer_of(instance)
    x = torch.empty(3, 16, layer.in_features, dtype=torch.bfloat16, device="meta", requires_grad=True)
    memory = Memory()
    with few_bits(instance, training):
        gradient = torch.empty(3, 16, layer.out_features, dtype=torch.bfloat16, device="meta")
        memory.hold([layer.weight, x, gradient])
        before = memory.current
        with memory:
            with memory.phase("forward"):
                y = layer(x)
            after = memory.current - before
            y.backward(gradient)
            with memory.phase("backward"):
                layer(x).backward(gradient)
    found = {name: [m.total - before for m in moments] for name, moments in memory.moments.items()}
    return found | {"after": [after]}, x, layer


def test_a_weight_is_restored_for_each_product_and_gone_behind_it() -> None:
    live, x, layer = stepped(NF4)
    weight, y = layer.weight.nbytes, x.nbytes // layer.in_features * layer.out_features
    assert live["forward"] == [0, weight, weight + y]
    assert live["after"] == [y]
    kept = y + x.nbytes  # of the pass before: its output, and the gradient of the input
    again = [kept, kept + weight, kept + weight + y]
    assert live["backward"][:3] == again
    assert max(live["backward"][3:]) == kept + y + weight + x.nbytes


def test_int8_multiplies_codes_and_keeps_the_input() -> None:
    live, x, layer = stepped(INT8)
    y = x.nbytes // layer.in_features * layer.out_features
    rows = x.nbytes // 2 // layer.in_features
    assert max(live["forward"]) == x.nbytes // 2 + 4 * rows + y * (
        2 + 1 + 1
    )  # whole numbers of 4 bytes, halves, result
    assert live["after"] == [y]


@pytest.mark.parametrize("bits", [4, 8])
def test_under_autocast_a_weight_is_restored_in_the_narrow_type_and_the_result_has_the_inputs(
    bits: Literal[4, 8],
) -> None:
    instance = model_for(backbone(), dtype=torch.float32)
    layer, memory = layer_of(instance), Memory()
    x = torch.empty(3, 16, layer.in_features, device="meta", requires_grad=True)
    memory.hold([layer.weight, x])
    before = memory.current
    setting = Training(base_bits=bits, dtype="float32", autocast=True)
    with few_bits(instance, setting), memory, autocast_as_on_cuda(), memory.phase("forward"):
        y = layer(x)
    highest = max(moment.total for moment in memory.moments["forward"]) - before
    rows = x.numel() // layer.in_features
    narrow = 2 * layer.weight.numel() + x.nbytes // 2 + y.nbytes // 2
    assert highest == (narrow if bits == 4 else x.numel() + 4 * rows + y.numel() * (4 + 2 + 4))
    assert (y.dtype, memory.current - before) == (torch.float32, y.nbytes)


@pytest.mark.parametrize("training", [NF4, INT8])
@pytest.mark.parametrize("name", ["t5", "llama", "gpt2"])
def test_values_and_gradients_are_those_of_the_weights(name: str, training: Training, stages: dict[str, Stage]) -> None:
    instance = instance_of(CONFIGS[name](), device="cpu")
    ids = torch.arange(1, 13).reshape(2, 6)
    with Attached(instance, stages["houlsby"]) as attached:
        trained = [p for p in attached.added() if p.requires_grad]
        for p in trained:
            torch.nn.init.normal_(p, std=0.1, generator=torch.Generator().manual_seed(1))

        def step() -> list[Tensor]:
            for p in trained:
                p.grad = None
            loss = instance.loss({"input_ids": ids, "labels": ids})
            loss.backward()  # type: ignore[no-untyped-call]
            return [loss, *(p.grad for p in trained if p.grad is not None)]

        plain = step()
        with few_bits(instance, training, stages["houlsby"]) as saving:
            assert saving > 0
            few = step()
        assert len(plain) > 1
        torch.testing.assert_close(few, plain)


def test_nothing_is_left_on_the_layers_even_after_an_error() -> None:
    instance = model_for(backbone())
    with pytest.raises(ZeroDivisionError), few_bits(instance, NF4):
        raise ZeroDivisionError
    assert not any({"forward", "surveykit_restored"} & {*module.__dict__} for module in instance.model.modules())


def traced_at(depth: int, training: Training, stage: Stage) -> tuple[StepTrace, int]:
    config = CONFIGS["llama"]()
    config.num_hidden_layers = depth
    instance = instance_of(config)
    instance.model.to(torch.bfloat16).train()
    instance.model.set_attn_implementation("eager")
    ids = torch.ones(2, 24, dtype=torch.long, device="meta")
    with Attached(instance, stage), few_bits(instance, training, stage) as saving:
        return trace_step(instance, {"input_ids": ids, "labels": ids}), saving


@pytest.mark.parametrize("training", [NF4, INT8])
def test_two_shallow_traces_tell_a_deep_one(training: Training, stages: dict[str, Stage]) -> None:
    (low, saved), (high, more), (deep, most) = (traced_at(n, training, stages["lora"]) for n in (*DEPTHS, 9))
    assert extrapolate(low, high, *DEPTHS, 9).peak() == deep.peak()
    assert most == saved + 4 * (more - saved)


def test_restoring_costs_no_more_than_the_widest_weight_and_saves_nothing_for_backward(
    stages: dict[str, Stage],
) -> None:
    plain, few, int8 = (traced_at(4, training, stages["lora"])[0] for training in (SURVEYS, NF4, INT8))
    assert few.saved == plain.saved
    assert int8.saved > plain.saved  # inputs of layers that train nothing
    assert plain.peak().total <= few.peak().total <= plain.peak().total + 2 * 60 * 88
    assert (few.forward_flops, few.backward_flops) == (plain.forward_flops, plain.backward_flops)


def test_an_edit_that_reads_the_weight_has_it_restored(catalog: Catalog) -> None:
    instance = model_for(backbone())
    stage = catalog.recipe("dora/qv-r8").stages[-1]
    with Attached(instance, stage) as attached:
        part = attached.placed[0].part
        assert part.stored is part.stored
        with few_bits(instance, NF4, stage):
            assert part.stored is not part.stored


def test_products_may_keep_what_they_multiply(catalog: Catalog) -> None:
    costs, stage = Costs(blueprint(catalog.models["tinyllama-1.1b"])), catalog.recipe("lora/qv-r8").stages[-1]
    dropped, kept = (
        costs.training(stage, 1, 16, training=Training(base_bits=4, attention="sdpa", keep_base_inputs=keep)).memory
        for keep in (False, True)
    )
    rows, width, inner = 16 * 2, 2048, 5632
    # What goes into gate and up, and into down; adapters keep what query reads, and attention keeps its output anyway.
    assert kept.saved - dropped.saved == 22 * rows * (width + inner)
