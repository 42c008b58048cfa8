"""Reading a file that may be anything: bounded, and only if it is a regular file of UTF-8 text."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from surveykit.errors import Problem

MOST_BYTES = {".yaml": 512 * 1024, ".csv": 16 * 1024 * 1024, ".bib": 4 * 1024 * 1024}
"""The largest file of each kind that is read: many times what a catalog needs."""
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
"""Characters that no text of a catalog needs, and that a terminal would obey. Line ends and tabs are not among them."""


def read_text(path: Path, name: str) -> tuple[str | None, Problem | None]:
    """The text of a file, or the one problem that keeps it from being read.

    Args:
        name: what the file is called in a problem.
    """
    try:
        content = _bytes(path, MOST_BYTES[path.suffix])
    except OSError as error:
        return None, Problem(name, 0, 0, f"cannot be read: {error.strerror}")
    if isinstance(content, str):
        return None, Problem(name, 0, 0, content)
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        column = error.start - content.rfind(b"\n", 0, error.start)
        return None, Problem(name, line, column, f"not UTF-8: the byte 0x{content[error.start]:02x}")
    found = CONTROL.search(text)
    if found:
        line = text.count("\n", 0, found.start()) + 1
        column = found.start() - text.rfind("\n", 0, found.start())
        return None, Problem(name, line, column, control_message(found[0]))
    return text, None


def control_message(character: str) -> str:
    return f"the control character U+{ord(character):04X} is not allowed"


def _bytes(path: Path, most_bytes: int) -> bytes | str:
    """The content, or why it is not read. A pipe or a device may never end, so it is not even waited for."""
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            return "is not a regular file"
        content = file.read(most_bytes + 1)
    if len(content) > most_bytes:
        return f"larger than {most_bytes // 1024:,} kB, the largest file that is read here"
    return content
