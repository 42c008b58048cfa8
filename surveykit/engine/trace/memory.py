"""What an allocator would hold: every storage that comes and goes while a model runs, on meta or CPU.

Two accountings run side by side. `native` is bytes as they are. `single` is what the same program holds when every
floating-point tensor has 4 bytes per element, so that one trace in bfloat16 also gives the figure in float32.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, UntypedStorage
from torch.autograd.graph import saved_tensors_hooks
from torch.utils._python_dispatch import TorchDispatchMode

from surveykit.engine.trace.accumulation import adds_in_place, sole_reference
from surveykit.engine.trace.flops import FLOPS
from surveykit.engine.trace.meta_values import VALUES

SINGLE_WIDTH = 4
"""Bytes of a floating-point element in the `single` accounting."""

Moments = list[tuple[int, int]]
"""Live bytes after each allocation of a phase or span, in order: native, single."""


@dataclass(frozen=True)
class Bytes:
    """One amount of memory in both accountings."""

    native: int = 0
    """As allocated."""
    single: int = 0
    """With every floating-point element taken at 4 bytes."""

    def __add__(self, other: Bytes) -> Bytes:
        return Bytes(self.native + other.native, self.single + other.single)

    def __sub__(self, other: Bytes) -> Bytes:
        return Bytes(self.native - other.native, self.single - other.single)

    @classmethod
    def highest(cls, *moments: Moments) -> Bytes:
        """The largest of each accounting (they need not come from the same moment); 0 of nothing."""
        native = max((native for some in moments for native, _ in some), default=0)
        return cls(native, max((single for some in moments for _, single in some), default=0))


class _Content:
    """What one or more storages hold. Casts between floating-point types share it: at equal width they copy nothing."""

    __slots__ = ("holders", "single")

    def __init__(self, single: int) -> None:
        self.single = single
        self.holders = 0


class _Held(weakref.ref[UntypedStorage]):
    """A live storage; torch keeps a storage's Python object for as long as the storage, so its death is the free."""

    __slots__ = ("before", "content", "key", "native", "saved")

    key: int
    native: int
    content: _Content
    saved: bool
    """Whether autograd keeps it for backward."""
    before: bool
    """Whether it existed before, and is kept anyway."""


class Memory(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts live bytes, moment by moment in each phase, and the FLOPs of each phase, while it is entered.

    Storages are known by their address, never by `data_ptr`, which is 0 for all of them on meta; an address is
    reused only after the storage died, and its entry is dropped at that very moment. What existed before must be
    told with `hold`.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        sole_reference()  # worked out now, before this mode is active
        self._native = 0
        self._single = 0
        self._live: dict[int, _Held] = {}
        self._allocating: dict[Any, bool] = {}
        self._phase = ""
        self._now: Moments = []
        self._moments: dict[tuple[str, ...], Moments] = {}
        self.flops: dict[str, int] = {}
        """Of matrix multiplications, by phase."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # Nothing is compiled here. Keeping torch.compile out of each operator takes a tenth of a trace's time.
        return False

    @property
    def current(self) -> Bytes:
        """What is live now."""
        return Bytes(self._native, self._single)

    @property
    def moments(self) -> dict[str, Moments]:
        """Moments by name of phase, or of `phase/span` where a phase has spans. Their maximum is the peak."""
        return {name: moments for names, moments in self._moments.items() for name in names}

    @property
    def saved(self) -> tuple[int, Bytes]:
        """Live storages kept for backward: how many, and their bytes, each storage once."""
        kept = [held for held in self._live.values() if held.saved]
        contents = {id(held.content): held.content.single for held in kept}
        return len(kept), Bytes(sum(held.native for held in kept), sum(contents.values()))

    def hold(self, tensors: Iterable[Tensor]) -> Bytes:
        """Count tensors that exist already, each storage once; returns what was new among them."""
        before = self.current
        for tensor in tensors:
            self._track(tensor, None).before = True
        return self.current - before

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Everything within belongs to this phase; its first moment is what is live on entry."""
        self._phase = name
        self._enter((name,))
        try:
            yield
        finally:
            self._phase = ""
            self._now = []

    def span(self, *names: str) -> None:
        """From here on moments go to parts of the current phase, until the next span or the end of the phase."""
        self._enter(tuple(f"{self._phase}/{name}" for name in names))

    def _enter(self, names: tuple[str, ...]) -> None:
        self._now = self._moments.setdefault(names, [])
        self._now.append((self._native, self._single))

    @contextmanager
    def watch_saved(self) -> Iterator[None]:
        """Mark what autograd keeps for backward within; what was told with `hold` is kept anyway and not marked."""
        with saved_tensors_hooks(self._mark_saved, _unchanged):
            yield

    def _mark_saved(self, tensor: Tensor) -> Tensor:
        held = self._live.get(tensor.untyped_storage()._cdata)
        if held is None:  # a constant that no operator made
            held = self._track(tensor, None)
        held.saved = not held.before
        # Never the tensor itself: one that its own operator keeps would hold that operator, and never be freed.
        return tensor.detach()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if adds_in_place(func, args, kwargs):
            return args[0] if args[0].is_meta else args[0].add_(args[1])
        out = VALUES.run(func, args, kwargs)
        allocates = self._allocating.get(func)
        if allocates is None:
            allocates = self._allocating[func] = _allocates(func)
        if not allocates:
            return out
        if isinstance(out, Tensor):
            self._track(out, args[0] if func is torch.ops.aten._to_copy.default else None)
        elif isinstance(out, tuple | list):
            for tensor in out:
                if isinstance(tensor, Tensor):
                    self._track(tensor, None)
        self._now.append((self._native, self._single))
        flops = FLOPS.of(func, args, kwargs, out)
        if flops is not None:
            self.flops[self._phase] = self.flops.get(self._phase, 0) + flops
        return out

    def _track(self, tensor: Tensor, source: Tensor | None) -> _Held:
        storage = tensor.untyped_storage()
        key = storage._cdata
        known = self._live.get(key)
        if known is not None:
            return known
        held = _Held(storage, self._release)
        held.key, held.native, held.saved, held.before = key, storage.nbytes(), False, False
        held.content = self._cast_content(tensor, source) or _Content(_single(tensor, held.native))
        if held.content.holders == 0:
            self._single += held.content.single
        held.content.holders += 1
        self._native += held.native
        self._live[key] = held
        return held

    def _cast_content(self, tensor: Tensor, source: Tensor | None) -> _Content | None:
        # At equal width the cast does not happen: T5's norms, for instance, turn bfloat16 into float32 and back.
        if source is None or source.dtype == tensor.dtype or source.device != tensor.device:
            return None
        if not (source.is_floating_point() and tensor.is_floating_point()):
            return None
        held = self._live.get(source.untyped_storage()._cdata)
        return held.content if held else None

    def _release(self, held: weakref.ref[UntypedStorage]) -> None:
        assert isinstance(held, _Held)
        del self._live[held.key]
        self._native -= held.native
        held.content.holders -= 1
        if held.content.holders == 0:
            self._single -= held.content.single


def _single(tensor: Tensor, native: int) -> int:
    return native // tensor.itemsize * SINGLE_WIDTH if tensor.is_floating_point() else native


def _unchanged(tensor: Tensor) -> Tensor:
    return tensor


def _allocates(func: Any) -> bool:
    """Whether an operator returns something that its schema does not call an alias of an argument."""
    return any(returned.alias_info is None for returned in func._schema.returns)
