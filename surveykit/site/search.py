"""The search's index, which a browser fetches when somebody searches, and not with every page."""

from __future__ import annotations

import json
import re
from pathlib import Path

_WORKERS = "assets/javascripts/workers"
_OURS = "assets/search-worker.js"
_LONG = 12
"""Rows of a table from which on its text is no help to who searches: a page of such a table is found by its other words."""
_NO_HELP = re.compile(r'<(pre|svg)\b.*?</\1>|<details class="proof".*?</details>', flags=re.DOTALL)
"""Code and the queries behind numbers repeat themselves on hundreds of pages: most of the index would be theirs. A picture's
words stand beside it."""
_TABLE = re.compile(r"<table>.*?</table>", flags=re.DOTALL)


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


def searched(html: str) -> str:
    """The part of a page's HTML that the index holds: without long tables, code, pictures and the proofs of numbers.

    The theme's search reads a page tag by tag, and most tags of a page are in what is left out here.
    """

    def short(table: re.Match[str]) -> str:
        return "" if table[0].count("<tr>") > _LONG else table[0]

    return _NO_HELP.sub("", _TABLE.sub(short, html))
