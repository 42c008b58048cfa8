"""The table of methods as the tests read and use it."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

from browser.harness import Browser

TOOLS = "#methods-tools"
ROWS = "#methods-table tbody tr"


def table(browser: Browser, query: str = "") -> None:
    browser.open(f"methods/{query}")
    assert browser.all("#methods-table[data-ready]")


def names(browser: Browser) -> list[str]:
    return list(
        browser.script("return [...document.querySelectorAll('#methods-table tbody strong a')].map(a => a.text)")
    )


def heads(browser: Browser) -> list[str]:
    """Of the columns that are shown."""
    return [head for head in _heads(browser) if head]


def _heads(browser: Browser) -> list[str]:
    """Of all columns, empty for those that are not shown."""
    text = (
        "return [...document.querySelectorAll('#methods-table th')]"
        ".map(th => th.checkVisibility() ? th.querySelector('.title').firstChild.textContent.trim() : '')"
    )
    return list(browser.script(text))


def place(browser: Browser, head: str) -> str:
    """Selects, after `th` or `td`, those of a column that is shown."""
    return f":nth-child({_heads(browser).index(head) + 1})"


def cells(browser: Browser, head: str, source: str = "") -> list[str]:
    """The texts of a column, as shown, from above."""
    found = browser.texts(f"{ROWS} td{place(browser, head)} {source}")
    return [text.removeprefix("measured").strip() for text in found]


def dropdown(browser: Browser, title: str) -> Any:
    found = browser.script(
        "return [...document.querySelectorAll(arguments[0])].filter(d => d.querySelector('summary').textContent.split(':')[0]"
        " === arguments[1])", f"{TOOLS} details.dropdown", title,
    )  # fmt: skip
    return found[0]


def opened(browser: Browser, title: str) -> Any:
    if title != "Columns" and not browser.one(f"{TOOLS} .filters").get_attribute("open"):
        browser.click(f"{TOOLS} .filters > summary")
    found = dropdown(browser, title)
    if not found.get_attribute("open"):
        for other in browser.all(f"{TOOLS} details.dropdown[open]"):  # its panel may lie over the head of this one
            other.find_element("css selector", "summary").click()
        found.find_element("css selector", "summary").click()
    return found


def tick(browser: Browser, title: str, value: str) -> None:
    options = opened(browser, title).find_elements("css selector", "label:not([hidden])")
    (label,) = (o for o in options if o.find_element("css selector", "span").text == value)
    label.click()


def counts(browser: Browser, title: str) -> dict[str, int]:
    lines = opened(browser, title).find_elements("css selector", "label:not([hidden])")
    pairs = [[part.text for part in line.find_elements("css selector", "span")] for line in lines]
    return {value: int(count) for value, count in pairs}


def query(browser: Browser) -> dict[str, str]:
    return {key: values[0] for key, values in parse_qs(urlsplit(browser.driver.current_url).query).items()}


def status(browser: Browser) -> str:
    return str(browser.one(f"{TOOLS} [role=status]").text)


def data(browser: Browser) -> Any:
    return browser.script(
        "return fetch(new URL('../assets/data/methods-table.json', location.href.split('?')[0])).then(r => r.json())"
    )


def in_order(browser: Browser, found: list[str]) -> list[str]:
    """Names in the order of the reader's language, in which signs such as - and + have places of their own."""
    return list(browser.script("return arguments[0].sort((a, b) => a.localeCompare(b))", found))


def press(browser: Browser, text: str) -> None:
    """A button of the tools that is seen without opening anything."""
    (button,) = (
        b
        for b in browser.shown(f"{TOOLS} .bar > button, {TOOLS} .save button, {TOOLS} .chosen button")
        if b.text == text
    )
    browser.script("arguments[0].scrollIntoView({block: 'center'})", button)
    button.click()
