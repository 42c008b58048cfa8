"""The search's index, which a browser fetches when somebody searches, and not with every page."""

from __future__ import annotations

import json
import re
from pathlib import Path

_WORKERS = "assets/javascripts/workers"
_OURS = "assets/search-worker.js"
_LONG = 12
"""Rows of a table from which on its text is no help to who searches: a page of such a table is found by its other words."""
_NO_HELP = re.compile(r'<pre\b|<details class="proof"')
"""Code and the queries behind numbers repeat themselves on hundreds of pages: most of the index would be theirs."""


def postpone_index(site: Path) -> None:
    """Put our worker before the theme's in a built site, and an empty index where the theme's script looks for one."""
    written, ours = site / "search" / "search_index.json", site / _OURS
    workers = list((site / _WORKERS).glob("search.*.min.js"))
    if not written.is_file() or not ours.is_file() or len(workers) != 1:
        return  # a theme that works in another way searches as it does
    index = json.loads(written.read_text(encoding="utf-8"))
    written.rename(written.with_name("index.json"))
    written.write_text(json.dumps({"config": index["config"], "docs": []}), encoding="utf-8")
    (worker,) = workers
    worker.rename(worker.with_name("theme-search.js"))
    ours.rename(worker)


def for_search(html: str) -> str:
    """A page's HTML in which long tables, code and the proofs of numbers are marked so that the index leaves them out."""

    def marked(table: re.Match[str]) -> str:
        long = table[0].count("<tr>") > _LONG
        return table[0].replace("<table>", "<table data-search-exclude>", 1) if long else table[0]

    html = re.sub(r"<table>.*?</table>", marked, html, flags=re.DOTALL)
    return _NO_HELP.sub(lambda start: f"{start[0]} data-search-exclude", html)
