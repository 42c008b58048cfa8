"""Which layer a moment of a step belongs to, so that peaks can be told apart and carried over to another depth."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from typing import Any

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from surveykit.engine.edits.hidden_states import read_by, written_by
from surveykit.engine.edits.tensors import Part
from surveykit.engine.models.model import Instance
from surveykit.engine.trace.memory import Memory
from surveykit.recipes import Place

FIRST, LAST = 2, 3
"""Layers at the ends of a stack that have a span of their own: those that compute otherwise (relative position bias in
the first; in the last, backward's first, gradients of shared tensors begin, and in the one before become sums), and one
more at each end. Among the layers between, memory changes evenly, so their highest moment is at either end."""
INNER = "inner"


def is_inner(layer: int, layers: int) -> bool:
    """Whether a layer has no span of its own."""
    return FIRST <= layer < layers - LAST


def _span_names(stack: str, index: int, layers: int) -> tuple[str, ...]:
    """The spans of a layer. In a stack of four, one is second from the start and third from the end."""
    from_end = layers - 1 - index
    names = [f"{stack}.first{index}"] if index < FIRST else []
    names += [f"{stack}.last{from_end}"] if from_end < LAST else []
    return tuple(names) or (f"{stack}.{INNER}",)


@contextmanager
def layer_spans(instance: Instance, memory: Memory) -> Iterator[Callable[[int], None]]:
    """Cut the phases of a step into spans by layer: `forward/0.encoder.first0`, `backward/0.decoder.last1`…

    Edited values of pretrained tensors are made before the first layer, and differentiated after it, in the order of
    their places: they have spans of their own, `forward/0.values.encoder.self.first0`…
    The number is that of the forward pass. Yields a function that must be told it before each pass.
    """
    current = 0

    def tell(number: int) -> None:
        nonlocal current
        current = number

    def watch(stack: str, layers: Sequence[nn.Module]) -> Iterator[RemovableHandle]:
        edges = [(f"{stack}.before",), *(_span_names(stack, i, len(layers)) for i in range(len(layers)))]
        after = (f"{stack}.after",)

        def enter(i: int) -> Callable[..., None]:
            def hook(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
                memory.span(*(f"{current}.{name}" for name in edges[i + 1]))
                # Backward runs the other way: once this layer's input has its gradient, what is below it begins.
                _on_gradient(read_by(args, kwargs), edges[i])

            return hook

        def leave(module: nn.Module, args: Any, output: Any) -> None:
            memory.span(*(f"{current}.{name}" for name in after))
            _on_gradient(written_by(output), edges[-1])

        for i, layer in enumerate(layers):
            yield layer.register_forward_pre_hook(enter(i), with_kwargs=True)
        yield layers[-1].register_forward_hook(leave)

    def value(part: nn.Module, args: tuple[Any, ...], output: Tensor | None = None) -> None:
        place: Place = args[2]
        layers = _span_names(place.sublayer, place.layer, place.layers) if place.layers else (place.sublayer,)
        names = [f"values.{name}" for name in layers]
        if output is None:
            memory.span(*(f"{current}.{name}" for name in names))
        else:
            _on_gradient(output, names)

    def _on_gradient(hidden: Tensor, names: Sequence[str]) -> None:
        if hidden.requires_grad:
            spans = [f"{current}.{name}" for name in names]
            hidden.register_hook(lambda _: memory.span(*spans))  # type: ignore[no-untyped-call]

    handles: list[RemovableHandle] = []
    try:
        for stack, blocks in groupby(instance.blocks, key=lambda found: found[0]):
            handles += watch(stack, [block for _, block in blocks])
        for part in instance.model.modules():
            if isinstance(part, Part):
                handles += [part.register_forward_pre_hook(value), part.register_forward_hook(value)]
        yield tell
    finally:
        for handle in handles:
            handle.remove()
