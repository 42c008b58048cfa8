"""The Markdown that lies beside each page of the site, for programs that read pages."""

from __future__ import annotations

import posixpath
import re

_ADDRESS = re.compile(r"""(\]\(|(?:href|src)=")(?![a-z][a-z+.-]*:|[/#])([^)\s"]+)""")


def twin_of(page: str) -> str:
    """Where the Markdown of a page lies on the site."""
    return page if posixpath.basename(page) == "index.md" else f"{page.removesuffix('.md')}/index.md"


def twin(text: str, page: str) -> str:
    """A page's Markdown as it lies on the site, with links that lead from there to the Markdown of other pages."""
    folder, here = posixpath.dirname(page), posixpath.dirname(twin_of(page))

    def moved(found: re.Match[str]) -> str:
        path, mark, anchor = found[2].partition("#")
        target = posixpath.normpath(posixpath.join(folder, path))
        target = twin_of(target) if target.endswith(".md") else target
        return f"{found[1]}{posixpath.relpath(target, here or '.')}{mark}{anchor}"

    return _ADDRESS.sub(moved, text)
