"""Names, shapes and types in a PyTorch file, without its numbers and without running its pickle.

Such a file is a pickle, a program, beside raw storages. Both layouts are known: the archive of today, and the one before
torch 1.6, a row of pickles and storages.
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Iterator
from os import SEEK_END
from typing import IO, Any

from surveykit.checkpoints.header import BYTES, Tensor
from surveykit.checkpoints.program import Bounded, Storage, follow
from surveykit.errors import CheckpointError

_MAGIC = 0x1950A86A20F9469CFC6C
"""The first pickle of the layout before torch 1.6."""


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
    # Whatever a damaged program does wrong (an empty stack, a missing memo, an argument of another type), and what zipfile
    # does not know: another version, a password.
    except (
        ValueError, IndexError, KeyError, TypeError, AttributeError, EOFError, OverflowError, RuntimeError, struct.error
    ) as error:  # fmt: skip
        raise CheckpointError(f"{where}: no PyTorch file, or a damaged one ({error})") from error


def _archive(file: IO[bytes]) -> tuple[Any, dict[str, int] | None]:
    with zipfile.ZipFile(file) as archive:
        sizes = {info.filename: info.file_size for info in archive.infolist()}
        name = next((n for n in sizes if n.endswith("/data.pkl") and n.count("/") == 1), None)
        if name is None:
            raise CheckpointError("the archive holds no data.pkl, so it was not written by torch.save")
        if archive.getinfo(name).compress_type != zipfile.ZIP_STORED:
            raise CheckpointError(f"{name} is compressed, so it was not written by torch.save")
        with archive.open(name) as program:
            state = follow(Bounded(program))
        folder = f"{name.removesuffix('.pkl')}/"
        return state, {n.removeprefix(folder): size for n, size in sizes.items() if n.startswith(folder)}


def _row(file: IO[bytes]) -> tuple[Any, None]:
    bounded = Bounded(file)
    if follow(bounded) != _MAGIC:
        raise CheckpointError("no file that torch.save wrote")
    follow(bounded)  # the version of the protocol
    follow(bounded)  # the sizes of numbers on the machine that wrote it
    state, keys = follow(bounded), follow(bounded)
    # The storages come after it, each behind its length, and are not read.
    sizes = {value[1].key: value[1].bytes for value in _tensors(state).values()}
    needed = file.tell() + sum(8 + size for size in sizes.values())
    if not sizes.keys() <= set(keys) or file.seek(0, SEEK_END) < needed:
        raise CheckpointError(f"it is cut off or damaged: with its storages it should have {needed:,} bytes")
    return state, None


def _tensors(state: Any) -> dict[str, tuple[Tensor, Storage, int]]:
    if not isinstance(state, dict):
        raise CheckpointError("it holds no state dict")
    for name, value in state.items():
        if not (
            isinstance(name, str)
            and name.isprintable()
            and isinstance(value, tuple)
            and value
            and isinstance(value[0], Tensor)
        ):
            raise CheckpointError(f"it holds {name!a}, which is no tensor; a state dict was expected")
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
