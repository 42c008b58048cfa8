"""The allocator's model on a few operators whose memory one can count by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from surveykit.engine.trace.memory import Bytes, Memory
from surveykit.engine.trace.step import dropout_as_on_cuda


@pytest.mark.parametrize("device", ["meta", "cpu"])
def test_dropout_mask_by_hand(device: str) -> None:
    x = torch.ones(8, 16, device=device, requires_grad=True)
    memory = Memory()
    memory.hold([x])
    with memory, dropout_as_on_cuda(), memory.phase("forward"), memory.watch_saved():
        y = nn.Dropout(0.5)(x)
    assert memory.saved == (1, Bytes(128, 128))
    assert memory.current == Bytes(512 + 512 + 128, 512 + 512 + 128)
    del y
    assert memory.current == Bytes(512, 512)


@pytest.mark.parametrize("device", ["meta", "cpu"])
def test_shared_storages_count_once(device: str) -> None:
    weight = torch.ones(10, 10, dtype=torch.bfloat16, device=device, requires_grad=True)
    memory = Memory()
    assert memory.hold([weight, weight, weight.t(), weight[2:]]) == Bytes(200, 400)
    with memory, memory.phase("work"), memory.watch_saved():
        x = torch.ones(10, 10, dtype=torch.bfloat16, device=device)
        product = (x @ weight).exp()  # saves x and its own output
        other = product.view(100) * product.t().reshape(-1).view(100)  # one storage through a view, one copy
        wide = product.float()
    saved_tensors, saved = memory.saved
    # x, product and the transposed copy; the weight is kept anyway
    assert (saved_tensors, saved) == (3, Bytes(600, 1200))
    # the cast holds 400 bytes of its own here, and nothing where everything has 4 bytes
    assert memory.current == Bytes(200 + 600 + 200 + 400, 400 + 1200 + 400)
    del product, other, wide, x
    assert memory.current == Bytes(200, 400)


@pytest.mark.parametrize("device", ["meta", "cpu"])
def test_gradients_of_several_uses_are_summed_in_place(device: str) -> None:
    """As autograd does it outside of a dispatch mode; out of place there would be a further 4 after each of two."""
    x = torch.ones(100, device=device, requires_grad=True)
    memory = Memory()
    memory.hold([x])
    with memory:
        y = x * 1
        z = ((y * 2) * 3 + (y * 5) * 2 + (y * 7) * 2).sum()
        del y
        with memory.phase("backward"):
            z.backward()  # type: ignore[no-untyped-call]
    assert [native // x.nbytes for native, _ in memory.moments["backward"]] == [1, 1, 2, 3, 3, 4, 3, 4, 3]
    assert x.grad is not None
    if device == "cpu":
        assert torch.equal(x.grad, torch.full((100,), 30.0))


def test_peak_and_flops_by_hand() -> None:
    memory = Memory()
    with memory:
        with memory.phase("first"):
            a = torch.empty(4, 8, device="meta")
            b = torch.empty(8, 4, device="meta")
            del a
        with memory.phase("second"):
            c = b @ b.t()
            c.add_(1.0).view(64)
    assert memory.moments == {"first": [(0, 0), (128, 128), (256, 256)], "second": [(128, 128), (384, 384)]}
    assert Bytes.highest(*memory.moments.values()) == Bytes(384, 384)
    assert memory.flops == {"second": 2 * 8 * 4 * 8}


def test_a_repeated_operator_on_meta_makes_new_tensors_of_the_same_layout() -> None:
    x = torch.empty(4, 6, device="meta").t()
    memory = Memory()
    with memory, memory.phase("work"):
        first, again = x.exp(), x.exp()
        wide = x.to(torch.float64)
        viewed = torch.ops.aten._unsafe_view.default(first.t(), [24])
    assert first.stride() == again.stride() == torch.empty(4, 6).t().exp().stride()
    assert first.untyped_storage()._cdata != again.untyped_storage()._cdata
    assert wide.dtype is torch.float64
    assert viewed.untyped_storage()._cdata == first.untyped_storage()._cdata
    assert [native for native, _ in memory.moments["work"]] == [0, 96, 192, 384, 384]
