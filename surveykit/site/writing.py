"""The whole site as plain Markdown and files in a folder, which any generator of sites can take, and people can read."""

from __future__ import annotations

import posixpath
import re
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from surveykit.site.rendering import Page, fill
from surveykit.site.text.about_page import about_page, with_front_matter

_ADDRESS = re.compile(r"""(\]\(|(?:href|src)=")(?![a-z][a-z+.-]*:|[/#])([^)\s"]+)""")


def write(pages: Iterable[Page], by_hand: Path, live: Mapping[str, str], to: Path) -> None:
    """Write generated and hand-written pages into a folder, and remove what an earlier run left there.

    Files that would not change are left alone, so that whoever watches the folder sees what did.

    Args:
        by_hand: folder of the hand-written pages and their assets.
        live: texts that hand-written pages take in.
    """
    kept = set()
    for source in sorted(path for path in by_hand.rglob("*") if path.is_file()):
        path = source.relative_to(by_hand).as_posix()
        kept.add(path)
        if source.suffix == ".md":
            text = fill(source.read_text(encoding="utf-8"), live, path)
            _put(to / path, with_front_matter(text, about_page(path, None, text)).encode())
        else:
            _put(to / path, source)
    for page in pages:
        kept.add(page.path)
        content = page.content
        if isinstance(content, str):
            content = with_front_matter(content, about_page(page.path, page.title, page.says or content))
        _put(to / page.path, content.encode() if isinstance(content, str) else content)
    for old in list(to.rglob("*")):
        if old.is_file() and old.relative_to(to).as_posix() not in kept:
            old.unlink()


def _put(path: Path, content: bytes | Path) -> None:
    if isinstance(content, Path):
        same = path.is_file() and _stamp(path) == _stamp(content)
    else:
        same = path.is_file() and path.stat().st_size == len(content) and path.read_bytes() == content
    if same:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, Path):
        shutil.copy2(content, path)
    else:
        path.write_bytes(content)


def _stamp(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns


def write_twins(docs: Path, site: Path) -> None:
    """Put each page's Markdown beside its HTML as index.md, for programs that read pages."""
    for source in docs.rglob("*.md"):
        page = source.relative_to(docs).as_posix()
        path = site / twin_of(page)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(twin(source.read_text(encoding="utf-8"), page), encoding="utf-8")


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
