"""What the search's index holds of a page."""

from __future__ import annotations

from pathlib import Path

import pytest

from surveykit.site.search import searched


def table(rows: int) -> str:
    return f"<table><tr><th>a</th></tr>{'<tr><td>cell</td></tr>' * rows}</table>"


@pytest.mark.parametrize(
    "left_out",
    [
        '<pre id="a"><span>code</span></pre>',
        '<svg viewBox="0 0 1 1"><text>drawn</text></svg>',
        '<details class="proof" open><summary>2</summary>query</details>',
        table(12),
    ],
)
def test_code_pictures_proofs_and_long_tables_are_left_out(left_out: str) -> None:
    assert searched(f"<p>before</p>\n{left_out}\n<p>between</p>{left_out}<p>after</p>") == (
        "<p>before</p>\n\n<p>between</p><p>after</p>"
    )


@pytest.mark.parametrize("kept", [table(11), '<details class="fold"><p>text</p></details>', "<presented>a</presented>"])
def test_all_else_is_searched(kept: str) -> None:
    assert searched(kept) == kept


def test_pages_are_whole_though_a_part_is_searched(site: Path) -> None:
    index = (site / "search" / "index.json").read_text(encoding="utf-8")
    page = (site / "methods" / "lora" / "index.html").read_text(encoding="utf-8")
    for mark in ("<svg", '<details class="proof"', "<pre"):
        assert mark in page
        assert mark not in index
    assert "data-search-exclude" not in page
