"""A method's page: short before anything is opened, and each part opens by a click, a link, or on paper."""

from __future__ import annotations

import pytest

from browser.harness import Browser

HIGHEST = 2500
"""Pixels of a page at a width of 1400 before anything is opened."""
FIRST = ".answers details.proof"


def test_no_page_is_long_before_it_is_opened(browser: Browser, address: str) -> None:
    """All pages of the catalog, without scripts: they are quicker to load, and no higher with them."""
    browser.open("methods/")
    pages = browser.script(
        "return [...new Set([...document.querySelectorAll('article a[href]')].map((a) => a.href.split('#')[0])"
        ".filter((href) => /methods\\/[^/]+\\/$/.test(href)))]"
    )
    assert {f"{address}methods/{name}/" for name in ("lora", "adapters", "vera", "prefix-tuning", "s4")} <= set(pages)
    browser.javascript(False)
    for page in pages:
        browser.open(page.removeprefix(address))
        height = browser.script("return document.documentElement.scrollHeight")
        assert height <= HIGHEST, f"{page}: {height} px"


@pytest.mark.parametrize("scripts", [True, False])
def test_a_number_opens_its_proof_in_place(browser: Browser, scripts: bool) -> None:
    browser.javascript(scripts)
    browser.open("methods/lora/")
    proof = browser.all(FIRST)[0]
    assert "2,359,296" not in proof.text
    proof.find_element("css selector", "summary").click()
    assert "72 × 8 × (2 × 1,024 + 1,024 + 1,024) = 2,359,296" in proof.text
    assert "surveykit query --sql" in proof.text


def test_a_proof_in_a_table_lies_over_it_and_is_not_cut_off(browser: Browser) -> None:
    browser.open("methods/lora/#verdicts")
    proof = browser.shown("details.fold details.group td > details.proof")[0]
    proof.find_element("css selector", "summary").click()
    left, right, width = browser.script(
        "const box = arguments[0].getBoundingClientRect();"
        "return [box.left, box.right, document.documentElement.clientWidth]",
        proof,
    )
    assert 0 <= left < right <= width
    text = browser.script(
        "const box = arguments[0].getBoundingClientRect();"
        "return arguments[0].contains(document.elementFromPoint(box.right - 12, box.bottom - 12))",
        proof,
    )
    assert text, "the lower right corner is seen"


@pytest.mark.parametrize(
    ("anchor", "seen"),
    [
        ("claims", "details.fold details.group > summary"),  # a heading, whose fold comes after it
        ("lora-q-and-v-t5-3b-millions", "#lora-q-and-v-t5-3b-millions"),  # a fold within a fold
        ("configuration-qv-r8", "#configuration-qv-r8"),
        ("count-qv-r8-t5-large-trainable", "#count-qv-r8-t5-large-trainable"),
    ],
)
def test_a_link_into_a_fold_opens_it(browser: Browser, anchor: str, seen: str) -> None:
    browser.open(f"methods/lora/#{anchor}")
    browser.wait(lambda: browser.shown(seen), f"what #{anchor} leads to")
    browser.open("methods/vera/")
    browser.open("methods/lora/")
    assert not browser.shown(seen)
    browser.script(f"location.hash = '{anchor}'")
    browser.wait(lambda: browser.shown(seen), f"what #{anchor} leads to, on the page itself")


def test_paper_has_everything_open(browser: Browser) -> None:
    browser.open("methods/lora/")
    assert not browser.shown("#citation + details pre")
    browser.media(kind="print")
    browser.wait(lambda: browser.shown("#citation + details pre"), "BibTeX on paper")
    browser.wait(lambda: browser.shown("#lora-q-and-v-t5-3b-millions"), "a fold within a fold on paper")
