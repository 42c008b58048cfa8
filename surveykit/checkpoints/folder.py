"""A checkpoint in a folder. Only headers are read; a hash is told where the hub's cache has it in the file's name."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from surveykit.checkpoints import pickled, safetensors
from surveykit.checkpoints.header import LARGEST_JSON, File, Tensor
from surveykit.errors import CheckpointError
from surveykit.files import open_regular, read_bounded

_POINTER = b"version https://git-lfs"
"""How a file begins that git put in place of a large one."""


class Folder:
    """The files of a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = str(path)
        cached = path.resolve()
        # The hub's cache: snapshots/COMMIT/FILE is a link to blobs/SHA256.
        self.revision = cached.name if cached.parent.name == "snapshots" else None
        with _readable(self.name):
            self.files: Mapping[str, File] = {entry.name: _file(entry) for entry in path.iterdir()}

    def content(self, name: str) -> bytes:
        """A small file, whole."""
        where = f"{self.name}/{name}"
        with _readable(where):
            content = read_bounded(self.path / name, LARGEST_JSON)
        if content is None:
            raise CheckpointError(f"{where}: it has more than the {LARGEST_JSON:,} bytes that are read")
        return content

    def tensors(self, name: str) -> dict[str, Tensor]:
        """What the header of a file of weights says."""
        path, where = self.path / name, f"{self.name}/{name}"
        with _readable(where), open_regular(path) as file:
            start = file.read(len(_POINTER))
            if start == _POINTER:
                raise CheckpointError(f"{where}: git left a pointer in place of the file; run git lfs pull")
            file.seek(0)
            if path.suffix != ".safetensors":
                return pickled.tensors_of(file, where)
            return safetensors.tensors_of(file, where, path.stat().st_size)


def _file(path: Path) -> File:
    blob = Path(os.path.realpath(path))  # which follows a loop of links no further
    sha256 = blob.name if blob.parent.name == "blobs" and re.fullmatch("[0-9a-f]{64}", blob.name) else None
    return File(path.name, path.stat().st_size if path.exists() else None, sha256)


@contextmanager
def _readable(where: str) -> Iterator[None]:
    """Say in one line why a file cannot be read."""
    try:
        yield
    except CheckpointError:
        raise
    except OSError as error:
        raise CheckpointError(f"{where}: {error.strerror or error}") from error
