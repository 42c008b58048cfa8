"""A pickle as a list of instructions, followed on plain data.

Nothing is imported, called or made but lists, dictionaries and the two classes below: a tensor is what the arguments of
its constructor say. A name that no tensor needs is refused, and so is every instruction that state dicts do without.
"""

from __future__ import annotations

import pickletools
from dataclasses import dataclass
from typing import IO, Any

from surveykit.checkpoints.header import BYTES, Tensor, printed
from surveykit.errors import CheckpointError

LIMIT = 64 * 2**20
STEPS = 2_000_000
"""Instructions that are followed at most, of all pickles of a file; a state dict has about 30 for a tensor."""
"""Bytes of instructions that are read at most; a state dict has about 200 for a tensor."""
_MARK = object()
_NUMBERS = {
    "Double": "F64", "Float": "F32", "Half": "F16", "BFloat16": "BF16", "Long": "I64", "Int": "I32", "Short": "I16",
    "Char": "I8", "Byte": "U8", "Bool": "BOOL",
}  # fmt: skip
_STORAGES = {f"{place}.{kind}Storage": dtype for place in ("torch", "torch.cuda") for kind, dtype in _NUMBERS.items()}
_UNTYPED = {"torch.storage.UntypedStorage", "torch.UntypedStorage"}
_DTYPES = {
    "torch.float8_e4m3fn": "F8_E4M3", "torch.float8_e5m2": "F8_E5M2", "torch.uint16": "U16", "torch.uint32": "U32",
    "torch.uint64": "U64",
}  # fmt: skip
_REBUILDS = {f"torch._utils._rebuild_tensor{version}" for version in ("", "_v2", "_v3")}
_WRAPS = {f"torch._utils._rebuild_parameter{kind}" for kind in ("", "_with_state")} | {"torch.Size"}
_LITERALS = {
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT", "STRING", "BINSTRING",
    "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8",
}  # fmt: skip
_ORDERED = "collections.OrderedDict"
_KNOWN = {*_STORAGES, *_UNTYPED, *_DTYPES, *_REBUILDS, *_WRAPS, _ORDERED}


@dataclass(frozen=True)
class _Global:
    name: str


@dataclass(frozen=True)
class Storage:
    key: str
    bytes: int
    dtype: str | None


class Bounded:
    """A file of which only so much is read: what a hostile length asks for beyond that is refused, not allocated."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._left, self._steps = file, LIMIT, STEPS

    def step(self) -> None:
        self._steps -= 1
        if self._steps < 0:
            raise ValueError(f"it has more than {STEPS:,} instructions")

    def read(self, size: int) -> bytes:
        return self._spent(self._file.read(size) if size <= self._left else None)

    def readline(self) -> bytes:
        return self._spent(self._file.readline(self._left + 1))

    def _spent(self, found: bytes | None) -> bytes:
        self._left -= LIMIT + 1 if found is None else len(found)
        if found is None or self._left < 0:
            raise ValueError(f"it has more than {LIMIT:,} bytes of instructions")
        return found


def follow(program: Bounded) -> Any:
    """Follow one pickle on plain data, and return what it leaves."""
    stack: list[Any] = []
    memo: dict[int, Any] = {}

    def marked() -> list[Any]:
        place = next((i for i in range(len(stack) - 1, -1, -1) if stack[i] is _MARK), None)
        if place is None:
            raise ValueError("an end without a beginning")
        found = stack[place + 1 :]
        del stack[place:]
        return found

    argument: Any
    for opcode, argument, _ in pickletools.genops(program):  # type: ignore[arg-type]  # read and readline suffice
        program.step()
        match opcode.name:
            case "PROTO" | "FRAME":
                pass
            case "STOP":
                return stack.pop()
            case "MARK":
                stack.append(_MARK)
            case "NONE":
                stack.append(None)
            case "NEWTRUE" | "NEWFALSE":
                stack.append(opcode.name == "NEWTRUE")
            case "EMPTY_DICT":
                stack.append({})
            case "EMPTY_LIST":
                stack.append([])
            case "EMPTY_TUPLE":
                stack.append(())
            case "TUPLE":
                stack.append(tuple(marked()))
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                count = int(opcode.name[-1])
                stack[-count:] = [tuple(stack[-count:])]
            case "APPEND":
                value = stack.pop()
                stack[-1].append(value)
            case "APPENDS":
                values = marked()
                stack[-1].extend(values)
            case "SETITEM":
                pair = [stack.pop(), stack.pop()][::-1]
                _put(stack[-1], [pair])
            case "SETITEMS":
                values = marked()
                _put(stack[-1], zip(values[::2], values[1::2], strict=True))
            case "PUT" | "BINPUT" | "LONG_BINPUT":
                memo[argument] = stack[-1]
            case "MEMOIZE":
                memo[len(memo)] = stack[-1]
            case "GET" | "BINGET" | "LONG_BINGET":
                stack.append(memo[argument])
            case "GLOBAL":
                stack.append(_named(argument.replace(" ", ".")))
            case "STACK_GLOBAL":
                name, module = _word(stack.pop()), _word(stack.pop())
                stack.append(_named(f"{module}.{name}"))
            case "BINPERSID":
                stack.append(_storage(stack.pop()))
            case "REDUCE":
                arguments = stack.pop()
                stack.append(_built(stack.pop(), arguments))
            case "BUILD":  # attributes of the state dict: versions of modules
                stack.pop()
            case name if name in _LITERALS:
                stack.append(argument)
            case name:
                raise CheckpointError(f"its pickle uses the instruction {name}, which no tensor needs; refused")
    raise ValueError("the pickle has no end")


def _put(target: Any, pairs: Any) -> None:
    for key, value in pairs:
        if not isinstance(key, str | int) or not isinstance(target, dict):
            raise ValueError("a key that is no name")
        target[key] = value


def _word(value: Any) -> str:
    """Text; anything else may be a net of tuples that is larger written out than any memory."""
    if not isinstance(value, str):
        raise ValueError("a name that is no text")
    return value


def _named(name: str) -> _Global:
    if name not in _KNOWN:
        raise CheckpointError(f"its pickle names {printed(name)}, which no tensor needs; it is refused and was not run")
    return _Global(name)


def _storage(given: Any) -> Storage:
    word, kind, key, _, count = given[:5]
    dtype = _STORAGES.get(kind.name)
    if not isinstance(word, str) or word != "storage" or not (dtype or kind.name in _UNTYPED) or not _is_size(count):
        raise ValueError("a storage of no known kind")
    return Storage(_word(key), count * (BYTES[dtype] if dtype else 1), dtype)


def _is_size(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**63


def _built(what: Any, arguments: Any) -> Any:
    if what.name == _ORDERED:
        made: dict[Any, Any] = {}
        _put(made, *arguments) if arguments else None
        return made
    if what.name in _WRAPS:
        return arguments[0]
    if what.name not in _REBUILDS:
        raise ValueError(f"{what.name} makes no tensor")
    storage, offset, shape, strides = arguments[:4]
    dtype = _DTYPES[arguments[6].name] if what.name.endswith("_v3") else storage.dtype
    if len(shape) > 64 or len(strides) > 64 or not all(map(_is_size, (offset, *shape, *strides))):
        raise ValueError("a shape that is no row of whole numbers")
    steps = sum((n - 1) * step for n, step in zip(shape, strides, strict=True))
    last = offset + steps + 1 if all(shape) else 0
    return Tensor(dtype, tuple(shape)), storage, last
