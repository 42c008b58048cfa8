"""Operators on the meta device, replayed: what they return depends on shapes alone, so each case is worked out once."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

_Layout = tuple[torch.Size, tuple[int, ...], torch.dtype]
_COPIES_IN_NAME_ONLY = frozenset({torch.ops.aten._unsafe_view.default})
"""Operators that return a view although their schema does not say so."""


class Replay:
    """Runs operators; on meta tensors, repeats of a case cost no more than making the result.

    torch works out many meta results in Python, at a hundred microseconds each: most of the time of a trace.
    """

    def __init__(self) -> None:
        self._layouts: dict[Any, _Layout | list[_Layout]] = {}
        self._in_place: dict[Any, None] = {}
        self._kinds: dict[int, str] = {}
        self._operators: list[Any] = []
        """All that were seen, so that none has the identity of another that is gone."""

    def run(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """What `func(*args, **kwargs)` returns: equal in shape, strides and type, and as fresh."""
        kind = self._kinds.get(id(func))  # operators are slow to hash
        if kind is None:
            kind = self._kinds[id(func)] = _kind(func)
            self._operators.append(func)
        if kind == "other":
            return func(*args, **kwargs)
        key = case(func, args, kwargs)
        if key is None:
            return func(*args, **kwargs)
        if kind == "in_place":
            if key in self._in_place:
                return args[0]
            self._in_place[key] = None
            return func(*args, **kwargs)
        known = self._layouts.get(key)
        if known is None:
            out = func(*args, **kwargs)
            if isinstance(out, Tensor):
                self._layouts[key] = _layout(out)
            elif all(isinstance(tensor, Tensor) for tensor in out):
                self._layouts[key] = [_layout(tensor) for tensor in out]
            return out
        return tuple(_fresh(layout) for layout in known) if isinstance(known, list) else _fresh(known)


def _kind(func: Any) -> str:
    """`fresh`: returns new tensors only. `in_place`: returns its first argument, written. Else `other`."""
    schema = func._schema
    if not schema.returns or func in _COPIES_IN_NAME_ONLY:
        return "other"
    if not schema.is_mutable:
        kinds = {str(returned.type) for returned in schema.returns}
        fresh = kinds == {"Tensor"} and all(returned.alias_info is None for returned in schema.returns)
        return "fresh" if fresh else "other"
    written = [argument.alias_info is not None and argument.alias_info.is_write for argument in schema.arguments]
    return "in_place" if written[0] and sum(written) == 1 and len(schema.returns) == 1 else "other"


def _layout(tensor: Tensor) -> _Layout:
    return tensor.shape, tensor.stride(), tensor.dtype


def _fresh(layout: _Layout) -> Tensor:
    return torch.empty_strided(layout[0], layout[1], dtype=layout[2], device="meta")


def case(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What the result depends on; None if that is more than the layouts of meta tensors."""
    parts: list[Any] = [id(func)]
    for value in args:
        part = _part(value)
        if part is None:
            return None
        parts.append(part)
    for name, value in kwargs.items():
        part = _part(value)
        if part is None:
            return None
        parts.append((name, part))
    # Without a meta tensor the result may lie elsewhere, as that of `arange` does.
    return tuple(parts) if _on_meta(args) else None


def _part(value: Any) -> Any:
    if isinstance(value, Tensor):
        return _layout(value) if value.is_meta else None
    if isinstance(value, list | tuple):
        parts = tuple(_part(item) for item in value)
        return None if None in parts else (list, parts)
    return type(value), value  # with the type: 1, 1.0 and True are equal, and promote otherwise


def _on_meta(args: tuple[Any, ...]) -> bool:
    first = args[0] if args else None
    if isinstance(first, list | tuple) and first:
        first = first[0]
    return isinstance(first, Tensor) and first.is_meta


REPLAY = Replay()
"""One for all traces of a process: they repeat each other's cases."""
