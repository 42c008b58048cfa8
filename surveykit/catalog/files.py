"""Reading a file that may be anything: bounded, and only if it is a regular file of UTF-8 text."""

from __future__ import annotations

import re
from pathlib import Path

from surveykit.errors import Problem
from surveykit.files import read_bounded

MOST_BYTES = {
    ".yaml": 512 * 1024,
    ".json": 512 * 1024,
    ".csv": 16 * 1024 * 1024,
    ".bib": 4 * 1024 * 1024,
    ".sql": 512 * 1024,
}
"""The largest file of each kind that is read, many times what a catalog needs; of other kinds, as large as a table."""
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
"""Characters that no text of a catalog needs, and that a terminal would obey. Line ends and tabs are not among them."""


def read_text(path: Path, name: str) -> tuple[str | None, Problem | None]:
    """The text of a file, or the one problem that keeps it from being read.

    Args:
        name: what the file is called in a problem.
    """
    most = MOST_BYTES.get(path.suffix, MOST_BYTES[".csv"])
    try:
        content = read_bounded(path, most)
    except OSError as error:
        return None, Problem(name, 0, 0, f"cannot be read: {error.strerror}")
    if content is None:
        return None, Problem(name, 0, 0, f"larger than {most // 1024:,} kB, the largest file that is read here")
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
