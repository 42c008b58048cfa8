"""What a page's scripts need, so that a browser asks for all of it at once: it finds each import only by reading a script."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

START = "assets/js/start.js"
_IMPORT = re.compile(r'^import .*?"(\.[^"]+)";$', re.MULTILINE)


def modules(docs: Path, script: str) -> list[str]:
    """A script of the page, and all that it and the start import, from the site's root."""
    found: list[str] = []
    waiting = [START, script]
    while waiting:
        path = waiting.pop(0)
        if path in found:
            continue
        found.append(path)
        text = (docs / path).read_text(encoding="utf-8")
        waiting += [posixpath.normpath(posixpath.join(posixpath.dirname(path), one)) for one in _IMPORT.findall(text)]
    return found
