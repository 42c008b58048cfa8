"""A checkpoint in a folder. Only headers are read; a hash is told where the hub's cache has it in the file's name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from huggingface_hub import parse_local_safetensors_file_metadata
from huggingface_hub.errors import SafetensorsParsingError

from surveykit.checkpoints import pickled, safetensors
from surveykit.checkpoints.header import File, Tensor
from surveykit.errors import CheckpointError

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
        with _readable(f"{self.name}/{name}"):
            return (self.path / name).read_bytes()

    def tensors(self, name: str) -> dict[str, Tensor]:
        """What the header of a file of weights says."""
        path, where = self.path / name, f"{self.name}/{name}"
        with _readable(where), path.open("rb") as file:
            start = file.read(len(_POINTER))
            if start == _POINTER:
                raise CheckpointError(f"{where}: git left a pointer in place of the file; run git lfs pull")
            file.seek(0)
            if path.suffix != ".safetensors":
                return pickled.tensors_of(file, where)
            header = int.from_bytes(start[: safetensors.LENGTH], "little")
            return safetensors.tensors_of(
                parse_local_safetensors_file_metadata(path), where, path.stat().st_size, header
            )


def _file(path: Path) -> File:
    blob = path.resolve()
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
    # What huggingface_hub says of a header, and what it does not expect in one: no object, a shape that is no list.
    except (SafetensorsParsingError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"{where}: {safetensors.reason(error)}") from error
