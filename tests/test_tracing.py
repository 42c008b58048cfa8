"""A traced step: meta equals CPU, and CPU equals the allocator."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode
from traced import METHODS, inputs, model_for, stage_of, trace

from surveykit.catalog.load import Catalog
from surveykit.engine import Attached, Instance
from surveykit.engine.models.tiny import tiny_model as backbone
from surveykit.engine.trace.memory import NOTHING, highest
from surveykit.engine.trace.on_device import peak_of
from surveykit.engine.trace.step import dropout_as_on_cuda, trace_step
from surveykit.errors import RecipeError
from surveykit.recipes import Stage


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """The models are tiny: threads only wait for one another, for minutes where the machine is busy."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def stages(catalog: Catalog) -> dict[str, Stage]:
    return {name: stage_of(catalog, name) for name in (*METHODS, "last block", "nothing")}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", [*METHODS, "last block"])
def test_meta_equals_cpu_in_every_moment(stages: dict[str, Stage], name: str, dtype: torch.dtype) -> None:
    meta, cpu = (trace(model_for(backbone(), device=device, dtype=dtype), stages[name]) for device in ("meta", "cpu"))
    assert meta.saved > 0
    assert meta.backward_flops > 0
    assert replace(meta, moments={}) == replace(cpu, moments={})
    for span in meta.moments.keys() | cpu.moments.keys():
        assert highest(meta.moments[span]) == highest(cpu.moments[span]), span
        # In the first, the decoder's mask is made, and on meta a constant of 8 bytes is one operator more. On meta, the
        # optimizer leaves out tensors that follow each other like some before.
        if span not in ("forward/0.encoder.after", "optimizer"):
            assert meta.moments[span] == cpu.moments[span], span


@pytest.mark.parametrize("name", [*METHODS, "last block", "nothing"])
def test_parts_add_up_to_the_peak(stages: dict[str, Stage], name: str) -> None:
    found = trace(model_for(backbone()), stages[name])
    peak = found.peak()
    known = found.resident + found.optimizer_state + peak.gradients + peak.logits + peak.activations
    assert min(peak) >= 0
    assert known <= peak.total
    if name == "full":
        ends = found.peak("optimizer")
        assert ends.gradients == found.gradients == found.resident
        assert (ends.logits, ends.activations) == (0, 0)


def allocated_peak(instance: Instance, given: dict[str, Tensor]) -> int:
    """Peak of a true second step."""
    model = instance.model
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=0.0, weight_decay=0.0, foreach=False)

    def step() -> None:
        model(**given, use_cache=False).loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    with dropout_as_on_cuda():
        there = [*model.parameters(), *model.buffers(), *given.values()]
        return peak_of(torch.device("cpu"), step, there).allocated


@pytest.mark.sampled
@pytest.mark.parametrize("name", METHODS)
def test_peak_is_that_of_the_allocator(stages: dict[str, Stage], name: str) -> None:
    instance = model_for(backbone(), device="cpu", dtype=torch.float32)
    given = inputs("cpu", batch=4, positions=64)
    with Attached(instance, stages[name]):
        traced = trace_step(instance, given).peak().total
        assert traced == pytest.approx(allocated_peak(instance, given), rel=1e-3)


@pytest.mark.parametrize("name", ["full", "lora"])
def test_only_scratch_of_cpu_kernels_is_beyond_the_trace_in_bfloat16(stages: dict[str, Stage], name: str) -> None:
    """CPU kernels for bfloat16 (matrix products, casts within an operator) allocate inside, and free before they end."""
    instance = model_for(backbone(), device="cpu")
    given = inputs("cpu", batch=4, positions=64)
    with Attached(instance, stages[name]):
        traced = trace_step(instance, given).peak().total
        assert traced <= allocated_peak(instance, given) <= 1.02 * traced


@pytest.mark.parametrize("name", ["full", "lora", "prefix"])
def test_flops_are_those_of_torchs_own_counter(stages: dict[str, Stage], name: str) -> None:
    instance = model_for(backbone())
    found = trace(instance, stages[name])
    with Attached(instance, stages[name]), FlopCounterMode(display=False) as counter:
        loss = instance.model(**inputs("meta"), use_cache=False).loss
        assert counter.get_total_flops() == found.forward_flops
        loss.backward()
    assert counter.get_total_flops() == found.forward_flops + found.backward_flops


def test_passes_add_up(stages: dict[str, Stage]) -> None:
    instance = model_for(backbone())
    once, thrice = (trace(instance, stages["lora"], passes=passes) for passes in (1, 3))
    assert thrice.forward_flops == 3 * once.forward_flops
    assert thrice.backward_flops == 3 * once.backward_flops
    assert 2.9 < thrice.saved / once.saved <= 3
    assert (thrice.gradients, thrice.optimizer_state) == (once.gradients, once.optimizer_state)


def test_two_passes_that_should_agree_keep_their_scores(stages: dict[str, Stage]) -> None:
    """The divergence multiplies no matrices; for backward it keeps at least both passes' log-probabilities."""
    instance = model_for(backbone())
    apart = stages["lora"].model_copy(update={"passes": 2})
    plain, agreeing = (
        trace(instance, stage, passes=2) for stage in (apart, apart.model_copy(update={"consistency": True}))
    )
    assert agreeing.forward_flops == plain.forward_flops
    assert agreeing.backward_flops == plain.backward_flops
    scores = inputs("meta")["labels"].numel() * instance.blueprint.vocabulary * 2
    assert agreeing.saved - plain.saved > scores


def test_state_and_gradients_are_those_of_adam(stages: dict[str, Stage]) -> None:
    instance = model_for(backbone())
    with Attached(instance, stages["full"]):
        found = trace_step(instance, inputs("meta"))
    size = instance.parameters
    assert found.resident == found.gradients == 2 * size
    assert found.optimizer_state == 4 * size


@pytest.mark.parametrize("trained", [False, True])
def test_where_nothing_that_is_trained_has_a_part_in_the_loss_only_forward_runs(trained: bool) -> None:
    instance = model_for(backbone())
    if trained:
        instance.model.register_parameter("unreached", nn.Parameter(torch.empty(3, device="meta")))
    found = trace_step(instance, inputs("meta"))
    assert found.peak("forward") == found.peak()
    assert found.peak().total > found.resident
    assert found.peak("backward") == found.peak("optimizer") == NOTHING
    assert (found.saved, found.saved_tensors, found.backward_flops) == (0, 0, 0)


def test_a_trace_leaves_weights_gradients_and_hooks_as_they_were(stages: dict[str, Stage]) -> None:
    instance = model_for(backbone(), device="cpu")
    before = {name: value.clone() for name, value in instance.model.state_dict().items()}
    trace(instance, stages["full"])
    for name, value in instance.model.state_dict().items():
        assert torch.equal(value, before[name])
    assert all(parameter.grad is None for parameter in instance.model.parameters())
    assert not any(m._forward_pre_hooks or m._forward_hooks for m in instance.model.modules())


def test_dropout_keeps_one_byte_and_is_put_back_after_an_error() -> None:
    original = functional.dropout

    def fail() -> None:
        with dropout_as_on_cuda():
            assert functional.dropout is not original
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert functional.dropout is original
    instance = model_for(backbone())
    with pytest.raises(RecipeError, match="input_ids"):
        trace_step(instance, {"nonsense": torch.ones(1, device="meta")})
    assert functional.dropout is original
    assert not any(module._forward_pre_hooks for module in instance.model.modules())


def test_any_optimizer(stages: dict[str, Stage]) -> None:
    def plain(parameters: Sequence[nn.Parameter]) -> torch.optim.Optimizer:
        return torch.optim.SGD(parameters, lr=0.0, foreach=False)

    instance = model_for(backbone())
    with Attached(instance, stages["lora"]):
        found = trace_step(instance, inputs("meta"), plain)
    assert found.optimizer_state == 0
    assert found.peak("optimizer").total >= found.resident + found.gradients
