"""A training step in settings: checkpointed blocks, gradients that are there already, several devices."""

from __future__ import annotations

from dataclasses import astuple

import pytest
import torch
from test_tracing import allocated_peak
from torch import nn
from traced import METHODS, inputs, model_for, stage_of

from surveykit.catalog.load import Catalog
from surveykit.catalog.training import Training
from surveykit.engine import Attached, Instance
from surveykit.engine.models.catalogued import blueprint
from surveykit.engine.models.tiny import tiny_model
from surveykit.engine.trace.costs import Costs
from surveykit.engine.trace.step import StepTrace, trace_step
from surveykit.recipes import Stage

CHECKPOINTED = Training(checkpointing="full")


@pytest.fixture(scope="module")
def costs(catalog: Catalog) -> Costs:
    return Costs(blueprint(catalog.models["t5-small"]))


@pytest.fixture(scope="module")
def full(catalog: Catalog) -> Stage:
    return stage_of(catalog, "full")


def traced(instance: Instance, stage: Stage, training: Training) -> StepTrace:
    with Attached(instance, stage):
        return trace_step(instance, inputs(str(instance.model.device), batch=4, positions=64), training=training)


def without_dropout(device: str) -> Instance:
    """The CPU's kernel for dropout takes scratch memory, of which peaks are made where little else is live."""
    instance = model_for(tiny_model(), device=device, dtype=torch.float32)
    for module in instance.model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        elif hasattr(module, "dropout") and isinstance(module.dropout, float):
            module.dropout = 0.0
    return instance


@pytest.mark.sampled
@pytest.mark.parametrize("name", METHODS)
def test_checkpointed_on_meta_equals_cpu_and_the_allocator(catalog: Catalog, name: str) -> None:
    stage = stage_of(catalog, name)
    meta, cpu = (traced(without_dropout(device), stage, CHECKPOINTED) for device in ("meta", "cpu"))
    assert meta.peak() == cpu.peak()
    instance = without_dropout("cpu")
    instance.model.activation_checkpointing_enable({"use_reentrant": False, "preserve_rng_state": False})
    with Attached(instance, stage):
        real = allocated_peak(instance, inputs("cpu", batch=4, positions=64))
    assert meta.peak().total == pytest.approx(real, rel=1e-3)


def test_a_checkpointed_trace_leaves_the_model_as_it_was(catalog: Catalog) -> None:
    instance, stage = model_for(tiny_model()), stage_of(catalog, "lora")
    before = traced(instance, stage, Training())
    assert traced(instance, stage, CHECKPOINTED).peak().total < before.peak().total
    assert traced(instance, stage, Training()) == before


def test_checkpointing_keeps_the_inputs_of_blocks_and_offloading_not_even_these(costs: Costs, full: Stage) -> None:
    plain, checkpointed, offloaded = (
        costs.training(full, 8, 128, training=Training(checkpointing=how)) for how in ("none", "full", "offloaded")
    )
    a_block = 8 * 128 * 512 * 2
    assert plain.memory.parts.activations > 10 * checkpointed.memory.parts.activations
    assert checkpointed.memory.peak - offloaded.memory.peak < 6 * a_block
    assert checkpointed.backward_flops - plain.backward_flops == pytest.approx(plain.forward_flops, rel=0.2)


def test_every_second_block_lies_between_all_and_none(costs: Costs, full: Stage) -> None:
    none, second, every = (
        costs.training(full, 8, 128, training=training).memory.peak
        for training in (Training(), Training(checkpointing="full", checkpoint_every=2), CHECKPOINTED)
    )
    assert every < second < none


def test_gradients_of_an_earlier_batch_are_there_from_the_start(costs: Costs, full: Stage) -> None:
    once, more = (costs.training(full, 8, 128, training=Training(accumulation=n)).memory for n in (1, 4))
    assert more.parts.gradients == more.gradients == once.gradients
    assert more.peak > once.peak


DEVICES = [("ddp", 4), ("zero1", 4), ("zero2", 4), ("zero3", 4), ("fsdp", 4), ("fsdp", 3)]


@pytest.mark.parametrize(("shard", "devices"), DEVICES)
@pytest.mark.parametrize("name", ["full", "lora"])
def test_what_devices_divide(catalog: Catalog, costs: Costs, name: str, shard: str, devices: int) -> None:
    stage = stage_of(catalog, name)
    alone = costs.training(stage, 4, 64).memory
    found = costs.training(stage, 4, 64, training=Training.model_validate({"shard": shard, "devices": devices})).memory
    assert sum(astuple(found.parts)) == found.peak
    assert min(astuple(found.parts)) >= 0
    divided = {"ddp": "", "zero1": "o", "zero2": "og", "zero3": "ogw", "fsdp": "ogw"}[shard]
    assert found.optimizer == alone.optimizer // (devices if "o" in divided else 1)
    assert found.gradients == alone.gradients // (devices if "g" in divided else 1)
    assert found.weights == alone.weights // (devices if "w" in divided else 1)
    assert (found.peak > alone.peak) == (shard == "ddp")


def test_states_on_the_host_are_not_on_the_device(costs: Costs, full: Stage) -> None:
    here, there = (costs.training(full, 4, 64, training=Training(offload_states=o)).memory for o in (False, True))
    assert there.optimizer == 0
    assert here.peak - there.peak >= here.optimizer


def test_a_divided_block_of_few_bits_is_whole_in_few_bits(catalog: Catalog) -> None:
    wide, narrow = (
        Costs(blueprint(catalog.models["tinyllama-1.1b"]))
        .training(stage_of(catalog, "lora"), 1, 8, training=Training(base_bits=bits, devices=4, shard="fsdp"))
        .memory.parts
        for bits in (16, 4)
    )
    outside = 2 * 32000 * 2048 * 2
    gathered = wide.working + wide.activations - outside
    assert narrow.working + narrow.activations - outside < gathered / 2


@pytest.fixture(scope="module")
def llama(catalog: Catalog) -> Costs:
    return Costs(blueprint(catalog.models["llama-3.2-1b"]))


LAYERS, WIDTH, HEADS, FEW, OF_A_HEAD = 16, 2048, 32, 8, 64
"""Of Llama-3.2-1B."""


def test_a_padded_batch_repeats_keys_and_values_of_few_heads_and_has_a_mask(catalog: Catalog, llama: Costs) -> None:
    stage, batch, length = stage_of(catalog, "full"), 2, 64

    def saved(training: Training) -> int:
        return llama.training(stage, batch, length, training=training).memory.saved

    repeated, mask = 2 * batch * length * (HEADS - FEW) * OF_A_HEAD * 2, batch * length * length * 2
    more = saved(Training(attention="sdpa", padding=True)) - saved(Training(attention="sdpa"))
    assert more == pytest.approx(LAYERS * (repeated + mask), rel=1e-4)  # the mask is made a number in each layer
    assert saved(Training(padding=True)) == saved(Training())  # eager keeps the scores of all pairs either way


def test_dropout_in_adapters_keeps_what_is_left_and_a_mask(catalog: Catalog, llama: Costs) -> None:
    stage, positions = catalog.recipe("lora/qv-r8").stages[-1], 2 * 64
    plain, dropped = (
        llama.training(stage, 2, 64, training=Training(attention="sdpa", adapter_dropout=drops)).memory.saved
        for drops in (False, True)
    )
    kept = 2 * positions * WIDTH * (2 + 1)  # of query and value each, in 16 bits, with a byte of mask
    without_gradient = 2 * positions * WIDTH  # the first layer's text needs none, so that no mask is kept
    assert dropped - plain == LAYERS * (kept - positions * WIDTH * 2) - without_gradient  # and not what both read


def test_a_copy_of_what_adapters_add_is_kept_for_each(catalog: Catalog, llama: Costs) -> None:
    stage, positions = catalog.recipe("lora/qv-r8").stages[-1], 2 * 64
    plain, copied = (
        llama.training(stage, 2, 64, training=Training(attention="sdpa", adapter_copy=copy)).memory.saved
        for copy in (False, True)
    )
    assert copied - plain == LAYERS * positions * (HEADS + FEW) * OF_A_HEAD * 2  # of queries and of values, in 16 bits
