"""Sums of gradients, as autograd makes them when nobody looks.

Where a tensor has several uses, autograd adds the gradients of all. It adds into the first if it holds the last
reference to it, but never while a dispatch mode is active, nor on meta (`can_accumulate_inplace` and
`isTensorSubclassLike` in PyTorch): a trace would see a further tensor at each residual sum. So a trace takes that
decision itself, by the same rule.
"""

from __future__ import annotations

import weakref
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

SUM = torch.ops.aten.add.Tensor


def references(tensor: Tensor) -> tuple[int, int]:
    """How many references there are to a tensor, and to its storage, this call's own among them."""
    storage = tensor.untyped_storage()
    count: int = torch._C._storage_Use_Count(storage._cdata)
    own: int = tensor._use_count()  # type: ignore[attr-defined]
    return own, count


class _Probe(TorchDispatchMode):  # type: ignore[no-untyped-call]
    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.found: list[tuple[int, int]] = []
        self.watched: list[Any] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func is SUM:
            self.found.append(references(args[0]))
        out = func(*args, **(kwargs or {}))
        # As in a trace: a storage that was looked at once has a Python object from then on.
        self.watched.append(weakref.ref(out.untyped_storage()))
        return out


@cache
def sole_reference() -> tuple[int, int]:
    """What `references` says in a dispatch mode of a gradient that autograd alone holds: the mode's own, in effect."""
    probe = _Probe()
    with probe, torch.enable_grad():
        x = torch.ones(2, requires_grad=True)
        middle = x * 1
        (middle.sin() * middle.cos()).sum().backward()  # type: ignore[no-untyped-call]
    assert len(probe.found) == 1, "autograd sums gradients in another way than this module expects"
    return probe.found[0]


def adds_in_place(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether autograd, without a dispatch mode, would write this sum (`SUM`) into its first argument.

    Within backward the derivatives of the operators in use make no sums of their own, so a sum is autograd's.
    """
    if kwargs or torch._C._current_graph_task_id() == -1 or torch.is_grad_enabled():
        return False
    into, other = args
    if not isinstance(other, Tensor) or into.shape != other.shape or into.dtype != other.dtype:
        return False
    dense: bool = into.untyped_storage().nbytes() == into.nbytes
    return dense and references(into) == sole_reference()
