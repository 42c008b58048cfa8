"""What a checkpoint says of itself before its weights: names, shapes and types of numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

BYTES = {
    "F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1, "I64": 8, "I32": 4, "I16": 2, "I8": 1,
    "U64": 8, "U32": 4, "U16": 2, "U8": 1, "BOOL": 1, "C64": 8,
}  # fmt: skip
"""Bytes of a number, under the names that safetensors gives them."""
FLOATS = frozenset({"F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2"})
"""Types that a parameter can be trained in; whole numbers are positions, masks or quantized weights."""


@dataclass(frozen=True)
class Tensor:
    """One tensor of a file: its type (a name of `BYTES`, or another that the file uses) and its shape."""

    dtype: str
    shape: tuple[int, ...]

    @property
    def numbers(self) -> int:
        return prod(self.shape)

    def __str__(self) -> str:
        return f"{self.dtype} {shape_text(self.shape)}"


def shape_text(shape: tuple[int, ...]) -> str:
    """A shape as people write it; a scalar is `one number`."""
    return "×".join(map(str, shape)) or "one number"


def printed(name: str) -> str:
    """A word of a file as it may go to a terminal, which control characters would command."""
    return name if name.isprintable() else ascii(name)


@dataclass(frozen=True)
class File:
    """A file that was read. `sha256` is null where nobody has computed it: the header is read, the weights are not."""

    name: str
    size: int | None = None
    """Bytes."""
    sha256: str | None = None


@dataclass(frozen=True)
class Header:
    """All tensors of a checkpoint, its shards together."""

    source: str
    """The folder, or owner/name on the hub."""
    tensors: Mapping[str, Tensor]
    files: tuple[File, ...]
    revision: str | None = None
    """The commit, where it is known."""
    config: Mapping[str, Any] | None = None
    """config.json beside it; null where there is none."""
    notes: tuple[str, ...] = field(default=())

    @property
    def numbers(self) -> int:
        """Numbers in all tensors, copies and buffers included: more than the model has parameters."""
        return sum(tensor.numbers for tensor in self.tensors.values())
