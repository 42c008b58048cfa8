"""Pages as a reader meets them, whatever they hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from browser.harness import Browser

PAGES = (
    "",
    "methods/",
    "methods/lora/",
    "table5/",
    "findings/",
    "survey/statements/",
    "about/",
    "findings/lialin2023scaling/",
    "sql/",
    "data/",
    "changes/",
)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_logs_no_error_and_asks_no_other_host(browser: Browser, page: str) -> None:
    browser.open(page)
    assert browser.texts("h1")[0]
    browser.drain()
    assert browser.address + page in browser.requested
    assert not browser.errors
    assert not browser.foreign()


def test_an_error_and_a_foreign_request_would_be_seen(browser: Browser) -> None:
    """The watch itself, on purpose at a port of this machine where nobody listens."""
    browser.open("about/")
    browser.script("fetch('http://127.0.0.1:9/x').catch(() => 0)")
    browser.wait(lambda: browser.drain() or (browser.errors and browser.foreign()))
    assert browser.foreign() == ["http://127.0.0.1:9/x"]
    browser.errors, browser.requested = [], []


def test_scripts_can_be_kept_from_running(browser: Browser, site: Path) -> None:
    assert "no-js" in (site / "about" / "index.html").read_text(encoding="utf-8")
    browser.open("about/")
    assert browser.script("return document.documentElement.classList.contains('js')")
    browser.javascript(False)
    browser.open("about/")
    assert browser.one("html").get_attribute("class") == "no-js"


@pytest.mark.parametrize("page", ["bench/survey-table5/", "explorer/", "findings/", "choose/", ""])
def test_paper_is_light_whatever_the_screen_is(browser: Browser, page: str) -> None:
    """A picture whose words are white on white cannot be read."""
    colours = """
        const of = (name) => getComputedStyle(document.body).getPropertyValue(name).trim();
        return ["--pic-text", "--pic-paper", "--bar-first", "--choose-1", "--match-fg", "--md-typeset-a-color"].map(of)"""
    seen = {}
    for scheme in ("light", "dark"):
        browser.media(scheme=scheme)
        browser.open(page)
        browser.media(scheme=scheme, kind="print")
        seen[scheme] = browser.script(colours)
        hidden = "return [...document.querySelectorAll('article img')].filter((one) => one.checkVisibility()).map((one) => one.src)"
        assert not [source for source in browser.script(hidden) if source.endswith("#only-dark")]
    browser.media()
    assert seen["light"] == seen["dark"]


def test_an_answer_is_printed_with_its_question(browser: Browser) -> None:
    browser.open("choose/")
    browser.wait(lambda: browser.one("#choose-answer").get_attribute("data-ready"), "an answer")
    browser.media(kind="print")
    shown = [browser.all(selector)[0].is_displayed() for selector in ("#choose-form [name=length]", ".choose-card pre")]
    browser.media()
    assert shown == [True, True]
