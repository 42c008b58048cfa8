"""What a model holds. torch's own walks run through a generator within a generator for each level: many times as slowly."""

from __future__ import annotations

from torch import Tensor, nn


def parameters_of(model: nn.Module) -> list[nn.Parameter]:
    """Each once, in the order of `nn.Module.parameters`."""
    every = (p for module in _modules(model) for p in module._parameters.values() if p is not None)
    return list({id(p): p for p in every}.values())


def tensors_of(model: nn.Module) -> list[Tensor]:
    """Parameters and, behind them, buffers, each once."""
    buffers = (b for module in _modules(model) for b in module._buffers.values() if b is not None)
    return list({id(tensor): tensor for tensor in (*parameters_of(model), *buffers)}.values())


def _modules(model: nn.Module) -> list[nn.Module]:
    """From the outside in, as they were added; one that is in two places is there twice."""
    found: list[nn.Module] = []
    waiting: list[nn.Module | None] = [model]
    while waiting:
        module = waiting.pop()
        if module is not None:
            found.append(module)
            if module._modules:
                waiting.extend(reversed(module._modules.values()))
    return found
