"""Optimizers, traced: what their step holds is what the allocator holds while the real ones step."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD, AdamW
from traced import model_for
from transformers.optimization import Adafactor

from surveykit.catalog.load import Catalog
from surveykit.catalog.training import CHOICES, Training
from surveykit.engine import Attached
from surveykit.engine.models.tiny import tiny_model as backbone
from surveykit.engine.trace.memory import Memory
from surveykit.engine.trace.optimizer_steps import OneByOne, Stepper, pageable_bytes, stepper

SHAPES = ((300, 200), (200,), (64, 1500), (5, 7), (400, 400))
MIXED = (torch.bfloat16, torch.float32, torch.bfloat16, torch.float32, torch.float32)
SINGLE = (torch.float32,) * len(SHAPES)


def held(dtypes: Sequence[torch.dtype] = MIXED, device: str = "meta") -> list[nn.Parameter]:
    """Parameters with gradients."""
    generator = torch.Generator().manual_seed(0)
    found = []
    for shape, dtype in zip(SHAPES, dtypes, strict=True):
        found.append(nn.Parameter(torch.randn(shape, generator=generator).to(dtype).to(device)))
        found[-1].grad = torch.randn(shape, generator=generator).to(dtype).to(device)
    return found


def size(tensors: Sequence[Tensor | None]) -> int:
    return sum(tensor.nbytes for tensor in tensors if tensor is not None)


def traced(parameters: Sequence[nn.Parameter], optimizer: Stepper) -> tuple[int, int]:
    """Bytes of the state, and the most that a second step holds beside parameters and gradients."""
    memory = Memory()
    memory.hold([*parameters, *(p.grad for p in parameters if p.grad is not None)])
    before = memory.current
    with memory:
        optimizer.step()
        state = memory.current - before
        with memory.phase("optimizer"):
            optimizer.step()
    return state, max(m.total for m in memory.moments["optimizer"]) - before


def step_of(name: str, dtypes: Sequence[torch.dtype] = MIXED, **further: bool) -> tuple[int, int]:
    parameters = held(dtypes)
    return traced(parameters, stepper(Training(optimizer=name, **further), None, parameters))  # type: ignore[arg-type]


def allocated(optimizer: torch.optim.Optimizer) -> int:
    """The most that a second step holds beside parameters and gradients, by the profiler's record of allocations."""
    optimizer.step()
    counted = [value for values in optimizer.state.values() for value in values.values() if isinstance(value, Tensor)]
    live = peak = size([tensor for tensor in counted if tensor.dim() or isinstance(optimizer, Adafactor)])
    gc.collect()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profiler:
        optimizer.step()
    assert profiler.profiler is not None
    events = [e for e in profiler.profiler.kineto_results.events() if e.name() == "[memory]"]
    for event in sorted(events, key=lambda e: e.start_ns()):
        live += event.nbytes()
        peak = max(peak, live)
    return peak


REAL: dict[str, Callable[[list[nn.Parameter]], torch.optim.Optimizer]] = {
    "adamw-loop": lambda p: AdamW(p, foreach=False),
    "adamw-foreach": lambda p: AdamW(p, foreach=True),
    "adamw-fused": lambda p: AdamW(p, fused=True),
    "sgd": lambda p: SGD(p, lr=1e-3),
    "adafactor": lambda p: Adafactor(p, lr=1e-3, scale_parameter=False, relative_step=False),
}


@pytest.mark.parametrize("device", ["meta", "cpu"])
@pytest.mark.parametrize("name", REAL)
def test_a_step_holds_what_the_allocator_does(name: str, device: str) -> None:
    parameters = held(SINGLE, device)
    found = traced(parameters, stepper(Training(optimizer=name), None, parameters))[1]  # type: ignore[arg-type]
    assert found == pytest.approx(allocated(REAL[name](held(SINGLE, "cpu"))), rel=1e-3)


def test_tensors_that_follow_others_like_some_before_are_not_stepped_and_hold_as_much() -> None:
    """What is made for one tensor is there until the next one's is made: which of them follow each other matters."""
    shapes = [(4, 4), (4, 4), (90, 90), (2,), (90, 90), (60, 70), (60, 70), (4, 4), (90, 90), (2,), (60, 70), (60, 70)]
    for order in (shapes, shapes[::-1], sorted(shapes), shapes * 3):
        parameters = [nn.Parameter(torch.empty(shape, device="meta")) for shape in order]
        for number, p in enumerate(parameters):
            p.grad = torch.empty_like(p) if number % 5 else None  # one of five is not reached by backward
        whole = AdamW(parameters, lr=0.0, weight_decay=0.0, foreach=False)
        assert traced(parameters, OneByOne(parameters)) == traced(parameters, whole)


def test_of_many_tensors_alike_few_are_stepped() -> None:
    parameters = [nn.Parameter(torch.empty(8, 8, device="meta")) for _ in range(50)]
    for p in parameters:
        p.grad = torch.empty_like(p)
    memory, optimizer = Memory(), OneByOne(parameters)
    memory.hold([*parameters, *(p.grad for p in parameters if p.grad is not None)])
    with memory:
        optimizer.step()
        with memory.phase("optimizer"):
            optimizer.step()
    assert len(memory.moments["optimizer"]) < 10


@pytest.mark.parametrize("master", [False, True])
@pytest.mark.parametrize("name", CHOICES["optimizer"])
def test_no_optimizer_moves_a_weight(name: str, master: bool) -> None:
    parameters = held(device="cpu")
    before = [p.detach().clone() for p in parameters]
    optimizer = stepper(Training(optimizer=name, master_weights=master), None, parameters)  # type: ignore[arg-type]
    optimizer.step()
    optimizer.step()
    assert all(torch.equal(p, was) for p, was in zip(parameters, before, strict=True))


def test_moments_are_of_each_parameters_own_width_where_torch_makes_them() -> None:
    everything = size(held())
    counters = 4 * len(SHAPES)
    assert step_of("adamw-fused") == (2 * everything + counters,) * 2
    assert step_of("adamw-loop")[0] == step_of("adamw-foreach")[0] == 2 * everything
    assert step_of("sgd") == (0, 0)


def test_foreach_makes_one_more_copy_of_all_parameters_and_the_loop_two_of_one() -> None:
    assert step_of("adamw-foreach")[1] == 2 * size(held()) + size(held())
    two_of_largest = 2 * max(p.nbytes for p in held())  # the root, and its quotient
    assert step_of("adamw-loop")[1] == pytest.approx(2 * size(held()) + two_of_largest, rel=1e-3)


def test_a_parameter_with_two_moments_in_16_bits_and_all_copied_at_once_takes_10_bytes() -> None:
    """Mistral-7B, full tuning in bfloat16 with weights and gradients: 10.002 bytes a parameter at the peak on an A100."""
    state, peak = step_of("adamw-foreach", (torch.bfloat16,) * len(SHAPES))
    parameters = held((torch.bfloat16,) * len(SHAPES))
    assert (peak + 2 * size(parameters)) / sum(p.numel() for p in parameters) == 10
    assert state == 2 * size(parameters)


def test_llama_3_2_3b_whole_steps_in_25_gib_or_30(catalog: Catalog) -> None:
    """Full tuning in bfloat16: 25.40 GiB with torch's loop and 29.92 with foreach, which is PyTorch's choice on CUDA."""
    for name, expected in (("adamw-loop", 25.40), ("adamw-foreach", 29.92)):
        instance = model_for(catalog.models["llama-3.2-3b"])
        parameters = list(instance.pretrained)
        for p in parameters:
            p.requires_grad_(True)
            p.grad = torch.empty_like(p)
        peak = traced(parameters, stepper(Training(optimizer=name), None, parameters))[1]  # type: ignore[arg-type]
        assert (peak + 2 * size(parameters)) / 2**30 == pytest.approx(expected, rel=2e-3)


def test_bitsandbytes_holds_moments_in_8_bits_or_in_32_whatever_the_parameters_type() -> None:
    sizes = [p.numel() for p in held()]
    large = [n for n in sizes if n >= 4096]
    small = [n for n in sizes if n < 4096]
    assert large
    assert small
    in_8_bits = sum(2 * (n + 4 * -(-n // 256)) for n in large) + sum(8 * n for n in small)
    assert step_of("adamw-8bit") == step_of("paged-adamw-8bit") == (in_8_bits, in_8_bits)
    assert step_of("paged-adamw") == (8 * sum(sizes), 8 * sum(sizes))
    assert step_of("lion") == (4 * sum(sizes), 4 * sum(sizes))


def test_moments_that_may_be_paged_are_those_of_large_tensors() -> None:
    large = sum(p.numel() for p in held() if p.numel() >= 100_000)
    assert 0 < large < sum(p.numel() for p in held())
    assert pageable_bytes(Training(optimizer="paged-adamw"), held()) == 8 * large
    assert pageable_bytes(Training(optimizer="paged-adamw-8bit"), held()) == 2 * large
    assert pageable_bytes(Training(optimizer="adamw-8bit"), held()) == 0


def test_master_weights_are_float32_copies_of_16_bit_parameters_alone() -> None:
    halves = sum(p.numel() for p in held() if p.dtype == torch.bfloat16)
    everything = sum(p.numel() for p in held())
    for name, moments in (("adamw-loop", 8), ("lion", 4), ("sgd", 0)):
        assert step_of(name, master_weights=True)[0] == moments * everything + 4 * halves
    assert step_of("sgd", master_weights=True)[1] == 8 * halves  # copies, and their gradients


def test_what_has_no_gradient_has_no_state() -> None:
    for name in CHOICES["optimizer"]:
        for master in (False, True):
            parameters = held()
            for p in parameters[1:]:
                p.grad = None
            training = Training(optimizer=name, master_weights=master)  # type: ignore[arg-type]
            alone = parameters[:1]
            copies = 4 * sum(p.numel() for p in parameters[1:] if p.dtype == torch.bfloat16) if master else 0
            assert (
                traced(parameters, stepper(training, None, parameters))[0]
                == copies + traced(alone, stepper(training, None, alone))[0]
            ), name


@pytest.mark.parametrize("master", [False, True])
def test_galore_holds_a_projection_and_small_moments(catalog: Catalog, master: bool) -> None:
    """As the optimizer of any stage, rank 128; and of a stage that has its own rule, by that."""
    full, own = (catalog.recipe(name).stages[-1] for name in ("full-tuning/all", "galore/all-linear-r4"))
    rule = own.optimizer
    assert rule is not None
    width = 4 if master else 2
    for stage, training, rank in (
        (full, Training(optimizer="galore", master_weights=master), 128),
        (own, Training(optimizer="sgd", master_weights=master), rule.rank),
    ):
        instance = model_for(backbone())
        with Attached(instance, stage) as attached:
            parameters = [p for p in instance.model.parameters() if p.requires_grad]
            for p in parameters:
                p.grad = torch.empty_like(p)
            state, peak = traced(parameters, stepper(training, attached, parameters))
            slots = [slot for slot in instance.slots if rule.where.matches(slot.place)]
            chosen = {id(slot.module.weight): slot.module.weight for slot in slots}
            projected = sum(rule.model_copy(update={"rank": rank}).state(tuple(w.shape)) for w in chosen.values())
            others = sum(2 * p.numel() for p in parameters if id(p) not in chosen)
            copies = 4 * sum(p.numel() for p in parameters) if master else 0
            assert master or peak - state <= 4 * max(w.nbytes for w in chosen.values())  # one matrix at a time
            assert state == width * (projected + others) + copies
