"""A checkpoint in a folder. A hash is given where the hub's cache has it in the file's name."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from surveykit.checkpoints.header import File
from surveykit.files import open_regular


class Folder:
    """The files of a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = str(path)
        resolved = path.resolve()
        # The hub's cache: snapshots/COMMIT/FILE is a link to blobs/SHA256.
        self.revision = resolved.name if resolved.parent.name == "snapshots" else None
        self.files: Mapping[str, File] = {entry.name: _file(entry) for entry in path.iterdir()}

    def open(self, name: str) -> IO[bytes]:
        return open_regular(self.path / name)


def _file(path: Path) -> File:
    blob = Path(os.path.realpath(path))  # which follows a loop of links no further
    sha256 = blob.name if blob.parent.name == "blobs" and re.fullmatch("[0-9a-f]{64}", blob.name) else None
    return File(path.name, path.stat().st_size if path.exists() else None, sha256)
