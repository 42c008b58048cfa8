"""Operators on the meta device, replayed: what they return depends on shapes alone, so each case is worked out once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

_META = torch.device("meta")
_Layout = tuple[torch.Size, tuple[int, ...], torch.dtype]
_COPIES_IN_NAME_ONLY = frozenset({torch.ops.aten._unsafe_view.default})
"""Operators that return a view although their schema does not say so."""


Run = Callable[[tuple[Any, ...], dict[str, Any]], Any]
"""What an operator returns for arguments in order and by name."""


class Replay:
    """Runs operators; on meta tensors, repeats of a case cost no more than making the result.

    torch works out many meta results in Python, at a hundred microseconds each: most of the time of a trace.
    """

    def __init__(self) -> None:
        self._known: dict[int, tuple[Run, Any]] = {}

    def of(self, func: Any) -> Run:
        """What returns what `func` does: equal in shape, strides and type, and as fresh."""
        known = self._known.get(id(func))  # operators are slow to hash
        if known is None:  # with the operator, so that none has the identity of another that is gone
            known = self._known[id(func)] = _OF_KIND[_kind(func)](func), func
        return known[0]


def _any(func: Any) -> Run:
    def run(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return func(*args, **kwargs)

    return run


def _in_place(func: Any) -> Run:
    known: set[Any] = set()

    def run(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        key = case(args, kwargs)
        if key in known:
            return args[0]
        if key is not None:
            known.add(key)
        return func(*args, **kwargs)

    return run


def _of_fresh(func: Any) -> Run:
    layouts: dict[Any, _Layout | list[_Layout]] = {}

    def run(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        key = case(args, kwargs)
        known = layouts.get(key)
        if known is None:
            out = func(*args, **kwargs)
            if key is not None and isinstance(out, Tensor):
                layouts[key] = _layout(out)
            elif key is not None and all(isinstance(tensor, Tensor) for tensor in out):
                layouts[key] = [_layout(tensor) for tensor in out]
            return out
        return tuple(_fresh(*layout) for layout in known) if isinstance(known, list) else _fresh(*known)

    return run


_OF_KIND = {"other": _any, "in_place": _in_place, "fresh": _of_fresh}


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


def _fresh(shape: torch.Size, stride: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    return torch.empty_strided(shape, stride, dtype=dtype, device=_META)


def case(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What the result of an operator depends on; None if that is more than the layouts of meta tensors."""
    # Without a meta tensor the result may lie elsewhere, as that of `arange` does.
    first = args[0] if args else None
    if isinstance(first, list | tuple) and first:
        first = first[0]
    if not isinstance(first, Tensor):
        return None
    parts: list[Any] = []
    for value in args:
        if isinstance(value, Tensor):
            if not value.is_meta:
                return None
            parts += value.shape, value.stride(), value.dtype
        elif isinstance(value, list | tuple):
            part = _of_several(value)
            if part is None:
                return None
            parts.append(part)
        else:
            parts += type(value), value  # with the type: 1, 1.0 and True are equal, and promote otherwise
    if kwargs:
        values = _of_several([*kwargs.values()])
        if values is None:
            return None
        parts += *kwargs, values
    return tuple(parts)


def _of_several(values: Sequence[Any]) -> Any:
    """The case of arguments that stand in a list."""
    parts: list[Any] = [list]
    for value in values:
        if isinstance(value, list | tuple):
            parts.append(_of_several(value))
        elif isinstance(value, Tensor):
            parts.append(_layout(value) if value.is_meta else None)
        else:
            parts.append((type(value), value))
    return None if None in parts else tuple(parts)


REPLAY = Replay()
"""One for all traces of a process: they repeat each other's cases."""
