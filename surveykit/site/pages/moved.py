"""Old addresses that lead on: a small page at each, so that links and bookmarks from before still arrive."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from html import escape

from surveykit.site.inputs import Surroundings
from surveykit.site.text.markdown import target

MOVED: Mapping[str, str] = {
    "discrepancies.md": "findings/lialin2023scaling.md",
    "errata.md": "findings/lialin2023scaling.md",
    "fit.md": "choose.md",
    "pictures.md": "explorer.md",
}
"""Old page → the page that replaced it, perhaps with an anchor there."""
SCRIPT = "assets/moved.js"
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>This page has moved</title>
<link rel="canonical" href="{canonical}">
<noscript><meta http-equiv="refresh" content="0; url={new}"></noscript>
<script src="{script}" defer></script>
</head>
<body>
<main>
<h1>This page has moved</h1>
<p>Its content is now at <a href="{new}">{name}</a>.</p>
</main>
</body>
</html>
"""


def moved_pages(existing: Collection[str], around: Surroundings) -> Iterator[tuple[str, str]]:
    """The pages that lead on, as paths and HTML. A page that still exists, or has no successor yet, leads nowhere.

    Args:
        existing: paths of all pages of the site.
    """
    for old, new in MOVED.items():
        page, mark, anchor = new.partition("#")
        if old in existing or page not in existing:
            continue
        here, there = address_of(old, offline=around.offline), address_of(page, offline=around.offline)
        shown = there.removesuffix("index.html") + mark + anchor
        relative = _relative(there, here) + mark + anchor
        canonical = around.address + shown if around.address else relative
        parts = {"canonical": canonical, "new": relative, "script": target(SCRIPT, here), "name": shown}
        yield here, _PAGE.format_map({name: escape(text) for name, text in parts.items()})


def address_of(page: str, *, offline: bool) -> str:
    """The file of HTML that a page becomes: in a folder of its own, unless pages are opened as files."""
    name = page.removesuffix(".md")
    if offline or name == "index" or name.endswith("/index"):
        return f"{name}.html"
    return f"{name}/index.html"


def _relative(there: str, here: str) -> str:
    """The address that a browser at one file asks for another by, as a folder where it is an index."""
    found = target(there, here)
    return found.removesuffix("index.html") if found.endswith("/index.html") else found
