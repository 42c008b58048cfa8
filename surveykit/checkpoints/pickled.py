"""Names, shapes and types in a PyTorch file, without reading its numbers or running its pickle.

Such a file is a pickle, a program, beside raw storages, in one of two layouts: the archive of today, or the row of pickles
and storages that torch before 1.6 wrote. Python's unpickler follows the program with fewer instructions than usual, and
the functions that a file may name are replaced by ours, which take notes and make no tensor.

Why not torch.load(weights_only=True) under FakeTensorMode, or with map_location="meta"? Tried with torch 2.13, it reads
no storage of either layout, but a hostile file can still do harm, and a damaged one is accepted:

- `.storage_alignment` of 0 in an archive ends the process (floating point exception), which no `except` can stop;
- nested tuples in 300 bytes of pickle, as a key or as the name of a storage type, keep it busy for ever;
- `bytearray` is among the functions that it allows, so 30 bytes of pickle take gigabytes of memory; a compressed
  data.pkl is unpacked whole;
- storages that are missing or too short are not noticed, and tensors that share one no longer do;
- archives of torch before 2.8 cost one request for each storage on a hub (51 for 50 tensors; 2 here).

A check that refuses all this before torch.load would have to follow the program as this module does.
"""

from __future__ import annotations

import pickle
import pickletools
import struct
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from io import BytesIO
from os import SEEK_END
from typing import IO, Any

from surveykit.checkpoints.header import BYTES, Tensor, printed
from surveykit.errors import CheckpointError

MOST_BYTES = 16 * 2**20
"""Bytes that are read at most of an archive's list of contents, and of pickles; these have about 200 for a tensor."""
MOST_READS = 2_000_000
"""Instructions, and arguments of theirs, that are read at most; a state dict has about 70 for a tensor."""
_MOST_AXES = 64
_MOST_CHARACTERS = 1000
_MAGIC = 0x1950A86A20F9469CFC6C
"""The first pickle of the layout before torch 1.6."""
_INSTRUCTIONS = (
    "PROTO STOP MARK NONE NEWTRUE NEWFALSE BININT BININT1 BININT2 LONG1 BINFLOAT BINUNICODE SHORT_BINUNICODE BINUNICODE8 "
    "SHORT_BINSTRING EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 EMPTY_LIST APPEND APPENDS SETITEM SETITEMS BINPUT MEMOIZE "
    "LONG_BINPUT BINGET LONG_BINGET GLOBAL STACK_GLOBAL REDUCE BINPERSID"
)
"""What Python's unpickler does as always, as far as protocols 2 to 4 need it for tensors: it makes text, numbers, lists
and tuples, and calls what `find_class` gave."""


def tensors_of(file: IO[bytes], where: str) -> dict[str, Tensor]:
    """The tensors of a file's state dict.

    Args:
        file: opened for reading in binary, at its start, and able to seek.
        where: the file, for messages.

    Raises:
        CheckpointError: it is no PyTorch file, is damaged, names what no tensor needs, or holds what is no tensor.
    """
    start = file.read(2)
    file.seek(0)
    try:
        state = _archive(file) if start == b"PK" else _row(file)
        return {name: stored.tensor for name, stored in state.items()}
    except CheckpointError as error:
        raise CheckpointError(f"{where}: {error}") from error
    except zipfile.BadZipFile as error:
        raise CheckpointError(f"{where}: the archive is cut off or damaged ({error})") from error
    # Whatever a damaged program does wrong (an empty stack, a missing memo, an argument of another type), and what zipfile
    # does not know: another version, a password.
    except (
        ValueError, LookupError, TypeError, AttributeError, EOFError, OverflowError, RuntimeError, struct.error,
        pickle.UnpicklingError,
    ) as error:  # fmt: skip
        raise CheckpointError(
            f"{where}: not a PyTorch file, or a damaged one ({str(error) or 'it is cut off'})"
        ) from error


def _archive(file: IO[bytes]) -> dict[str, _Stored]:
    with zipfile.ZipFile(_Bounded(file)) as archive:
        sizes = {info.filename: info.file_size for info in archive.infolist()}
        name = next((n for n in sizes if n.endswith("/data.pkl") and n.count("/") == 1), None)
        if name is None:
            raise CheckpointError("the archive holds no data.pkl, so it was not written by torch.save")
        if archive.getinfo(name).compress_type != zipfile.ZIP_STORED:
            raise CheckpointError(f"{printed(name)} is compressed, so it was not written by torch.save")
        with archive.open(name) as member:
            program = BytesIO(_Bounded(member).read())
    state = _state_dict(_follow(_Bounded(program)))
    for tensor_name, stored in state.items():
        size, expected = sizes.get(f"{name.removesuffix('.pkl')}/{stored.storage.key}"), stored.storage.bytes
        if size != expected:
            problem = "is missing" if size is None else f"has {size:,} bytes"
            raise CheckpointError(f"the storage of {tensor_name} {problem}, where {expected:,} bytes should be")
    return state


def _row(file: IO[bytes]) -> dict[str, _Stored]:
    bounded = _Bounded(file)
    if _follow(bounded) != _MAGIC:
        raise CheckpointError("not a file written by torch.save")
    _follow(bounded)  # the version of the protocol
    _follow(bounded)  # the sizes of numbers on the machine that wrote it
    state = _state_dict(_follow(bounded))
    keys = {key for key in _follow(bounded) if isinstance(key, str)}
    # The storages follow, each behind its length of 8 bytes, and are not read.
    sizes = {stored.storage.key: stored.storage.bytes for stored in state.values()}
    needed = file.tell() + sum(8 + size for size in sizes.values())
    if not sizes.keys() <= keys or file.seek(0, SEEK_END) < needed:
        raise CheckpointError(f"it is cut off or damaged: with its storages it should have {needed:,} bytes")
    return state


def _state_dict(value: Any) -> dict[str, _Stored]:
    if not isinstance(value, dict):
        raise CheckpointError("it holds no state dict")
    for name, entry in value.items():
        if not (name.isprintable() and isinstance(entry, _Stored)):
            raise CheckpointError(f"it holds {name!a}, which is not a tensor; a state dict was expected")
    return value


class _Bounded:
    """A file of which only so much is read: what a hostile length asks for beyond that is refused, not allocated."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._bytes, self._reads = file, MOST_BYTES, MOST_READS
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, size: int = -1) -> bytes:
        self._reads -= 1
        if self._reads < 0:
            raise ValueError(f"it has more than {MOST_READS:,} instructions")
        return self._spent(self._file.read(min(size, self._bytes + 1) if size >= 0 else self._bytes + 1))

    def readline(self) -> bytes:
        return self._spent(self._file.readline(self._bytes + 1))

    def _spent(self, content: bytes) -> bytes:
        self._bytes -= len(content)
        if self._bytes < 0:
            raise ValueError(f"it has more than {MOST_BYTES:,} bytes of instructions")
        return content


@dataclass(frozen=True)
class _Storage:
    """What a pickle says of a storage."""

    key: str
    bytes: int
    dtype: str


@dataclass(frozen=True)
class _Stored:
    """Stands for a tensor in a state dict."""

    tensor: Tensor
    storage: _Storage


class _Names(dict[str, Any]):
    """Stands for a dictionary. Keys are text: to hash nested tuples may take for ever."""

    __slots__ = ()

    def __setitem__(self, key: object, value: Any) -> None:
        super().__setitem__(_text(key), value)


def _tensor(storage: _Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: object) -> _Stored:
    if len(shape) > _MOST_AXES or len(strides) > _MOST_AXES or not all(map(_is_size, (offset, *shape, *strides))):
        raise ValueError("a shape that is not a list of whole numbers")
    tensor = Tensor(storage.dtype, tuple(shape))
    steps = sum((n - 1) * step for n, step in zip(shape, strides, strict=True))
    if all(shape) and (offset + steps + 1) * BYTES[tensor.dtype] > storage.bytes:
        raise CheckpointError(f"a tensor is {tensor}, more than its storage of {storage.bytes:,} bytes holds")
    return _Stored(tensor, storage)


def _typed_tensor(
    storage: _Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], grad: object, hooks: object,
    dtype: str, *_: object,
) -> _Stored:  # fmt: skip
    return _tensor(replace(storage, dtype=_text(dtype)), offset, shape, strides)


def _first(value: Any, *_: object) -> Any:
    return value


_NUMBERS = {
    "Double": "F64", "Float": "F32", "Half": "F16", "BFloat16": "BF16", "Long": "I64", "Int": "I32", "Short": "I16",
    "Char": "I8", "Byte": "U8", "Bool": "BOOL",
}  # fmt: skip
_STAND_INS: Mapping[str, Any] = {
    **{f"{place}.{kind}Storage": dtype for place in ("torch", "torch.cuda") for kind, dtype in _NUMBERS.items()},
    "torch.storage.UntypedStorage": "U8", "torch.UntypedStorage": "U8",
    "torch.float8_e4m3fn": "F8_E4M3", "torch.float8_e5m2": "F8_E5M2", "torch.uint16": "U16", "torch.uint32": "U32",
    "torch.uint64": "U64",
    "torch._utils._rebuild_tensor": _tensor, "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_tensor_v3": _typed_tensor,
    "torch._utils._rebuild_parameter": _first, "torch._utils._rebuild_parameter_with_state": _first,
    "torch.Size": _first, "collections.OrderedDict": lambda: _Names(),
}  # fmt: skip
"""What is done in place of each function and type that a file may name; any other name is refused."""


class _Dispatch(dict[int, Any]):
    def __missing__(self, code: int) -> None:
        name = next((opcode.name for opcode in pickletools.opcodes if opcode.code == chr(code)), None)
        if name is None:
            raise ValueError(f"its pickle has an instruction {code}, which does not exist")
        raise CheckpointError(f"its pickle uses the instruction {name}, which no tensor needs; refused")


class _Unpickler(pickle._Unpickler):
    """Follows a pickle, with stand-ins for dictionaries, storages and tensors."""

    stack: list[Any]
    read: Callable[[int], bytes]
    dispatch = _Dispatch(
        {code: pickle._Unpickler.dispatch[code] for (code,) in (getattr(pickle, n) for n in _INSTRUCTIONS.split())}
    )

    def find_class(self, module: str, name: str) -> Any:
        full = f"{module}.{name}"
        if full not in _STAND_INS:
            raise CheckpointError(
                f"its pickle names {printed(full[:_MOST_CHARACTERS])}, which no tensor needs; it is refused and was not run"
            )
        return _STAND_INS[full]

    def persistent_load(self, pid: Any) -> _Storage:
        word, dtype, key, _, count = pid[:5]
        if not (isinstance(word, str) and word == "storage" and _text(dtype) in BYTES and _is_size(count)):
            raise ValueError("a storage of an unknown kind")
        return _Storage(_text(key), count * BYTES[dtype], dtype)

    def load_empty_dictionary(self) -> None:
        self.stack.append(_Names())

    def load_build(self) -> None:
        """Attributes of the state dict, such as versions of modules, are dropped."""
        self.stack.pop()

    def load_frame(self) -> None:
        """Instructions are counted as they are read, so they are not read ahead."""
        self.read(8)

    dispatch[pickle.FRAME[0]] = load_frame
    dispatch[pickle.EMPTY_DICT[0]] = load_empty_dictionary
    dispatch[pickle.BUILD[0]] = load_build


def _follow(program: _Bounded) -> Any:
    """What one pickle makes; each has a memory of its own."""
    return _Unpickler(program).load()


def _text(value: object) -> str:
    if not isinstance(value, str) or len(value) > _MOST_CHARACTERS:
        raise ValueError(f"a name that is not text of at most {_MOST_CHARACTERS:,} characters")
    return value


def _is_size(value: object) -> bool:
    return type(value) is int and 0 <= value < 2**63
