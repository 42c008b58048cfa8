"""The header of a safetensors file, read as data and believed only where the file's size bears it out.

Layout: eight bytes with the length of the header, the header as JSON, the tensors' bytes one after another.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import IO, Any

from surveykit.checkpoints.header import BYTES, Tensor
from surveykit.errors import CheckpointError

_LENGTH = 8
LONGEST_HEADER = 25_000_000
"""Bytes of a header that are read at most: what huggingface_hub reads; T5-11B's has a hundredth of a hundredth."""
_ABOUT = "__metadata__"


def tensors_of(file: IO[bytes], where: str, size: int | None) -> dict[str, Tensor]:
    """The tensors of a file whose parts lie one after another, as long as their shapes say.

    Args:
        file: opened for reading in binary, at its start.
        where: the file, for messages.
        size: bytes of the file; None where they are not known.

    Raises:
        CheckpointError: the header is none, or a tensor is not as long as its shape says, lies over another, or ends
            beyond the file.
    """
    header, length = _header(file, where, size)
    tensors: dict[str, Tensor] = {}
    spans: list[tuple[int, int, str]] = []
    for name, entry in header.items():
        if name == _ABOUT:
            continue
        if not name.isprintable():
            raise CheckpointError(f"{where}: the header has control characters in the entry of {name!a}")
        tensors[name], span = _entry(name, entry, where)
        spans.append((*span, name))
    _check_lengths(tensors, spans, where)
    described = _LENGTH + length + max((stop for _, stop, _ in spans), default=0)
    if size is not None and described != size:
        said = f"the header describes {described:,} bytes, the file has {size:,}"
        raise CheckpointError(f"{where}: {said}; it is cut off or damaged")
    return tensors


def _header(file: IO[bytes], where: str, size: int | None) -> tuple[dict[str, Any], int]:
    """The header, and its bytes."""
    start = file.read(_LENGTH)
    length = int.from_bytes(start, "little")
    if len(start) < _LENGTH:
        raise CheckpointError(f"{where}: {len(start)} bytes are too few for a safetensors file")
    if length > LONGEST_HEADER:
        raise CheckpointError(f"{where}: a header of {length:,} bytes; at most {LONGEST_HEADER:,} are read")
    if size is not None and _LENGTH + length > size:
        raise CheckpointError(
            f"{where}: its header should have {length:,} bytes, but the file has {size:,}; it is cut off"
        )
    text = file.read(length)
    if len(text) < length:
        raise CheckpointError(f"{where}: it ends within its header; it is cut off")
    try:
        header = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{where}: its header is not JSON ({error})") from error
    if not isinstance(header, dict):
        raise CheckpointError(f"{where}: it has no safetensors header: not a JSON object")
    return header, length


def _entry(name: str, entry: Any, where: str) -> tuple[Tensor, tuple[int, int]]:
    fields = entry if isinstance(entry, dict) else {}
    dtype, shape, offsets = (fields.get(key) for key in ("dtype", "shape", "data_offsets"))
    if not (isinstance(dtype, str) and dtype.isprintable() and isinstance(shape, list) and isinstance(offsets, list)):
        raise CheckpointError(f"{where}: the header's entry of {name} is not a tensor")
    whole = all(type(number) is int and 0 <= number < 2**63 for number in (*shape, *offsets))
    if not whole or len(offsets) != 2 or len(shape) > 64:
        raise CheckpointError(f"{where}: {name} has a shape or place that is not a list of whole numbers")
    return Tensor(dtype, tuple(shape)), (offsets[0], offsets[1])


def _check_lengths(tensors: Mapping[str, Tensor], spans: list[tuple[int, int, str]], where: str) -> None:
    expected = 0
    for start, stop, name in sorted(spans):
        tensor = tensors[name]
        width = BYTES.get(tensor.dtype)
        if width is not None and stop - start != width * tensor.numbers:
            said = f"{name} is {tensor}, {width * tensor.numbers:,} bytes, but has {stop - start:,} in the file"
            raise CheckpointError(f"{where}: {said}")
        if start != expected:
            raise CheckpointError(f"{where}: {name} starts at byte {start:,}, where {expected:,} should follow")
        expected = stop
