"""What pages say of themselves: descriptions, pictures for shared links, the line of trust, citations, and Markdown twins."""

from __future__ import annotations

import struct
from collections import Counter
from datetime import date
from pathlib import Path

import pytest
import small_catalog
from page_html import Html, read
from shared import built

from surveykit.site.data.provenance import Provenance
from surveykit.site.rendering import Page
from surveykit.site.text.about_page import about_page, description, with_front_matter
from surveykit.site.text.twins import twin, twin_of
from surveykit.site.writing import write


def test_each_page_is_described_in_words_of_its_own(pages: dict[str, Page]) -> None:
    said = {
        path: str(about_page(path, page.title, page.says or str(page.content))["description"])
        for path, page in pages.items()
        if path.endswith(".md")
    }
    assert len(said) > 100
    assert not [text for text, times in Counter(said.values()).items() if times > 1]
    assert {path: text for path, text in said.items() if not 40 < len(text) <= 200} == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("---\nhide: [toc]\n---\n\n# Bench { #bench }\n\n[All](x.md)\n\nA **plan** says what [is run](y.md) on a `GPU` here.\n",
         "Bench: A plan says what is run on a GPU here."),
        ("# LoRA\n\nLoRA (Hu et al., 2022) trains two thin matrices beside frozen weights. It merges. It is small.\n",
         "LoRA (Hu et al., 2022) trains two thin matrices beside frozen weights."),
        ("# A &#60;b&#62; &#124;\n\n| a | b |\n|---|---|\n| 1 | 2 |\n", "A <b> |"),
    ],
)  # fmt: skip
def test_a_description_is_the_first_sentence_without_markup(text: str, said: str) -> None:
    assert description(text) == said


def test_facts_join_those_that_a_page_begins_with() -> None:
    assert with_front_matter("---\nhide: [toc]\n---\n\n# A\n", {"description": 'a "b"'}) == (
        '---\nhide: [toc]\ndescription: "a \\"b\\""\n---\n\n# A\n'
    )
    assert with_front_matter("# A\n", {"card": "site"}) == '---\ncard: "site"\n---\n\n# A\n'


def test_a_twin_leads_to_other_twins_and_to_files() -> None:
    text = 'See [a](../compare.md#x), [b](vera.md), ![c](../figures/c.svg), [d](https://e.org/f.md), <a href="../index.md">'
    assert twin_of("methods/lora.md") == "methods/lora/index.md"
    assert twin(text, "methods/lora.md") == (
        "See [a](../../compare/index.md#x), [b](../vera/index.md), ![c](../../figures/c.svg), [d](https://e.org/f.md),"
        ' <a href="../../index.md">'
    )
    assert twin("[a](lora.md) [b](../sql.md)", "methods/index.md") == "[a](lora/index.md) [b](../sql/index.md)"


def test_what_did_not_change_is_not_written_again_and_what_is_gone_is_removed(tmp_path: Path) -> None:
    by_hand, to = tmp_path / "docs", tmp_path / "to"
    by_hand.mkdir()
    (by_hand / "about.md").write_text("# About\n\n<!-- live: n -->\n")
    write([Page(path="a/b.md", content="# B\n"), Page(path="c.txt", content=b"c")], by_hand, {"n": "7"}, to)
    before = {path: path.stat().st_mtime_ns for path in to.rglob("*.md")}
    assert "\n7\n" in (to / "about.md").read_text()
    write([Page(path="a/b.md", content="# B\n")], by_hand, {"n": "7"}, to)
    assert {path: path.stat().st_mtime_ns for path in to.rglob("*.md")} == before
    assert not (to / "c.txt").exists()


def test_a_citation_is_bibtex_with_version_day_and_commit() -> None:
    known = Provenance(
        checked=date(2026, 11, 9), commit="0123456789abcdef with changes", versions=(("surveykit", "1.2"), ("torch", "2.9")),
        address="https://example.org/kit/",
    )  # fmt: skip
    assert (
        known.sentence
        == "Figures checked on 9 November 2026, commit 0123456789 with changes, surveykit 1.2, torch 2.9."
    )
    assert known.bibtex("methods/s_4/", "S_4 & more") == "\n".join(
        [
            "@misc{surveykit-methods-s-4,",
            r"  title = {S\_4 \& more},",
            "  author = {{The surveykit authors}},",
            "  howpublished = {surveykit 1.2},",
            "  year = {2026},",
            "  url = {https://example.org/kit/methods/s_4/},",
            "  note = {Checked on 2026-11-09, commit 0123456789 with changes},",
            "}",
        ]
    )
    hostile = known.bibtex("a/", "Lo{RA \\ }} {")
    assert hostile.count("{") == hostile.count("}"), "braces of a title end no field"
    assert "Lo RA" in hostile


def test_with_an_address_a_shared_link_has_a_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SITE_URL", "https://example.org/kit/")
    site = built(small_catalog.write(tmp_path / "catalog"), tmp_path)
    cards = {
        "methods/lora/": "methods/lora",
        "methods/": "methods",
        "sources/lialin2023scaling/": "sources/lialin2023scaling",
    }
    for page, card in (*cards.items(), ("survey/table-4/", "sources"), ("", "site"), ("about/", "site")):
        facts = facts_of(read(site / page / "index.html"))
        assert facts["og:url"] == f"https://example.org/kit/{page}"
        assert facts["og:image"] == f"https://example.org/kit/assets/cards/{card}.png"
        assert facts["og:description"] == facts["description"]
        assert facts["og:image:alt"].endswith(".")
    named = {facts_of(read(path)).get("og:image", "").rpartition("/cards/")[2] for path in site.rglob("index.html")} - {
        ""
    }
    there = {
        path.relative_to(site / "assets" / "cards").as_posix() for path in (site / "assets" / "cards").rglob("*.png")
    }
    assert named == there, "each that is named is there, and no other"
    for card in there:
        content = (site / "assets" / "cards" / card).read_bytes()
        assert content.startswith(b"\x89PNG")
        assert struct.unpack(">II", content[16:24]) == (1200, 630)
        assert len(content) < 100_000
    assert (site / "methods" / "lora" / "index.md").is_file()


def facts_of(page: Html) -> dict[str, str]:
    return {
        a.get("property", a.get("name", "")): a["content"]
        for tag, a in page.elements
        if tag == "meta" and "content" in a
    }


def test_every_page_says_when_it_was_checked_and_how_to_cite_it(html: dict[str, Html]) -> None:
    for path, page in html.items():
        if "methods/" in path or path in ("index.html", "glossary/index.html"):
            assert "Figures checked on" in page.text(), path
            assert "@misc{surveykit" in page.text(), path
