"""Mixed precision without the device: dtypes, values and kept tensors are those of torch's own autocast."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from small_models import CONFIGS
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from traced import NOTHING

from surveykit.catalog.training import Training
from surveykit.engine.models.model import Instance, blueprint_of, instance_of
from surveykit.engine.trace.autocast import CUDA, Lists, _operators, autocast_as_on_cuda, autocast_by
from surveykit.engine.trace.costs import Costs
from surveykit.engine.trace.memory import Memory

CPU = Lists(
    "AutocastCPU",
    narrow=frozenset({
        "conv1d", "conv2d", "conv3d", "conv_tbc", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d",
        "_convolution", "bmm", "mm", "linalg_vecdot", "baddbmm", "addmm", "_addmm_activation", "addbmm", "linear",
        "matmul", "mkldnn_rnn_layer", "prelu", "scaled_dot_product_attention", "_native_multi_head_attention",
    }),
    promoted=frozenset({
        "stack", "cat", "index_copy",
    }),
    told=frozenset(),
    key="AutocastIPU",
)  # fmt: skip
"""torch's for the CPU (aten/src/ATen/autocast_mode.cpp), under a key that no device here has."""


@pytest.fixture(autouse=True)
def nothing_stays() -> Iterator[None]:
    yield
    linear = torch.nn.Linear(3, 3)
    assert linear(torch.ones(1, 3)).dtype == torch.float32


@contextmanager
def keeping(kept: list[tuple[Any, ...]]) -> Iterator[None]:
    """Tell what autograd keeps for the backward pass, in order."""

    def pack(tensor: Tensor) -> Tensor:
        kept.append((tuple(tensor.shape), tensor.dtype))
        return tensor

    with saved_tensors_hooks(pack, lambda tensor: tensor):
        yield


Step = tuple[Tensor, list[tuple[Any, ...]], list[Tensor]]


def step(instance: Instance, under: AbstractContextManager[Any], frozen: bool = False) -> Step:
    """Loss, what is kept, and gradients."""
    model, device = instance.model.eval(), instance.model.device
    ids = torch.arange(1, 25, device=device).reshape(2, 12)
    kept: list[tuple[Any, ...]] = []
    model.requires_grad_(True)
    for parameter in list(model.parameters())[::2]:
        parameter.requires_grad_(not frozen)
    with keeping(kept), under:
        loss = instance.loss({"input_ids": ids, "labels": ids})
    loss.backward()
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    model.zero_grad()
    return loss, kept, gradients


@pytest.mark.sampled("family", "attention", "frozen")
@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("family", ["t5", "t5-v1.1", "gpt2", "llama", "llama-tied", "bart", "gpt_neox", "opt"])
def test_it_is_torchs_own_autocast_on_the_cpu(family: str, attention: str, frozen: bool) -> None:
    instance = instance_of(CONFIGS[family](), device="cpu", seed=1)
    instance.model.set_attn_implementation(attention)
    loss, kept, gradients = step(instance, autocast_by(CPU), frozen)
    expected, theirs, right = step(instance, torch.autocast("cpu", torch.bfloat16), frozen)
    assert kept == theirs
    assert {dtype for _, dtype in kept} >= {torch.bfloat16, torch.float32}
    assert loss.dtype == expected.dtype
    if family in ("llama", "llama-tied", "gpt_neox"):  # transformers leaves autocast where it makes rotary positions
        torch.testing.assert_close(loss, expected, rtol=1e-3, atol=0)
    else:
        assert torch.equal(loss, expected)
        assert all(torch.equal(ours, other) for ours, other in zip(gradients, right, strict=True))


@pytest.mark.parametrize("family", ["t5", "gpt2", "llama", "bart"])
def test_meta_keeps_what_the_cpu_keeps(family: str) -> None:
    kept = []
    for device in ("cpu", "meta"):
        instance = instance_of(CONFIGS[family](), device=device)
        instance.model.set_attn_implementation("eager")
        with Memory():  # which gives meta the values that a model asks for
            kept.append(step(instance, autocast_as_on_cuda())[1])
    assert kept[0] == kept[1]
    assert {dtype for _, dtype in kept[0]} >= {torch.bfloat16, torch.float32}


def test_the_lists_are_torchs_own() -> None:
    header = (Path(torch.__file__).parent / "include/ATen/autocast_mode.h").read_text(encoding="utf-8")

    def names(macro: str) -> set[str]:
        (body,) = re.findall(rf"#define {macro}\(_\)((?:.*\\\n)*.*)", header)
        return set(re.findall(r'_\((?:ADD_NS\()?"?(\w+)', body))

    assert names("AT_FORALL_PROMOTE") == CUDA.promoted
    assert names("AT_FORALL_LOWER_PRECISION_FP") == {n for n in CUDA.narrow if not n.startswith("cudnn_")}
    assert names("AT_FORALL_FP32_SET_OPT_DTYPE") | names("AT_FORALL_DIFFERENT_REDISPATCH_SIGNATURE") == CUDA.told


def test_operators_that_other_packages_give_autocast_are_left_out() -> None:
    """As torchvision does: torch lists them with its own, under names that are not in its namespace."""
    with torch.library._scoped_library("surveykit_elsewhere", "FRAGMENT") as theirs:
        theirs.define("pooled(Tensor x) -> Tensor")
        theirs.impl("pooled", lambda x: x, CUDA.like)
        named = torch._C._dispatch_get_registrations_for_dispatch_key(CUDA.like)
        assert "surveykit_elsewhere::pooled" in named
        found = _operators(CUDA)
    assert "linear" in found
    assert not [name for name in found if "::" in name]


def test_a_weight_that_is_trained_is_cast_once_in_a_forward_pass() -> None:
    memory, x = Memory(), torch.zeros(5, 64, device="meta")
    for trained, casts in ((True, 1), (False, 2)):
        weight = torch.zeros(64, 64, device="meta", requires_grad=trained)
        x.requires_grad_(not trained)
        memory = Memory()
        with memory, memory.phase("forward"), autocast_as_on_cuda():
            kept = [x @ weight, x @ weight]
            moments = memory.moments["forward"]
            assert sum(after[0] - before[0] == 64 * 64 * 2 for before, after in pairwise(moments)) == casts
        assert all(y.dtype == torch.bfloat16 for y in kept)


def test_types_of_results() -> None:
    x, y = torch.ones(2, 4, 4), torch.ones(2, 4, 4, dtype=torch.bfloat16)
    with autocast_as_on_cuda():
        assert (x @ x).dtype == torch.einsum("bij,bjk->bik", x, x).dtype == torch.bfloat16
        for wide in (y.softmax(-1), y.exp(), y**2, y.sum(), y.norm(), y.norm(dim=1), y.cumsum(0), y.rsqrt()):
            assert wide.dtype == torch.float32
        assert y.sum(dtype=torch.bfloat16).dtype == torch.bfloat16
        assert torch.addcmul(x, y, y).dtype == torch.float32
        assert torch.addcmul(y, y, y).dtype == torch.bfloat16
        assert (y + y).dtype == torch.bfloat16
        assert (x.double() @ x.double()).dtype == torch.float64
        assert (x.long() @ x.long()).dtype == torch.int64


@pytest.mark.parametrize("family", ["llama", "t5", "gpt2"])
def test_a_step_under_autocast(family: str) -> None:
    costs, everything = (
        Costs(blueprint_of(CONFIGS[family](), name=family)),
        NOTHING.model_copy(update={"train_everything": True}),
    )
    plain = Training(dtype="float32")
    mixed = plain.model_copy(update={"autocast": True})
    low, wide, narrow = (
        costs.training(everything, 4, 64, training=training) for training in (Training(), plain, mixed)
    )
    assert narrow.memory.weights == wide.memory.weights == 2 * low.memory.weights
    assert low.memory.saved < narrow.memory.saved < wide.memory.saved
    assert narrow.forward_flops == wide.forward_flops
    again = costs.training(everything, 4, 64, training=mixed.model_copy(update={"checkpointing": "full"}))
    assert again.memory.saved < narrow.memory.saved
    assert again.memory.gradients == narrow.memory.gradients == wide.memory.gradients
