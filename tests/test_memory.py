"""The allocator's model on a few operators whose memory one can count by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from surveykit.engine.trace.memory import Memory, Moment, highest
from surveykit.engine.trace.step import dropout_as_on_cuda


@pytest.mark.parametrize("device", ["meta", "cpu"])
def test_dropout_mask_by_hand(device: str) -> None:
    x = torch.ones(8, 16, device=device, requires_grad=True)
    memory = Memory()
    memory.hold([x])
    with memory, dropout_as_on_cuda(), memory.phase("forward"), memory.watch_saved():
        y = nn.Dropout(0.5)(x)
    assert memory.saved == (1, 128)
    assert memory.current == 512 + 512 + 128
    del y
    assert memory.current == 512


@pytest.mark.parametrize("device", ["meta", "cpu"])
def test_shared_storages_count_once(device: str) -> None:
    weight = torch.ones(10, 10, dtype=torch.bfloat16, device=device, requires_grad=True)
    memory = Memory()
    assert memory.hold([weight, weight, weight.t(), weight[2:]]) == 200
    with memory, memory.phase("work"), memory.watch_saved():
        x = torch.ones(10, 10, dtype=torch.bfloat16, device=device)
        product = (x @ weight).exp()  # saves x and its own output
        other = product.view(100) * product.t().reshape(-1).view(100)  # one storage through a view, one copy
        wide = product.float()
    saved_tensors, saved = memory.saved
    # x, product and the transposed copy; the weight is kept anyway
    assert (saved_tensors, saved) == (3, 600)
    assert memory.current == 200 + 600 + 200 + 400
    del product, other, wide, x
    assert memory.current == 200


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
    assert [moment.total // x.nbytes for moment in memory.moments["backward"]] == [1, 1, 2, 3, 3, 4, 3, 4, 3]
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
    totals = {name: [moment.total for moment in moments] for name, moments in memory.moments.items()}
    assert totals == {"first": [0, 128, 256], "second": [128, 384]}
    assert highest(memory.moments["second"]).total == 384
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
    assert [moment.total for moment in memory.moments["work"]] == [0, 96, 192, 384, 384]


def test_each_live_byte_is_of_one_kind() -> None:
    weight = torch.empty(4, 8, device="meta", requires_grad=True)
    memory = Memory(vocabulary=4)
    memory.hold([weight])
    with memory:
        with memory.phase("forward"):
            kept = torch.empty(2, 8, device="meta")
            logits = kept @ weight.t()
        memory.keep()
        with memory.phase("backward"):
            weight.grad = torch.empty(4, 8, device="meta")
            memory.mark_gradient(weight.grad)
            passing = kept * 2
    assert memory.moments["backward"][-1] == Moment(128 + 64 + 32 + 128 + 64, gradients=128, logits=32, activations=64)
    with memory, memory.phase("moved"):
        memory.move(kept, to_host=True)
        assert memory.current == 128 + 32 + 128 + 64
        memory.move(kept, to_host=True)
        memory.move(kept, to_host=False)
    assert memory.moments["moved"][-1].activations == 64
    del passing, logits
    assert memory.current == 128 + 64 + 128
