"""Whether the header of a safetensors file can be true. huggingface_hub reads it, but believes what it says."""

from __future__ import annotations

from collections.abc import Mapping

from huggingface_hub.errors import SafetensorsParsingError
from huggingface_hub.utils._safetensors import SafetensorsFileMetadata

from surveykit.checkpoints.header import BYTES, Tensor
from surveykit.errors import CheckpointError

LENGTH = 8
"""Bytes at the start that give the length of the header."""


def tensors_of(found: SafetensorsFileMetadata, where: str, size: int | None, header: int | None) -> dict[str, Tensor]:
    """The tensors of a file whose parts lie one after another, as long as their shapes say.

    Args:
        where: the file, for messages.
        size: bytes of the file; None where they are not known.
        header: bytes of the header; None where they are not known, and then the file must only be large enough.

    Raises:
        CheckpointError: a tensor is not as long as its shape says, lies over another, or ends beyond the file.
    """
    tensors: dict[str, Tensor] = {}
    spans: list[tuple[int, int, str]] = []
    for name, info in found.tensors.items():
        shape, offsets = info.shape, info.data_offsets
        if not (name.isprintable() and str(info.dtype).isprintable()):
            raise CheckpointError(f"{where}: the header has control characters in the entry of {name!a}")
        if not isinstance(shape, list) or not isinstance(info.dtype, str) or len(offsets) != 2:
            raise CheckpointError(f"{where}: the header's entry of {name} is no tensor")
        if not all(type(n) is int and n >= 0 for n in (*shape, *offsets)):
            raise CheckpointError(f"{where}: {name} has a shape or place that is no row of whole numbers")
        tensors[name] = Tensor(info.dtype, tuple(shape))
        spans.append((*offsets, name))
    _check_lengths(tensors, spans, where)
    end = max((stop for _, stop, _ in spans), default=0)
    if size is None:
        return tensors
    if header is not None and LENGTH + header + end != size:
        said = f"the header describes {LENGTH + header + end:,} bytes, the file has {size:,}"
        raise CheckpointError(f"{where}: {said}; it is cut off or damaged")
    if LENGTH + end > size:
        raise CheckpointError(f"{where}: the header describes more than the {size:,} bytes of the file")
    return tensors


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


def reason(error: Exception) -> str:
    """Why a header could not be read, in a few words."""
    if not isinstance(error, SafetensorsParsingError):
        return f"its header is none of safetensors ({error})"
    # "Failed to parse safetensors header for 'FILE' (CONTEXT): " is what the caller says better.
    return str(error).partition("): ")[2].removesuffix(".") or str(error)
