"""What the tensors of our kinds of edits are called in PEFT: a module for each family, found by being there."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

Read = Callable[..., Mapping[str, Tensor]]
"""From the module of PEFT at one place to the tensors of our part there, by our names. A kind that goes on no linear layers is
given PEFT's whole model, and our place."""


@dataclass(frozen=True)
class InLibrary:
    """A kind of edit, on models so small that hyper-parameters have to be small too."""

    fields: Mapping[str, Any]
    """Hyper-parameters of our kind; widths of the models are 36, 40, 60 and 20, of a fused matrix 180."""
    read: Read
    shared: Read | None = None
    """… of the tensors that places share."""
    places: Mapping[str, Any] = field(default_factory=dict)
    """What a file says of where it goes, other than target modules."""
    write: Callable[[nn.Module, Any], None] | None = None
    """From that module to our part, what has no name of its own there: a piece of what places share."""
    repeated: bool = False
    """Whether PEFT's file holds what places share, or a tied table, anew for each of them; ours holds it once."""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    """Further arguments of PEFT's configuration, none of which changes a number of ours."""
    given: Mapping[str, Tensor] = field(default_factory=dict)
    """What PEFT's model is called with beside the batch of two examples."""
    models: tuple[str, ...] = ("t5", "llama", "gpt2", "bert")
    """Those that PEFT's module runs on; why one is missing stands beside it."""
    merges: bool = True
    """Whether PEFT's module merges; ours says the same."""
    ours: Mapping[str, Any] = field(default_factory=dict)
    """Hyper-parameters of ours that no argument of PEFT's says."""
    unneeded: str | None = None
    """A part of the names of tensors in PEFT's file that only training needs: ours are not stored."""
    tolerance: float = 1e-4
    """Of outputs; larger where PEFT computes in another order with larger numbers."""


def in_library() -> dict[str, list[InLibrary]]:
    """By kind of edit."""
    found: dict[str, list[InLibrary]] = {}
    for module in pkgutil.iter_modules(__path__):
        for kind, one in importlib.import_module(f"{__name__}.{module.name}").KINDS.items():
            found.setdefault(kind, []).extend(one if isinstance(one, list) else [one])
    return found
