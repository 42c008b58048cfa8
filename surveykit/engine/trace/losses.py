"""Cross entropy over a vocabulary as fused kernels run it: with the output layer in pieces, or in place.

- In pieces (`loss: chunked`), as Liger's fused linear cross entropy: rows of hidden states are cut into chunks, whose
  number is about vocabulary / width; the logits of one chunk are there at a time, in the model's precision, and become
  their own gradient at once. The forward pass keeps the gradient of the hidden states, and of the output matrix where it
  is trained; the backward pass only scales them.
  Source: linkedin/Liger-Kernel, src/liger_kernel/ops/fused_linear_cross_entropy.py.
- In place (`loss: plain`, other `kernels` than `plain`): all logits are kept in the model's precision with two float32 numbers a row,
  and the backward pass writes their gradient over them. Source: unslothai/unsloth, kernels/cross_entropy_loss.py.

While either is on, the output layer hands on logits that are not made yet. They take part in what models do to logits on
the way to their loss (casts, other shapes, scaling, soft caps); what else asks for their numbers gets them made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from math import ceil
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.nn import functional

from surveykit.catalog.training import Training
from surveykit.engine.models.model import Instance
from surveykit.engine.trace.kernels import differentiate, in_registers, replaced
from surveykit.errors import SettingError

_UNCHANGING = frozenset({"float", "to", "contiguous"})
"""Methods that make no difference here: kernels compute in float32 whatever the precision of logits."""
_ONE_BY_ONE = frozenset({"add", "__add__", "__radd__", "mul", "__mul__", "__rmul__", "div", "__truediv__", "tanh"})
"""Operators that take each logit alone, with a number or with one for each token of the vocabulary."""
_TOLD = frozenset({"__get__", "size", "dim", "is_floating_point"})
"""What logits tell without being made; `__get__` is that of properties such as `shape`."""
Cap = Callable[[Tensor], Tensor]
Summed = Callable[[Tensor, Tensor], Tensor]
"""The sum of the losses of rows, from logits as the output layer makes them and targets."""
_plain_cross_entropy = functional.cross_entropy


@contextmanager
def loss_as(instance: Instance, training: Training) -> Iterator[None]:
    """Let a model make its loss as the setting says; nothing changes where it is plain, and kernels are too.

    Raises:
        SettingError: the loss is to be made in pieces, and this model makes none of the kind.
    """
    chunked = training.loss == "chunked"
    if not chunked and training.kernels == "plain":
        yield
        return
    made: list[bool] = []

    def cross_entropy(input: Tensor, target: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        if not isinstance(input, UnmadeLogits):
            return _plain_cross_entropy(input, target, *args, **kwargs)
        loss = input.loss(target, *args, chunked=chunked, **kwargs)
        if loss is None:
            return _plain_cross_entropy(input.made().float(), target, *args, **kwargs)
        made.append(True)
        return loss

    output = instance.model.get_output_embeddings()
    with ExitStack() as stack:
        for layer in output.modules() if output is not None else ():
            if isinstance(layer, nn.Linear):
                stack.enter_context(replaced(layer, "forward", _head(layer)))
        stack.enter_context(replaced(functional, "cross_entropy", cross_entropy))
        yield
    if chunked and not made:
        why = f"in {type(instance.model).__name__}, no cross entropy is taken straight from what the output layer gives"
        raise SettingError(f"{instance.name}: the loss cannot be made in pieces ({why}): take --loss plain")


def _head(layer: nn.Linear) -> Callable[[Tensor], Tensor]:
    return lambda hidden: UnmadeLogits.of(hidden, layer.weight, layer.bias)


class UnmadeLogits(Tensor):
    """Logits that are not made yet, (…, vocabulary): hidden states, the output layer, and what comes after it."""

    hidden: Tensor
    weight: Tensor
    bias: Tensor | None
    after: tuple[Cap, ...]

    @classmethod
    def of(cls, hidden: Tensor, weight: Tensor, bias: Tensor | None, after: tuple[Cap, ...] = ()) -> Self:
        shape = (*hidden.shape[:-1], weight.shape[0])
        logits: Self = Tensor._make_wrapper_subclass(cls, shape, dtype=hidden.dtype, device=hidden.device)
        logits.hidden, logits.weight, logits.bias, logits.after = hidden, weight, bias, after
        return logits

    def capped(self, logits: Tensor) -> Tensor:
        """What the model makes of logits of some rows."""
        for one in self.after:
            logits = one(logits)
        return logits

    def made(self) -> Tensor:
        return self.capped(functional.linear(self.hidden, self.weight, self.bias))

    def loss(
        self, target: Tensor, weight: Tensor | None = None, size_average: None = None, ignore_index: int = -100,
        reduce: None = None, reduction: str = "mean", label_smoothing: float = 0.0, *, chunked: bool,
    ) -> Tensor | None:  # fmt: skip
        """Their cross entropy with (rows,) targets, as `functional.cross_entropy`; None for one that kernels do not have."""
        if weight is not None or reduction == "none" or self.dim() != 2:
            return None

        def summed(logits: Tensor, target: Tensor) -> Tensor:
            return _plain_cross_entropy(
                self.capped(logits.float()),
                target,
                ignore_index=ignore_index,
                reduction="sum",
                label_smoothing=label_smoothing,
            )

        if chunked:
            loss: Tensor = _Chunked.apply(summed, self.hidden, self.weight, self.bias, target)  # type: ignore[no-untyped-call]
        else:
            logits = functional.linear(self.hidden, self.weight, self.bias)
            loss = _InPlace.apply(summed, logits, target)  # type: ignore[no-untyped-call]
        return loss / (target != ignore_index).sum() if reduction == "mean" else loss

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        if func is _plain_cross_entropy:
            return functional.cross_entropy(*args, **(kwargs or {}))
        name = func.__name__
        if name in _TOLD:
            return super().__torch_function__(func, types, args, kwargs)  # type: ignore[no-untyped-call]
        logits, *further = args
        if isinstance(logits, cls) and not kwargs:
            if name in _UNCHANGING:
                return logits
            if name in _ONE_BY_ONE and all(logits._is_constant(one) for one in further):
                return logits._with(logits.hidden, (*logits.after, lambda one: func(one, *further)))
            if name in ("view", "reshape") and further[-1] == logits.shape[-1]:
                return logits._with(logits.hidden.reshape(*further[:-1], logits.hidden.shape[-1]), logits.after)
            if name == "__getitem__" and _of_rows(further[0], logits.dim()):
                return logits._with(logits.hidden[further[0]], logits.after)
        return func(*(one.made() if isinstance(one, cls) else one for one in args), **(kwargs or {}))

    @classmethod
    def __torch_dispatch__(cls, func: Any, *_: Any, **__: Any) -> Any:  # type: ignore[override]
        raise NotImplementedError(f"{func} on logits that are not made")  # below autograd it is too late to make them

    def _is_constant(self, value: Any) -> bool:
        if isinstance(value, Tensor):
            return not value.requires_grad and value.numel() in (1, len(self.weight))
        return isinstance(value, int | float)

    def _with(self, hidden: Tensor, after: tuple[Cap, ...]) -> Self:
        return self.of(hidden, self.weight, self.bias, after)


def _of_rows(index: Any, dimensions: int) -> bool:
    """Whether an index takes whole rows."""
    if isinstance(index, tuple):
        return (
            index[-1] == slice(None) if Ellipsis in index[:1] else len(index) < dimensions or index[-1] == slice(None)
        )
    return isinstance(index, slice | int) or (isinstance(index, Tensor) and index.dim() < dimensions)


def _losses(summed: Summed, logits: Tensor, target: Tensor) -> Tensor:
    """Losses of rows, (rows,) in float32; their sum is in the first."""
    losses = torch.zeros(len(logits), dtype=torch.float32, device=logits.device)
    if not logits.is_meta:
        with in_registers():
            losses[0] = summed(logits, target)
    return losses


class _Chunked(Function):
    @staticmethod
    def forward(
        ctx: Any, summed: Summed, hidden: Tensor, weight: Tensor, bias: Tensor | None, target: Tensor
    ) -> Tensor:
        rows, width = hidden.shape
        chunk = min(rows, 1 << (ceil(rows / ceil(len(weight) / width)) - 1).bit_length())
        of_hidden, of_weight, of_bias = gradients = [
            torch.zeros_like(tensor) if tensor is not None and needed else None
            for tensor, needed in zip((hidden, weight, bias), ctx.needs_input_grad[1:4], strict=True)
        ]
        total = torch.zeros((), dtype=torch.float32, device=hidden.device)
        for start in range(0, rows, chunk):
            some, aim = hidden[start : start + chunk], target[start : start + chunk]
            logits = functional.linear(some, weight, bias)
            total += _losses(summed, logits, aim).sum()
            (found,) = differentiate(lambda made, aim=aim: summed(made, aim), [logits], [True])
            assert found is not None
            logits.copy_(found)
            if of_hidden is not None:
                of_hidden[start : start + chunk] = logits @ weight
            if of_weight is not None and of_weight.dtype == logits.dtype:
                torch.addmm(of_weight, logits.T, some.to(logits.dtype), out=of_weight)
            elif of_weight is not None:
                of_weight += logits.T @ some.to(logits.dtype)
            if of_bias is not None:
                of_bias += logits.sum(0)
            del logits, found  # before those of the next chunk are made
        ctx.save_for_backward(*gradients)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        scaled = [None if one is None else one.detach().mul_(gradient) for one in ctx.saved_tensors]
        return None, *scaled, None


class _InPlace(Function):
    @staticmethod
    def forward(ctx: Any, summed: Summed, logits: Tensor, target: Tensor) -> Tensor:
        ctx.summed = summed
        ctx.save_for_backward(logits, torch.empty(len(logits), dtype=torch.float32, device=logits.device), target)
        return _losses(summed, logits, target).sum()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        logits, _, target = ctx.saved_tensors
        (found,) = differentiate(lambda made: ctx.summed(made, target), [logits], [True], gradient)
        return None, logits.detach().copy_(found), None
