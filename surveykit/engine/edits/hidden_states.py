"""The hidden states that a module of transformers is called with, and those that it returns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor


def read_by(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Tensor:
    """What a module was called with, by position or by name: the first where none has the usual name."""
    named = kwargs.get("hidden_states", next(iter(kwargs.values()), None))
    found: Tensor = args[0] if args else named
    return found


def written_by(output: Any) -> Tensor:
    """What a module returned, alone or before other things."""
    found: Tensor = output[0] if isinstance(output, tuple | list) else output
    return found
