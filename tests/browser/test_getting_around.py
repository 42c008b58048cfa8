"""Ways from any page to any other: links that are seen, a search that is fetched when it is asked, and a way on from nowhere."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest

from browser.harness import Browser

FIRST_RESULTS = """
return [...document.querySelectorAll(".md-search-result__link")].slice(0, 4).map((link) => link.href.split("?")[0])"""


def pages_linked(browser: Browser, selector: str) -> set[str]:
    """Addresses below the site's root of the links that are seen."""
    return {
        urljoin(browser.address, urlsplit(str(link.get_attribute("href"))).path).removeprefix(browser.address)
        for link in browser.shown(selector)
    }


@pytest.mark.parametrize("width", [1400, 390])
def test_the_pages_of_a_section_are_seen_on_each_of_them(browser: Browser, width: int) -> None:
    browser.size(width)
    for page in ("settings/", "glossary/"):
        browser.open(page)
        assert {"how-we-measure/", "settings/", "glossary/"} <= pages_linked(browser, ".section-pages a")
        assert browser.one(".section-pages [aria-current=page]").get_attribute("href") == browser.address + page


def test_every_page_but_those_of_methods_is_two_clicks_from_every_other(browser: Browser) -> None:
    browser.open("about/")
    sections = pages_linked(browser, ".md-tabs a")
    found = set(sections)
    for section in sections:
        browser.open(section)
        found |= pages_linked(browser, ".section-pages a")
    assert {
        "methods/",
        "compare/",
        "sources/",
        "sources/lora-paper/",
        "bench/",
        "sql/",
        "changes/",
        "glossary/",
    } <= found


def test_a_page_of_a_method_shows_the_pages_of_its_section(browser: Browser) -> None:
    browser.open("methods/lora/")
    assert {"methods/", "compare/"} <= pages_linked(browser, ".section-pages a")


@pytest.mark.parametrize(
    ("words", "wanted"),
    [("lora t5-3b", "methods/lora/"), ("rank", "glossary/#rank"), ("4-bit", "glossary/#4-bit"),
     ("gradient checkpointing", "glossary/#gradient-checkpointing")],
)  # fmt: skip
def test_the_search_finds(browser: Browser, site: Path, words: str, wanted: str) -> None:
    """The index that comes with every page is empty: what is found is of the one that the first letter fetches."""
    assert (site / "search" / "search_index.json").stat().st_size < 1000
    browser.open()
    browser.one("[data-md-component=search-query]").send_keys(words)
    browser.wait(lambda: browser.address + wanted in browser.script(FIRST_RESULTS), f"{wanted} among the first results")


def test_a_wrong_address_has_ways_on(browser: Browser, site: Path) -> None:
    """Its page is served at addresses of any depth, so it refers to the root of the host where no SITE_URL is given."""
    with browser.elsewhere(site, below="/"):
        browser.open("404.html")
        assert {"methods/", "sources/", "glossary/"} <= pages_linked(browser, "article a")


def test_a_picture_has_an_address_and_is_cited_by_it(browser: Browser) -> None:
    browser.open("how-far-off/")
    place = "picture-how-far-off"
    assert browser.one(f"#{place} + .caption a[href$='#{place}']").is_displayed()
    browser.click(f"#{place} + .caption .cite")
    entry = browser.one("#cite-page pre").text
    assert f"#{place}}}," in entry.replace("\\", "")
