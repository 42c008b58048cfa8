"""Mixed precision as `torch.autocast` runs it on CUDA, on any device: float32 weights, products in bfloat16.

torch casts by kernels of its own for each kind of device, which stand before autograd, so that the narrow copies are what is
kept for backward; meta is not among these kinds. Here the same operators have the same kernels under a key that no device at
hand has. On meta, transformers does not leave autocast where it makes rotary positions, whose narrow copies live for a moment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.library import Library, fallthrough_kernel
from torch.utils._pytree import tree_leaves, tree_map_only

Cast = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Lists:
    """What autocast does on one kind of device, by names of operators without their overloads. All others that it
    registers run in float32."""

    like: str
    """torch's own dispatch key for the device, under which the operators are registered."""
    narrow: frozenset[str]
    """Run in bfloat16."""
    promoted: frozenset[str]
    """Run in the widest type of their arguments."""
    told: frozenset[str]
    """Run in float32 by their argument `dtype`, without a copy of what they read."""
    key: str = "AutocastPrivateUse1"
    """The key under which they are registered here."""


CUDA = Lists(
    "AutocastCUDA",
    narrow=frozenset({
        "_convolution", "conv1d", "conv2d", "conv3d", "conv_tbc", "conv_transpose1d", "conv_transpose2d",
        "conv_transpose3d", "convolution", "prelu", "addmm", "addmv", "addr", "matmul", "einsum", "mm", "mv",
        "linalg_vecdot", "linear", "addbmm", "baddbmm", "bmm", "chain_matmul", "linalg_multi_dot",
        "cudnn_convolution", "cudnn_convolution_transpose", "_thnn_fused_lstm_cell", "_thnn_fused_gru_cell",
        "lstm_cell", "gru_cell", "rnn_tanh_cell", "rnn_relu_cell", "_scaled_dot_product_flash_attention",
        "scaled_dot_product_attention",
    }),
    promoted=frozenset({
        "addcdiv", "addcmul", "atan2", "bilinear", "cross", "dot", "vdot", "grid_sampler", "index_put", "tensordot",
        "scatter_add",
    }),
    told=frozenset({
        "prod", "softmax", "log_softmax", "cumprod", "cumsum", "linalg_vector_norm", "linalg_matrix_norm", "sum",
        "norm",
    }),
)  # fmt: skip
"""Those of torch/include/ATen/autocast_mode.h."""
_WITH_DTYPE = {"norm.Scalar": "norm.ScalarOpt_dtype", "norm.ScalarOpt_dim": "norm.ScalarOpt_dim_dtype"}
"""Overloads that have no argument `dtype`, and those that have."""

_narrow_weights: dict[int, tuple[Tensor, Tensor]] = {}
"""Weights that are trained, and their narrow copies, by the weight's identity: made once in each forward pass."""
_depth = 0


@contextmanager
def autocast_as_on_cuda() -> Iterator[None]:
    """Let the forward pass within run as under `torch.autocast("cuda", torch.bfloat16)`; the backward pass is outside, and
    what is computed again in it is under a context of its own."""
    with autocast_by(CUDA):
        yield


@contextmanager
def outside_autocast() -> Iterator[None]:
    """Run as kernels do that autocast knows nothing of."""
    with torch._C._ExcludeDispatchKeyGuard(torch._C.DispatchKeySet(getattr(torch._C.DispatchKey, CUDA.key))):
        yield


@contextmanager
def autocast_by(lists: Lists) -> Iterator[None]:
    """The same with the lists of any device."""
    global _depth
    _registered(lists)
    key = getattr(torch._C.DispatchKey, lists.key)
    excluded = torch._C._dispatch_tls_is_dispatch_key_excluded(key)  # outside such a context it is
    _depth += 1
    try:
        with torch._C._IncludeDispatchKeyGuard(key):
            torch._C._dispatch_tls_set_dispatch_key_excluded(key, False)
            yield
    finally:
        torch._C._dispatch_tls_set_dispatch_key_excluded(key, excluded)
        _depth -= 1
        if not _depth:
            _narrow_weights.clear()


@cache
def _registered(lists: Lists) -> tuple[Library, ...]:
    others, own = (Library(of, "IMPL") for of in ("_", "aten"))  # type: ignore[no-untyped-call]
    others.fallback(fallthrough_kernel, lists.key)  # type: ignore[no-untyped-call]
    for name in _operators(lists):
        own.impl(name, _kernel(name, lists), lists.key)  # type: ignore[no-untyped-call]
    return others, own  # they hold the registrations


def _operators(lists: Lists) -> list[str]:
    """torch's own operators among those that autocast registers; other packages, such as torchvision, add theirs."""
    named = torch._C._dispatch_get_registrations_for_dispatch_key(lists.like)
    return [name.removeprefix("aten::") for name in named if name.startswith("aten::")]


def _kernel(name: str, lists: Lists) -> Callable[..., Any]:
    packet, _, overload = _WITH_DTYPE.get(name, name).partition(".")
    operator = getattr(getattr(torch.ops.aten, packet), overload or "default")
    names = [argument.name for argument in operator._schema.arguments]
    here = torch._C.DispatchKeySet(getattr(torch._C.DispatchKey, lists.key))

    def kernel(*args: Any, **kwargs: Any) -> Any:
        with torch._C._ExcludeDispatchKeyGuard(here):
            if packet in lists.told:
                given = {**dict(zip(names, args, strict=False)), **kwargs}
                if given.get("dtype") is None and _is_cast(args[0]):
                    given["dtype"] = torch.float32
                return operator(**given)
            if packet in lists.narrow:
                cast: Cast = _narrowed
            elif packet in lists.promoted:
                wide = any(isinstance(t, Tensor) and t.dtype == torch.float32 for t in tree_leaves((args, kwargs)))
                cast = _widened if wide else _narrowed
            else:
                cast = _widened
            args, kwargs = tree_map_only(Tensor, cast, (args, kwargs))
            return operator(*args, **kwargs)

    return kernel


def _is_cast(tensor: Tensor) -> bool:
    return tensor.is_floating_point() and tensor.dtype != torch.float64


def _widened(tensor: Tensor) -> Tensor:
    return tensor.to(torch.float32) if _is_cast(tensor) else tensor


def _narrowed(tensor: Tensor) -> Tensor:
    """In bfloat16; a weight that is trained is cast once, and the copy held until the forward pass ends."""
    if not _is_cast(tensor) or tensor.dtype == torch.bfloat16:
        return tensor
    if not (tensor.dtype == torch.float32 and tensor.requires_grad and tensor.is_leaf and not tensor._is_view()):
        return tensor.to(torch.bfloat16)
    if id(tensor) not in _narrow_weights:
        _narrow_weights[id(tensor)] = tensor, tensor.to(torch.bfloat16)
    return _narrow_weights[id(tensor)][1]
