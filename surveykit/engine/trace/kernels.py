"""What a fused kernel does to memory: it allocates its results, and the steps between them stay in registers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes

from surveykit.engine.trace.accumulation import references


def in_registers() -> AbstractContextManager[Any]:
    """Within, no trace sees what is allocated."""
    within: AbstractContextManager[Any] = _disable_current_modes()
    return within


def differentiate(
    compute: Callable[..., Any], inputs: Sequence[Tensor], needed: Sequence[bool], *gradients: Tensor
) -> list[Tensor | None]:
    """Gradients of the inputs that need one, from those of what `compute` makes of them, out of a trace's sight. On meta,
    where there is nothing to compute, the inputs stand in for them."""
    if inputs[0].is_meta:
        return [tensor if need else None for tensor, need in zip(inputs, needed, strict=True)]
    with in_registers(), torch.enable_grad():
        read = [tensor.detach().requires_grad_(need) for tensor, need in zip(inputs, needed, strict=True)]
        made = compute(*read)
        found = iter(torch.autograd.grad(made, [tensor for tensor in read if tensor.requires_grad], gradients or None))
    return [next(found) if need else None for need in needed]


def writable(gradient: Tensor) -> Tensor:
    """A gradient that arrived, in contiguous memory that a kernel may write its own into: a copy where others read it."""
    if not gradient.is_contiguous():
        return gradient.contiguous()
    return gradient if references(gradient) == _sole_gradient() else gradient.clone()


class _Tracked(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Gives each storage a Python object, as a trace does: it counts as a reference."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        if isinstance(out, Tensor):
            out.untyped_storage()
        return out


@cache
def _sole_gradient() -> tuple[int, int]:
    """What `references` says of a gradient that a function's backward alone holds."""
    found: list[tuple[int, int]] = []

    class Probe(Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            return x.clone()

        @staticmethod
        def backward(ctx: Any, gradient: Tensor) -> Tensor:
            found.append(references(gradient))
            return gradient

    with in_registers(), torch.enable_grad(), _Tracked():  # type: ignore[no-untyped-call]
        x = torch.ones(2, requires_grad=True)
        (Probe.apply(x) * 2).sum().backward()  # type: ignore[no-untyped-call]
    return found[0]


@contextmanager
def replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    """Let an attribute have another value; it is an attribute of the owner itself before and after only if it was one."""
    own, before = name in vars(owner), vars(owner).get(name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        if own:
            setattr(owner, name, before)
        else:
            delattr(owner, name)
