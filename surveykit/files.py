"""Opening a file that somebody else made: only a regular one, for a pipe or a device may never end."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO


class NotRegularError(OSError):
    """The path names a folder, a pipe, a device or a socket."""


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file, or one that a link leads to, for reading in binary.

    Raises:
        NotRegularError: it is something else; nothing was read or waited for.
        OSError: it cannot be opened.
    """
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    file = os.fdopen(handle, "rb") if stat.S_ISREG(os.fstat(handle).st_mode) else None
    if file is None:
        os.close(handle)
        raise NotRegularError(None, "is not a regular file")
    return file


def read_bounded(path: Path, most_bytes: int) -> bytes | None:
    """The content of a regular file; None where it is larger than so many bytes. Raises as `open_regular`."""
    with open_regular(path) as file:
        content = file.read(most_bytes + 1)
    return content if len(content) <= most_bytes else None
