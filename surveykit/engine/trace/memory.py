"""What an allocator would hold: every storage that comes and goes while a model runs, on meta or CPU."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple, get_args

import torch
from torch import Tensor, UntypedStorage
from torch.autograd.graph import saved_tensors_hooks
from torch.utils._python_dispatch import TorchDispatchMode

from surveykit.engine.trace.accumulation import SUM, adds_in_place, sole_reference
from surveykit.engine.trace.counting import COUNTING, Counting
from surveykit.engine.trace.flops import FLOPS
from surveykit.engine.trace.meta_op_cache import Run
from surveykit.engine.trace.meta_values import VALUES

Kind = Literal["before", "gradients", "logits", "activations", "working"]
"""What a live storage is: there already when the step began; a gradient of a parameter; scores over the vocabulary; kept
from forward to backward; or neither, such as what an operator needs for a while."""


class Moment(NamedTuple):
    """Live bytes after an allocation."""

    total: int
    gradients: int
    logits: int
    activations: int


def moment(*figures: int) -> Moment:
    """A moment of all its figures, made in the fastest way: a trace has thousands."""
    return tuple.__new__(Moment, figures)


Moments = list[Moment]
"""Of a phase or span, in order."""
NOTHING = Moment(0, 0, 0, 0)


def highest(moments: Iterable[Moment]) -> Moment:
    """The moment with most live bytes; nothing of none."""
    return max(moments, key=lambda moment: moment.total, default=NOTHING)


class Entered(NamedTuple):
    """The state of the memory at the start of a span or a phase."""

    names: tuple[str, ...]
    """As in `Memory.moments`."""
    at: int
    """Number of its first moment among those of its names."""
    moment: Moment
    flops: int
    """Of the phase until then."""
    saved: tuple[int, int]
    """As in `Memory.saved`."""


class _Held(weakref.ref[UntypedStorage]):
    """A live storage; torch keeps a storage's Python object for as long as the storage, so its death is the free."""

    __slots__ = ("bytes", "key", "kind", "on_device", "saved")

    key: int
    bytes: int
    kind: Kind
    on_device: bool
    """Or moved to the host's memory."""
    saved: bool
    """Whether autograd keeps it for backward."""


class Memory(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts live bytes, moment by moment in each phase, and the FLOPs of each phase, while it is entered.

    Storages are known by their address, never by `data_ptr`, which is 0 for all of them on meta; an address is
    reused only after the storage died, and its entry is dropped at that very moment. What existed before must be
    told with `hold`.

    Args:
        vocabulary: last dimension of logits; 0 where there are none to be told apart.
        counting: what it counts with.
    """

    def __init__(self, vocabulary: int = 0, counting: Counting = COUNTING) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        sole_reference()  # worked out now, before this mode is active
        self._vocabulary = vocabulary
        self._counting = counting
        self._bytes: dict[Kind, int] = dict.fromkeys(get_args(Kind), 0)
        self._total = 0
        self._live: dict[int, _Held] = {}
        self._operators: dict[int, tuple[Run, bool, bool]] = {}
        self._phase = ""
        self._now: Moments = []
        self._moments: dict[tuple[str, ...], Moments] = {}
        self._saved = 0, 0
        self.spans: list[Entered] = []
        """In the order in which they were entered."""
        self.flops: dict[str, int] = {}
        """Of matrix multiplications, by phase."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # Nothing is compiled here. Keeping torch.compile out of each operator takes a tenth of a trace's time.
        return False

    @property
    def current(self) -> int:
        """What is live now."""
        return self._total

    @property
    def moments(self) -> dict[str, Moments]:
        """Moments by name of phase, or of `phase/span` where a phase has spans. Their maximum is the peak."""
        return {name: moments for names, moments in self._moments.items() for name in names}

    @property
    def saved(self) -> tuple[int, int]:
        """Live storages kept for backward: how many, and their bytes, each storage once."""
        return self._saved

    def hold(self, tensors: Iterable[Tensor]) -> int:
        """Count tensors that exist already, each storage once; returns what was new among them."""
        before = self.current
        for tensor in tensors:
            self._become(self._track(tensor), "before")
        return self.current - before

    def keep(self) -> None:
        """Say that forward has ended: what is live now and was not before is kept for backward."""
        for held in self._live.values():
            if held.kind == "working":
                self._become(held, "activations")

    def mark_gradient(self, gradient: Tensor) -> None:
        """Say that a tensor is the gradient of a parameter."""
        self._become(self._track(gradient), "gradients")

    def move(self, tensor: Tensor, *, to_host: bool) -> None:
        """Say that a live tensor goes to the host's memory, or comes back from there."""
        held = self._track(tensor)
        if held.on_device == to_host:
            self._count(held, -1 if to_host else 1)
            held.on_device = not to_host
            self._now.append(self._moment())

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
        self._now, moment = self._moments.setdefault(names, []), self._moment()
        self.spans.append(Entered(names, len(self._now), moment, self.flops.get(self._phase, 0), self._saved))
        self._now.append(moment)

    def _moment(self) -> Moment:
        found = self._bytes
        return moment(self._total, found["gradients"], found["logits"], found["activations"])

    @contextmanager
    def watch_saved(self) -> Iterator[None]:
        """Mark what autograd keeps for backward within; what was told with `hold` is kept anyway and not marked."""
        with saved_tensors_hooks(self._mark_saved, _unchanged):
            yield

    def _mark_saved(self, tensor: Tensor) -> Tensor:
        held = self._live.get(tensor.untyped_storage()._cdata)
        if held is None:  # a constant that no operator made
            held = self._track(tensor)
        if not held.saved and held.kind != "before":
            held.saved = True
            self._save(held, 1)
        # Never the tensor itself: one that its own operator keeps would hold that operator, and never be freed.
        unwatched = torch._C._DisableTorchDispatch()
        detached = tensor.detach()
        del unwatched
        return detached

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func is SUM and adds_in_place(args, kwargs):
            return args[0] if args[0].is_meta else args[0].add_(args[1])
        known = self._operators.get(id(func))
        if known is None:
            known = VALUES.of_operator(func), FLOPS.formula(func) is not None, _allocates(func)
            self._operators[id(func)] = known
        run, multiplies, allocates = known
        out = run(args, kwargs)
        if multiplies:
            flops = self._counting.flops(func, args, kwargs, out)
            self.flops[self._phase] = self.flops.get(self._phase, 0) + flops
        if not allocates:
            return out
        if isinstance(out, Tensor):
            self._track(out)
        elif isinstance(out, tuple | list):
            for tensor in out:
                if isinstance(tensor, Tensor):
                    self._track(tensor)
        self._now.append(self._moment())
        return out

    def _track(self, tensor: Tensor) -> _Held:
        storage = tensor.untyped_storage()
        key = storage._cdata
        known = self._live.get(key)
        if known is not None:
            return known
        held = _Held(storage, self._release)
        held.key, held.bytes, held.saved, held.on_device = key, self._counting.stored(tensor), False, True
        held.kind = "logits" if tensor.dim() > 1 and tensor.shape[-1] == self._vocabulary else "working"
        self._count(held, 1)
        self._live[key] = held
        return held

    def _count(self, held: _Held, sign: int) -> None:
        change = sign * held.bytes
        self._total = self._total + change
        self._bytes[held.kind] = self._bytes[held.kind] + change

    def _save(self, held: _Held, sign: int) -> None:
        number, bytes_ = self._saved
        self._saved = number + sign, bytes_ + sign * held.bytes

    def _become(self, held: _Held, kind: Kind) -> None:
        if held.on_device:
            self._bytes[held.kind] = self._bytes[held.kind] - held.bytes
            self._bytes[kind] = self._bytes[kind] + held.bytes
        held.kind = kind

    def _release(self, held: weakref.ref[UntypedStorage]) -> None:
        assert isinstance(held, _Held)
        del self._live[held.key]
        if held.on_device:
            self._count(held, -1)
        if held.saved:
            self._save(held, -1)


def bytes_of(tensors: Iterable[Tensor], counting: Counting = COUNTING) -> int:
    """Bytes of the storages of tensors, each once."""
    return Memory(counting=counting).hold(tensors)


def _unchanged(tensor: Tensor) -> Tensor:
    return tensor


def _allocates(func: Any) -> bool:
    """Whether an operator returns something that its schema does not call an alias of an argument."""
    return any(returned.alias_info is None for returned in func._schema.returns)
