"""Every kind of page by the rules of axe-core, in light and dark, wide and narrow; and by the keyboard alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from browser.harness import Browser
from browser.page_types import METHODS, PAGE_TYPES

AXE = (Path(__file__).parent / "vendor" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
LEVELS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
RUN = """
const [only, done] = arguments;
axe.run(document, {resultTypes: ["violations"], preload: false, runOnly: only}).then(
    (found) => done(found.violations.map(({id, nodes}) => [id, nodes.map((node) => [node.html, node.failureSummary])])),
    (error) => done([["axe failed", [[String(error)]]]]));
"""
THIN = """
const beyond = (all, most) => [...all].slice(most).forEach((one) => one.remove());
document.querySelectorAll("article tbody").forEach((body) => beyond(body.rows, 5));
beyond(document.querySelectorAll("article svg.picture"), 15);
document.querySelectorAll("article svg").forEach((svg) => {
    for (const kind of ["a", "path", "text"]) beyond(svg.querySelectorAll(kind), 12);
});
beyond(document.querySelectorAll("article pre"), 8);
beyond(document.querySelectorAll("article details"), 8);
document.querySelectorAll("article details").forEach((one) => (one.open = true));
"""
"""What is alike by the hundred is looked at a few times; what waits behind a click is opened."""
WIDE, NARROW = 1400, 390
EVERY_WAY = ("", "methods/", "methods/lora/", "compare/", "choose/", "sql/", "404.html")
"""Pages that are looked at in all four ways: the theme's parts around all others are theirs."""


MOTIONLESS = """
const style = document.createElement("style");
style.textContent = `*, ::before, ::after {
    animation-delay: 0s !important; animation-duration: 0s !important;
    transition-delay: 0s !important; transition-duration: 0s !important; }`;
document.head.append(style);
"""
"""Colours that fade in have many contrasts; only the last one counts."""


def violations(browser: Browser, *, colours: bool = False) -> list[Any]:
    """What axe-core finds on the page once it is at rest; `colours` asks for contrast alone."""
    browser.still()
    if not browser.script("return 'axe' in window"):
        browser.script(AXE)
    only = {"type": "rule", "values": ["color-contrast"]} if colours else {"type": "tag", "values": LEVELS}
    return list(browser.driver.execute_async_script(RUN, only))


def dress(browser: Browser, scheme: str, width: int) -> None:
    """Change colours and width of a page that is open, as a reader's system may, and wait until it has followed."""
    browser.media(scheme=scheme)
    browser.size(width)
    wanted = {"light": "default", "dark": "slate"}[scheme]
    browser.wait(
        lambda: browser.one("body").get_attribute("data-md-color-scheme") == wanted, f"the colours of {scheme}"
    )


def motionless(browser: Browser, page: str) -> None:
    browser.open(page)
    browser.script(MOTIONLESS)


def check(browser: Browser, page: str) -> None:
    """All rules on the wide page in light and on the narrow one in dark; in the other two what can differ: contrast."""
    for scheme, width, colours in (
        ("light", WIDE, False),
        ("dark", WIDE, True),
        ("dark", NARROW, False),
        ("light", NARROW, True),
    ):
        if colours and page not in EVERY_WAY:
            continue
        dress(browser, scheme, width)
        assert violations(browser, colours=colours) == [], (scheme, width)


@pytest.mark.parametrize("page", [page for page in PAGE_TYPES if page != "404.html"])
def test_no_rule_is_broken(browser: Browser, page: str) -> None:
    motionless(browser, page)
    browser.script(THIN)
    check(browser, page)


def test_the_page_of_a_wrong_address(browser: Browser, site: Path) -> None:
    """It is served at addresses of any depth, so it refers to the root of the host, or to SITE_URL where it is given."""
    with browser.elsewhere(site, below="/"):
        motionless(browser, "404.html")
        check(browser, "404.html")


def test_the_results_of_a_search(browser: Browser) -> None:
    motionless(browser, "about/")
    browser.one("[data-md-component=search-query]").send_keys("prefix")
    found(browser, "prefix")
    assert violations(browser) == []
    dress(browser, "dark", WIDE)
    assert violations(browser, colours=True) == []


def found(browser: Browser, word: str) -> None:
    """Wait for the results of a whole word: those of its first letters come before."""
    marked = "return document.querySelector('.md-search-result__item mark')?.textContent.toLowerCase()"
    browser.becomes(lambda: browser.script(marked), word)


def test_a_broken_rule_would_be_seen(browser: Browser) -> None:
    motionless(browser, "about/")
    browser.script("""document.querySelector('article').insertAdjacentHTML('beforeend',
        '<img src="../assets/favicon.svg"><p style="color: #ddd; background: #fff">pale</p>')""")
    assert {rule for rule, _ in violations(browser)} == {"image-alt", "color-contrast"}


def focused(browser: Browser) -> Any:
    return browser.driver.switch_to.active_element


def press(browser: Browser, *keys: str) -> None:
    focused(browser).send_keys(*keys)


def test_the_first_key_skips_to_the_content(browser: Browser) -> None:
    from selenium.webdriver.common.keys import Keys

    browser.open("methods/lora/")
    press(browser, Keys.TAB)
    assert focused(browser).get_attribute("textContent").strip() == "Skip to content"
    browser.wait(lambda: focused(browser).text, "the link, which fades in")
    press(browser, Keys.ENTER)
    browser.wait(lambda: "#" in browser.driver.current_url)
    press(browser, Keys.TAB)
    assert browser.script("return document.querySelector('article').contains(document.activeElement)")


def test_search_by_keyboard(browser: Browser) -> None:
    from selenium.webdriver.common.keys import Keys

    browser.open("about/")
    for _ in range(40):
        press(browser, Keys.TAB)
        if focused(browser).get_attribute("data-md-component") == "search-query":
            break
    press(browser, "krona")
    found(browser, "krona")
    press(browser, Keys.ARROW_DOWN)
    press(browser, Keys.ENTER)
    browser.wait(lambda: browser.texts("h1")[:1] and "KronA" in browser.driver.title, "the page of a result")


def test_whatever_has_the_focus_shows_it(browser: Browser) -> None:
    from selenium.webdriver.common.keys import Keys

    seen = """const one = document.activeElement, style = getComputedStyle(one);
        const box = one.getBoundingClientRect();
        return [one.outerHTML.slice(0, 120), box.width > 0 && box.height > 0,
                style.outlineStyle !== 'none' && style.outlineWidth !== '0px']"""
    browser.open("methods/")
    browser.script("document.querySelector('#methods-tools input').focus()")
    for _ in range(25):
        press(browser, Keys.TAB)
        html, there, outlined = browser.script(seen)
        assert there, html
        assert outlined, html


@pytest.mark.parametrize("page", ["methods/", "survey/tables-1-2/", "compare/", *METHODS])
def test_ticks_and_crosses_are_words(browser: Browser, page: str) -> None:
    """A cell that holds a mark says it in words too, whatever its colour."""
    browser.open(page)
    marks = browser.script("""return [...document.querySelectorAll('article :is(td, th, li, p, span)')]
        .filter((one) => /[✓✔✗✘☑☒]/u.test(one.textContent) && !/[a-z]{2}/i.test(one.textContent))
        .map((one) => one.outerHTML.slice(0, 160))""")
    assert marks == []
    if page != "compare/":
        assert browser.all("article .yes, article .no")
