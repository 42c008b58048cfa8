"""What the tensors hold that no weight has reached, while a model runs on meta: token ids, masks, positions.

Models look into them (is any position padding? which tokens are global?), and on meta there is nothing to look into. So
their values are worked out beside, on the CPU, by the operators that the model itself calls. Where weights have a say in
them, two assumptions stand in: a router chooses every expert evenly often, and numbers are finite.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, UntypedStorage

from surveykit.engine.trace.meta_op_cache import REPLAY, Run

LARGEST = {False: 1 << 27, True: 1 << 20}
"""Bytes of a tensor: of whole numbers and of yes and no, and of others, into which models hardly look."""
_aten = torch.ops.aten
_SHAPED = frozenset({
    _aten.zeros_like.default, _aten.ones_like.default, _aten.full_like.default, _aten.new_zeros.default,
    _aten.new_ones.default, _aten.new_full.default,
})  # fmt: skip
_OVERWRITES = frozenset({_aten.fill_.Scalar, _aten.fill_.Tensor, _aten.zero_.default, _aten.copy_.default})
_UNSET = frozenset({_aten.empty.memory_format, _aten.empty_strided.default})
_FINITE = {_aten.isnan.default: False, _aten.isinf.default: False}
_CHOICES = {_aten.topk.default: 2, _aten.argmax.default: 1, _aten.max.dim: 1}
"""Operators by which routers choose, and where the dimension stands among their arguments."""
_Kind = Literal["untouched", "looks", "indexes", "copies", "shaped", "writes", "finite", "chooses", "plain"]


class _Known(weakref.ref[UntypedStorage]):
    """A storage on meta; torch keeps its Python object as long as the storage, so its death is that of the values."""

    __slots__ = ("key", "values")

    key: int
    values: UntypedStorage
    """The same storage on the CPU: what is written through one view is seen through all."""


class Values:
    """Runs operators, and keeps what is known of values beside the tensors that have none."""

    def __init__(self) -> None:
        self._known: dict[int, _Known] = {}
        self._runs: dict[int, Run] = {}

    def tell(self, tensor: Tensor, values: Tensor) -> Tensor:
        """Say what a tensor on meta holds, which has its storage to itself; returns the tensor."""
        held = torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device="cpu").copy_(values)
        known = _Known(tensor.untyped_storage(), self._forget)
        known.key, known.values = _key(tensor), held.untyped_storage()
        self._known[known.key] = known
        return tensor

    def of(self, tensor: Tensor) -> Tensor | None:
        """What a tensor holds, on the CPU; None where that is not known."""
        if not tensor.is_meta:
            return tensor
        known = self._known.get(_key(tensor))
        if known is None:
            return None
        empty = torch.empty(0, dtype=tensor.dtype, device="cpu")
        return empty.set_(known.values, tensor.storage_offset(), tensor.shape, tensor.stride())

    def of_operator(self, func: Any) -> Run:
        """What returns what `func` does; where that depends on values, by those that are known."""
        run = self._runs.get(id(func))
        if run is None:
            run = self._runs[id(func)] = self._watched(func, _kind(func), REPLAY.of(func))
        return run

    def _watched(self, func: Any, kind: _Kind, replay: Run) -> Run:
        known = self._known

        def run(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            if kind == "plain" and args:
                first = args[0]
                if isinstance(first, Tensor) and first.is_meta and first.untyped_storage()._cdata not in known:
                    return replay(args, kwargs)
            if kind == "looks" or (kind == "copies" and args[0].is_meta and not _to_meta(kwargs)):
                found = self._result(func, args, kwargs)
                if found is not None:
                    return found if kind == "copies" else self._on_meta(found)
            if kind == "indexes":
                args = (args[0], [place for index in args[1] for place in self._places(index)])
            out = replay(args, kwargs)
            if kind == "writes":
                self._written(func, args, kwargs)
            elif _small_on_meta(out):
                self._made(kind, func, args, kwargs, out)
            return out

        return replay if kind == "untouched" else run

    def _made(self, kind: _Kind, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], out: Any) -> None:
        if kind == "shaped":
            of_its_shape = torch.empty((), dtype=args[0].dtype, device="cpu").expand(args[0].shape)
            args = (of_its_shape, *args[1:])
        found = self._result(func, args, kwargs)
        if found is not None:
            for tensor, values in zip(_several(out), _several(found), strict=True):
                self.tell(tensor, values)
        elif func in _FINITE:
            self.tell(out, torch.tensor(_FINITE[func]))
        elif kind == "chooses":
            at = _CHOICES[func]
            dim = args[at] if len(args) > at else -1
            if dim is not None and args[0].dim():
                chosen, choices = _several(out)[-1], args[0].shape[dim]
                several = chosen.movedim(dim, -1) if chosen.dim() == args[0].dim() else chosen[..., None]
                even = (torch.arange(several.numel()) % choices).reshape(several.shape)
                even = even.movedim(-1, dim) if chosen.dim() == args[0].dim() else even[..., 0]
                self.tell(chosen, even)

    def _result(self, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """What the operator gives on the CPU; None where an argument is not known."""
        try:
            return func(*self._looked_up(args), **_on_cpu(kwargs))
        except Exception:  # not known, or not for the CPU (a histogram of whole numbers, for instance)
            return None

    def _looked_up(self, value: Any) -> Any:
        if isinstance(value, Tensor):
            found = self.of(value)
            if found is None:
                raise LookupError
            return found
        return type(value)(self._looked_up(item) for item in value) if type(value) in (list, tuple) else value

    def _written(self, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """Write into the values what was written into a tensor; forget them where that is not known."""
        target = args[0]
        if not target.is_meta:
            return
        held = self.of(target)
        whole = func in _OVERWRITES and target.untyped_storage().nbytes() == target.nbytes
        if held is None and not (whole and _small_on_meta(target)):
            return
        values = torch.empty(target.shape, dtype=target.dtype, device="cpu") if held is None else held
        known = self._known.pop(_key(target), None)
        if self._result(func, (values, *args[1:]), kwargs) is None:
            return
        if known is None:
            self.tell(target, values)
        else:
            self._known[known.key] = known

    def _places(self, index: Tensor | None) -> tuple[Tensor | None, ...]:
        """An index by yes and no as those by number that it comes to: of these, the shape says how many they are."""
        values = None if index is None or index.dtype not in (torch.bool, torch.uint8) else self.of(index)
        if values is None or index is None or not index.is_meta:
            return (index,)
        return tuple(self._on_meta(place) for place in values.nonzero(as_tuple=True))

    def _on_meta(self, found: Any) -> Any:
        if isinstance(found, tuple | list):
            return type(found)(self._on_meta(one) for one in found)
        return self.tell(torch.empty_like(found, device="meta"), found) if isinstance(found, Tensor) else found

    def _forget(self, known: weakref.ref[UntypedStorage]) -> None:
        assert isinstance(known, _Known)
        if self._known.get(known.key) is known:
            del self._known[known.key]


def _kind(func: Any) -> _Kind:
    schema, tags = func._schema, func.tags
    if torch.Tag.nondeterministic_seeded in tags or func in _UNSET or not schema.returns:
        return "untouched"
    if func is _aten.index.Tensor:
        return "indexes"
    if torch.Tag.data_dependent_output in tags or torch.Tag.dynamic_output_shape in tags:
        return "looks"
    if schema.is_mutable:
        first = schema.arguments[0]
        return "writes" if str(first.type) == "Tensor" and first.is_write else "untouched"
    if any(returned.alias_info is not None for returned in schema.returns):
        return "untouched"  # a view: it has the storage, and so the values, of what it views
    if func is _aten._to_copy.default:
        return "copies"
    if func in _CHOICES:
        return "chooses"
    return "shaped" if func in _SHAPED else "finite" if func in _FINITE else "plain"


def _key(tensor: Tensor) -> int:
    key: int = tensor.untyped_storage()._cdata
    return key


def _several(out: Any) -> Sequence[Any]:
    return out if isinstance(out, tuple | list) else (out,)


def _small_on_meta(out: Any) -> bool:
    if isinstance(out, Tensor):
        return out.is_meta and out.nbytes <= LARGEST[out.is_floating_point()]
    return isinstance(out, tuple | list) and all(map(_small_on_meta, out))


def _to_meta(kwargs: Mapping[str, Any]) -> bool:
    device = kwargs.get("device")
    return device is None or torch.device(device).type == "meta"


def _on_cpu(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    return {**kwargs, "device": "cpu"} if kwargs.get("device") is not None else dict(kwargs)


VALUES = Values()
"""One for all traces of a process. Values go when their tensors go."""
