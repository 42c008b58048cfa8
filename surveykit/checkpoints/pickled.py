"""Names, shapes and types in a PyTorch file, without its numbers and without running its pickle.

Such a file is a pickle, a program, beside raw storages. Its instructions are read as a list and followed on plain data:
nothing is imported or called, a tensor is what the arguments of its constructor say, and a name that no tensor needs
is refused. Both layouts are known: the archive of today, and the one before torch 1.6, a row of pickles and storages.
"""

from __future__ import annotations

import pickletools
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from os import SEEK_END
from typing import IO, Any

from surveykit.checkpoints.header import BYTES, Tensor
from surveykit.errors import CheckpointError

LIMIT = 64 * 2**20
"""Bytes of instructions that are read at most; a state dict has about 200 for a tensor."""
_MAGIC = 0x1950A86A20F9469CFC6C
"""The first pickle of the layout before torch 1.6."""
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
class _Storage:
    key: str
    bytes: int
    dtype: str | None


class _Bounded:
    """A file of which only so much is read: what a hostile length asks for beyond that is refused, not allocated."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._left = file, LIMIT

    def read(self, size: int) -> bytes:
        return self._spent(self._file.read(size) if size <= self._left else None)

    def readline(self) -> bytes:
        return self._spent(self._file.readline(self._left + 1))

    def _spent(self, found: bytes | None) -> bytes:
        self._left -= LIMIT + 1 if found is None else len(found)
        if found is None or self._left < 0:
            raise ValueError(f"it has more than {LIMIT:,} bytes of instructions")
        return found


def tensors_of(file: IO[bytes], where: str) -> dict[str, Tensor]:
    """The tensors of a file's state dict.

    Args:
        file: opened for reading in binary, at its start, and able to seek.
        where: the file, for messages.

    Raises:
        CheckpointError: it is no PyTorch file, is damaged, names what no tensor needs, or holds what is no tensor.
    """
    start = file.read(4)
    file.seek(0)
    try:
        state, storages = _archive(file) if start == b"PK\x03\x04" else _row(file)
        return dict(_checked(state, storages))
    except CheckpointError as error:
        raise CheckpointError(f"{where}: {error}") from error
    except zipfile.BadZipFile as error:
        raise CheckpointError(f"{where}: the archive is cut off or damaged ({error})") from error
    # Whatever a damaged program does wrong: an empty stack, a missing memo, an argument of another type.
    except (ValueError, IndexError, KeyError, TypeError, AttributeError, EOFError, OverflowError) as error:
        raise CheckpointError(f"{where}: no PyTorch file, or a damaged one ({error})") from error


def _archive(file: IO[bytes]) -> tuple[Any, dict[str, int] | None]:
    with zipfile.ZipFile(file) as archive:
        sizes = {info.filename: info.file_size for info in archive.infolist()}
        name = next((n for n in sizes if n.endswith("/data.pkl") and n.count("/") == 1), None)
        if name is None:
            raise CheckpointError("the archive holds no data.pkl, so it was not written by torch.save")
        with archive.open(name) as program:
            state = _follow(_Bounded(program))
        folder = f"{name.removesuffix('.pkl')}/"
        return state, {n.removeprefix(folder): size for n, size in sizes.items() if n.startswith(folder)}


def _row(file: IO[bytes]) -> tuple[Any, None]:
    bounded = _Bounded(file)
    if _follow(bounded) != _MAGIC:
        raise CheckpointError("no file that torch.save wrote")
    _follow(bounded)  # the version of the protocol
    _follow(bounded)  # the sizes of numbers on the machine that wrote it
    state, keys = _follow(bounded), _follow(bounded)
    # The storages come after it, each behind its length, and are not read.
    sizes = {value[1].key: value[1].bytes for value in _tensors(state).values()}
    needed = file.tell() + sum(8 + size for size in sizes.values())
    if not sizes.keys() <= set(keys) or file.seek(0, SEEK_END) < needed:
        raise CheckpointError(f"it is cut off or damaged: with its storages it should have {needed:,} bytes")
    return state, None


def _tensors(state: Any) -> dict[str, tuple[Tensor, _Storage, int]]:
    if not isinstance(state, dict):
        raise CheckpointError("it holds no state dict")
    for name, value in state.items():
        if not (isinstance(name, str) and isinstance(value, tuple) and value and isinstance(value[0], Tensor)):
            raise CheckpointError(f"it holds {name!r}, which is no tensor; a state dict was expected")
    return state


def _checked(state: Any, storages: dict[str, int] | None) -> Iterator[tuple[str, Tensor]]:
    for name, (tensor, storage, last) in _tensors(state).items():
        if last * BYTES[tensor.dtype] > storage.bytes:
            raise CheckpointError(f"{name} is {tensor}, more than its storage of {storage.bytes:,} bytes holds")
        if storages is not None and storages.get(storage.key) != storage.bytes:
            had = storages.get(storage.key)
            said = "is missing" if had is None else f"has {had:,} bytes"
            raise CheckpointError(f"the storage of {name} {said}, where {storage.bytes:,} bytes should be")
        yield name, tensor


def _follow(program: _Bounded) -> Any:
    """Follow one pickle on plain data, and return what it leaves."""
    stack: list[Any] = []
    memo: dict[int, Any] = {}

    def marked() -> list[Any]:
        place = max(i for i, value in enumerate(stack) if value is _MARK)
        found = stack[place + 1 :]
        del stack[place:]
        return found

    argument: Any
    for opcode, argument, _ in pickletools.genops(program):  # type: ignore[arg-type]  # read and readline suffice
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
                name, module = stack.pop(), stack.pop()
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


def _named(name: str) -> _Global:
    if name not in _KNOWN:
        raise CheckpointError(f"its pickle names {name}, which no tensor needs; it is refused and was not run")
    return _Global(name)


def _storage(given: Any) -> _Storage:
    word, kind, key, _, count = given[:5]
    dtype = _STORAGES.get(kind.name)
    if word != "storage" or not (dtype or kind.name in _UNTYPED) or type(count) is not int:
        raise ValueError("a storage of no known kind")
    return _Storage(str(key), count * (BYTES[dtype] if dtype else 1), dtype)


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
    if not all(type(n) is int and n >= 0 for n in (offset, *shape, *strides)):
        raise ValueError("a shape that is no row of whole numbers")
    steps = sum((n - 1) * step for n, step in zip(shape, strides, strict=True))
    last = offset + steps + 1 if all(shape) else 0
    return Tensor(dtype, tuple(shape)), storage, last
