"""What a model is told of the values of tensors that have none is what it would read with weights."""

from __future__ import annotations

import gc
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from surveykit.engine.trace.flops import FLOPS
from surveykit.engine.trace.meta_values import Values


class Known(TorchDispatchMode):  # type: ignore[no-untyped-call]
    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.values = Values()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return self.values.of_operator(func)(args, kwargs or {})

    def tell(self, values: Tensor) -> Tensor:
        return self.values.tell(torch.empty_like(values, device="meta"), values)


IDS = torch.tensor([[5, 0, 7, 7, 2], [3, 3, 3, 2, 0]])


def padding(ids: Tensor) -> Any:
    return bool((ids == 0).any())


def positions(ids: Tensor) -> Any:
    mask = ids.ne(0).int()
    return (torch.cumsum(mask, dim=1).type_as(mask) * mask).long().max().item()


def ends(ids: Tensor) -> Any:
    return [len(part) for part in ids[ids.eq(2).nonzero(as_tuple=True)].unsqueeze(0).split(1)]


def chosen(ids: Tensor) -> Any:
    return ids[ids > 2].shape


def written(ids: Tensor) -> Any:
    shifted = ids.new_zeros(ids.shape)
    shifted[:, 1:] = ids[:, :-1].clone()
    shifted[:, 0] = 9
    shifted.masked_fill_(shifted == 3, 1)
    return [int(shifted[row, column]) for row in range(2) for column in range(5)]


def distinct(ids: Tensor) -> Any:
    return torch.unique_consecutive(ids).shape


@pytest.mark.parametrize("read", [padding, positions, ends, chosen, written, distinct])
def test_what_is_read_of_token_ids_is_what_they_say(read: Any) -> None:
    with Known() as known:
        found = read(known.tell(IDS))
    assert found == read(IDS)


def test_what_weights_decide_is_not_known() -> None:
    weights = torch.empty(4, 71, device="meta")
    with Known() as known, pytest.raises(RuntimeError):
        (known.tell(IDS.float()[:, :4]) @ weights).argmax().sum().add(weights.sum()).item()


def test_what_was_known_is_forgotten_once_weights_are_written_into_it() -> None:
    with Known() as known:
        ids = known.tell(IDS.float())
        ids.add_(torch.empty(5, device="meta"))
        with pytest.raises(RuntimeError):
            ids.sum().item()


def test_a_router_chooses_each_expert_equally_often() -> None:
    """16 tokens, 2 of 8 experts each: each expert has 4 tokens."""
    scores = torch.empty(16, 8, device="meta")
    with Known():
        _, experts = scores.topk(2, dim=-1)
        tokens = [torch.where(experts == expert)[0].numel() for expert in range(8)]
    assert tokens == [4] * 8


@pytest.mark.parametrize(
    ("one", "other"),
    [((48, 8), (3, 8, 24)), ((24, 48), (48, 8)), ((3, 16, 8), (3, 8, 24)), ((3, 16, 8), (8, 48))],
    ids=["rows", "sums", "all", "columns"],
)
def test_the_product_of_experts_counts_as_their_products_one_by_one(
    one: tuple[int, ...], other: tuple[int, ...]
) -> None:
    """Three experts with 16 rows, columns, or terms each."""
    a, b = (torch.zeros(shape, dtype=torch.bfloat16, device="meta") for shape in (one, other))
    offs = None if len(one) == len(other) == 3 else torch.zeros(3, dtype=torch.int32, device="meta")
    lefts = a.unbind() if a.dim() == 3 else a.split(16, dim=0 if b.dim() == 3 else 1)
    rights = b.unbind() if b.dim() == 3 else b.split(16, dim=1 if a.dim() == 3 else 0)
    expected = sum(
        2 * left.shape[0] * left.shape[1] * right.shape[1] for left, right in zip(lefts, rights, strict=True)
    )
    grouped = torch.ops.aten._grouped_mm.default
    assert FLOPS.of(grouped, (a, b, offs), {}, grouped(a, b, offs)) == expected


def test_values_go_when_their_tensors_go() -> None:
    with Known() as known:
        ids = known.tell(IDS)
        mask = ids.ne(0)
        assert len(known.values._known) == 2
        del ids, mask
        gc.collect()
        assert not known.values._known
