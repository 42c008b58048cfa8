"""What layers read and which gradients their weights have on a few examples, for edits that start from data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from surveykit.engine.edits.hooks import Placed
from surveykit.engine.edits.tensors import Part

Sample = Callable[[], Iterable[Tensor]]
"""Runs the model on examples, one after another, and gives the loss of each."""


@contextmanager
def gathered(placed: Sequence[Placed], sample: Sample | None) -> Iterator[None]:
    """Parts have within what their edits read of a sample; nothing where there is none, or no edit reads any.

    All of it is held at once, so the sample has to be small.
    """
    reading = [one for one in placed if one.edit.reads is not None] if sample is not None else []
    by_gradient = {id(one.part.stored): one.part.stored for one in reading if one.edit.reads == "gradient"}
    handles = [
        one.slot.module.register_forward_pre_hook(_reader(one.part)) for one in reading if one.edit.reads == "inputs"
    ]
    try:
        if reading and sample is not None:
            _run(sample, list(by_gradient.values()))
        for one in reading:
            if one.edit.reads == "gradient" and one.part.stored.grad is not None:
                one.part.set_aside("gradient", one.part.seen(one.part.stored.grad))
    finally:
        for handle in handles:
            handle.remove()
        for weight in by_gradient.values():
            weight.requires_grad_(False)
            weight.grad = None
    try:
        yield
    finally:
        for one in reading:
            one.part.set_aside("inputs", ())
            one.part.set_aside("gradient", None)


def _run(sample: Sample, weights: Sequence[Tensor]) -> None:
    for weight in weights:
        weight.requires_grad_(True)
    examples = 0
    with torch.set_grad_enabled(bool(weights)):
        for loss in sample():
            examples += 1
            if weights:
                loss.backward()  # type: ignore[no-untyped-call]
    for weight in weights:
        if weight.grad is not None:
            weight.grad /= examples


def _reader(part: Part) -> Callable[..., None]:
    def read(module: nn.Module, args: tuple[Any, ...]) -> None:
        part.set_aside("inputs", (*part.inputs, args[0].detach().flatten(0, -2).float()))

    return read
