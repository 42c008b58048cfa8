"""Norms, rotary positions and gated activations as fused kernels run them (Liger's and Unsloth's): what they allocate, and
what they keep for the backward pass.

- A norm keeps its input and one float32 number a row; the gradient of its input is written over that of its output.
- Rotary positions are written into query and key, and their gradients into those; cosine and sine are kept.
- A gated activation (`liger` alone) keeps gate and up, and not what the activation makes; gradients are written over them.

They are found by what modules are: what is built otherwise stays plain. torch's own LayerNorm keeps no more anyway.
Source: linkedin/Liger-Kernel, src/liger_kernel/ops (rms_norm, rope, swiglu, geglu); unslothai/unsloth, kernels, as
foundation-model-stack/fms-acceleration has them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from inspect import signature
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function

from surveykit.catalog.training import Training
from surveykit.engine.models.model import Instance
from surveykit.engine.models.roles import attends, is_norm
from surveykit.engine.trace.kernels import differentiate, in_registers, replaced, writable

_TORCHS_OWN = (nn.LayerNorm, nn.GroupNorm, nn.modules.batchnorm._NormBase)
_GATED = ("gate_proj", "up_proj", "down_proj", "act_fn")
_ROTARY = "apply_rotary_pos_emb"


@contextmanager
def fused_kernels(instance: Instance, training: Training) -> Iterator[None]:
    """Run norms, rotary positions and gated activations of a model as the kernels of a setting do."""
    if training.kernels == "plain":
        yield
        return
    modules = list(instance.model.modules())
    with ExitStack() as stack:
        for module in modules:
            if is_norm(module) and not isinstance(module, _TORCHS_OWN):
                stack.enter_context(replaced(module, "forward", _norm(module)))
            gated = training.kernels == "liger" and all(hasattr(module, name) for name in _GATED)
            if gated and isinstance(module.act_fn, nn.Module):
                stack.enter_context(replaced(module.act_fn, "forward", _activation(module.act_fn.forward)))
        homes = {_home(type(module)) for module in modules if attends(module)}
        for home in homes:
            rotate = getattr(sys.modules[home], _ROTARY, None)
            if rotate is not None and [*signature(rotate).parameters] == ["q", "k", "cos", "sin", "unsqueeze_dim"]:
                stack.enter_context(replaced(sys.modules[home], _ROTARY, _rotary(rotate)))
        yield


def _home(kind: type[nn.Module]) -> str:
    """The file of the class whose forward pass a class has."""
    return next(parent.__module__ for parent in kind.__mro__ if "forward" in vars(parent))


def _norm(module: nn.Module) -> Callable[..., Tensor]:
    plain = getattr(module.forward, "__func__", None)

    def forward(x: Tensor, *args: Any, **kwargs: Any) -> Any:
        if plain is None or args or kwargs:  # gated norms and the like
            return compute_plainly(x, *args, **kwargs)
        # Edited values stand beside the parameters, as plain attributes.
        beside = {name: value for name, value in vars(module).items() if isinstance(value, Tensor)}
        tensors = {name: value for name, value in module._parameters.items() if value is not None} | beside

        def compute(x: Tensor, *values: Tensor) -> Tensor:
            shell = object.__new__(type(module))
            shell.__dict__ = {**vars(module), "_parameters": {}, **dict(zip(tensors, values, strict=True))}
            found: Tensor = plain(shell, x)
            return found

        return _Norm.apply(compute, x, *tensors.values())  # type: ignore[no-untyped-call]

    compute_plainly = module.forward
    return forward


class _Norm(Function):
    @staticmethod
    def forward(ctx: Any, compute: Callable[..., Tensor], x: Tensor, *parameters: Tensor) -> Tensor:
        x = x.contiguous()
        with in_registers():
            y = compute(x, *parameters)
        statistic = torch.empty(x.shape[:-1], dtype=torch.float32, device=x.device)
        ctx.compute = compute
        ctx.save_for_backward(x, statistic, *parameters)
        return y.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, _, *parameters = ctx.saved_tensors
        needed = ctx.needs_input_grad[1:]
        found = differentiate(ctx.compute, [x, *parameters], needed, gradient)
        gradient = writable(gradient)
        first = gradient.copy_(found[0]) if found[0] is not None else None
        return None, first, *(None if one is None else one.clone() for one in found[1:])


def _rotary(rotate: Callable[..., tuple[Tensor, Tensor]]) -> Callable[..., tuple[Tensor, Tensor]]:
    def apply(q: Tensor, k: Tensor, cos: Tensor, sin: Tensor, unsqueeze_dim: int = 1) -> tuple[Tensor, Tensor]:
        found: tuple[Tensor, Tensor] = _Rotary.apply(rotate, unsqueeze_dim, q, k, cos, sin)  # type: ignore[no-untyped-call]
        return found

    return apply


class _Rotary(Function):
    @staticmethod
    def forward(
        ctx: Any, rotate: Callable[..., Any], heads: int, q: Tensor, k: Tensor, cos: Tensor, sin: Tensor
    ) -> tuple[Tensor, Tensor]:
        q, k = (_by_position(tensor, heads) for tensor in (q, k))
        with in_registers():
            for tensor, turned in zip((q, k), rotate(q, k, cos, sin, heads), strict=True):
                tensor.copy_(turned)
        ctx.rotate, ctx.heads = rotate, heads
        ctx.save_for_backward(cos, sin)
        return q, k

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        cos, sin = ctx.saved_tensors
        found = differentiate(
            lambda q, k: ctx.rotate(q, k, cos, sin, ctx.heads), gradients, (True, True), *gradients
        )  # linear in query and key, so that their values do not matter
        turned = []
        for gradient, one in zip(gradients, found, strict=True):
            into = _by_position(gradient, ctx.heads)
            assert one is not None
            turned.append(into.copy_(one))
        return None, None, *turned, None, None


def _by_position(tensor: Tensor, heads: int) -> Tensor:
    """Query or key in memory by batch, position, head, as a matrix makes it; a copy where it lies otherwise."""
    return tensor.transpose(1, 2).contiguous().transpose(1, 2) if heads == 1 else tensor.contiguous()


def _activation(activate: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Any]:
    return lambda gate: _Activation(activate, gate)


class _Activation:
    """An activation that is yet to be computed: a kernel does it together with the product."""

    def __init__(self, activate: Callable[[Tensor], Tensor], gate: Tensor) -> None:
        self._activate, self._gate = activate, gate

    def __mul__(self, up: Any) -> Any:
        if isinstance(up, Tensor) and up.shape == self._gate.shape:
            return _Gated.apply(self._activate, self._gate, up)  # type: ignore[no-untyped-call]
        return self._activate(self._gate) * up

    __rmul__ = __mul__

    def __getattr__(self, name: str) -> Any:
        return getattr(self._activate(self._gate), name)

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        if func in (Tensor.mul, Tensor.__mul__, torch.mul) and not isinstance(args[0], cls):
            return args[1] * args[0]
        made = (one._activate(one._gate) if isinstance(one, cls) else one for one in args)
        return func(*made, **(kwargs or {}))


class _Gated(Function):
    @staticmethod
    def forward(ctx: Any, activate: Callable[[Tensor], Tensor], gate: Tensor, up: Tensor) -> Tensor:
        gate, up = gate.contiguous(), up.contiguous()
        with in_registers():
            product = activate(gate) * up
        ctx.activate = activate
        ctx.save_for_backward(gate, up)
        return product.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        kept = ctx.saved_tensors
        activate = ctx.activate
        found = differentiate(lambda gate, up: activate(gate) * up, kept, ctx.needs_input_grad[1:], gradient)
        return None, *(
            None if one is None else tensor.detach().copy_(one) for tensor, one in zip(kept, found, strict=True)
        )
