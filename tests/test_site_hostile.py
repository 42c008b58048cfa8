"""Texts of the catalog are only texts, whatever they look like: on the built site, and as Markdown."""

from __future__ import annotations

import json
import re
from pathlib import Path

import markdown as python_markdown
import pytest
from altered import HOSTILE, TAKES_THE_TITLE
from conftest import ROOT
from page_html import Html, read

from surveykit.site.data.method_columns import COLUMNS
from surveykit.site.text import markdown


def test_a_hostile_method_is_only_a_name(altered_site: Path) -> None:
    for path in sorted(altered_site.rglob("*.html")):
        assert read(path).harmless(), path
    assert read(altered_site / "methods" / "hostile" / "index.html").headings == [HOSTILE]
    index = read(altered_site / "methods" / "index.html")
    assert {HOSTILE, TAKES_THE_TITLE} <= {row[0] for row in index.rows}
    assert {len(row) for row in index.rows} == {len(COLUMNS)}
    assert HOSTILE in read(altered_site / "compare" / "index.html").text()
    source = read(altered_site / "sources" / "hostile" / "index.html")
    table = read(next((altered_site / "sources" / "hostile").glob("*/index.html")))
    assert source.headings == [HOSTILE]
    assert [row[0] for row in table.rows if row[3:4] == ["1"]] == [HOSTILE]
    data = json.loads((altered_site / "assets" / "data" / "methods-table.json").read_text(encoding="utf-8"))
    assert [row["name"] for row in data["rows"] if row["id"] == "hostile"] == [HOSTILE]
    search = json.loads((altered_site / "search" / "index.json").read_text(encoding="utf-8"))
    for entry in search["docs"]:
        for shown in (entry["title"], entry["text"]):
            assert "<script" not in shown.lower()
            assert "<img" not in shown.lower()


@pytest.mark.parametrize(
    "harm", ["<script>alert(1)</script>", "<p onclick='x()'>a</p>", "<a href='JavaScript:x'>a</a>"]
)
def test_harm_would_be_seen(harm: str) -> None:
    assert Html("<p>alert</p>").harmless()
    assert not Html(harm).harmless()


def test_templates_join_no_text_around_the_escapes() -> None:
    """`~` and these filters would escape for HTML only."""
    for path in sorted((ROOT / "surveykit" / "site" / "templates").glob("*.j2")):
        for expression in re.findall(r"{{(.*?)}}", path.read_text(encoding="utf-8"), re.DOTALL):
            assert not re.search(r"\|\s*(safe|join|format|replace|e|escape)\b", expression), (path.name, expression)


@pytest.mark.parametrize(
    "text",
    ["# a", "- a", "+ a", "1. a", "1) a", "    a", "> a", "a | b", "a_b_c", "**a**", "`a`", "<b>", "&amp;", "[a](b)",
     "![a](b)", "{: .x }", "a\n\n# b", "---", "===", "\\*a\\*", "!!! note", "http://a.b", "~~a~~", "^a^", "a\x02b\x03"],
)  # fmt: skip
def test_escaped_text_shows_itself(text: str) -> None:
    made = python_markdown.markdown(
        str(markdown.escape(text)), extensions=["tables", "attr_list", "admonition", "toc", "pymdownx.superfences"]
    )
    page = Html(made)
    assert [tag for tag, _ in page.elements] == ["p"]
    wanted = " ".join("".join(c for c in text if c.isprintable() or c.isspace()).split())
    assert page.text() == wanted


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "JAVASCRIPT:x", "data:text/html,x", "//a.b", "", None, "http:x"]
)
def test_only_addresses_of_the_web_become_links(url: str | None) -> None:
    assert "](" not in markdown.external("a", url)
