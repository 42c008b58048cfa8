"""The pager of a table of methods that is longer than a page: the real one, told to have few rows to a page."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from browser.harness import Browser, served
from browser.methods_table import ROWS, TOOLS, in_order, names, press, query, status, table
from browser.test_accessible import check, focused, motionless, violations
from browser.test_table_files import save

ON_A_PAGE = 20
SEEN_FIRST = 10
"""Rows that are laid out before the table's script has come."""
PAGER = "#methods-table .pager"


@pytest.fixture(scope="session")
def long_table(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the built site, where only the number of rows to a page is another."""
    folder = tmp_path_factory.mktemp("long-table")
    (folder / "methods").mkdir()
    for path in (*site.iterdir(), *(site / "methods").iterdir()):
        link = folder / path.relative_to(site)
        if not link.exists():
            link.symlink_to(path)
    page = folder / "methods" / "index.html"
    text, changed = re.subn(r'data-rows="?200"?', f'data-rows="{ON_A_PAGE}"', page.read_text(encoding="utf-8"))
    assert changed == 1
    page.unlink()
    page.write_text(text, encoding="utf-8")
    with served(folder) as address:
        yield address


@pytest.fixture
def paged(browser: Browser, long_table: str) -> Browser:
    browser.address = long_table
    return browser


def button(browser: Browser, text: str) -> Any:
    (found,) = (b for b in browser.all(f"{PAGER} button") if b.text == text)
    return found


def go(browser: Browser, text: str) -> None:
    found = button(browser, text)
    browser.script("arguments[0].scrollIntoView({block: 'center'})", found)
    found.click()
    browser.becomes(lambda: current(browser), text)


def current(browser: Browser) -> str:
    return str(browser.one(f"{PAGER} [aria-current=page]").text)


def last_page(browser: Browser) -> int:
    return -(-int(status(browser).partition(" of ")[0]) // ON_A_PAGE)


def test_a_table_of_one_page_has_no_pager(browser: Browser) -> None:
    table(browser)
    assert not browser.all(f"{PAGER} button")
    assert len(names(browser)) > 2 * ON_A_PAGE


def test_all_pages_together_are_all_methods_in_order(paged: Browser) -> None:
    table(paged)
    everything = [row["name"] for row in paged.script(DATA)]
    seen = names(paged)
    assert seen == everything[:ON_A_PAGE]
    assert status(paged).startswith(f"{len(everything)} of {len(everything)} methods.")
    for page in range(2, last_page(paged) + 1):
        go(paged, str(page))
        seen += names(paged)
    assert seen == in_order(paged, everything)


DATA = """return fetch(new URL('../assets/data/methods-table.json', location.href.split('?')[0]))
    .then((answer) => answer.json()).then((data) => data.rows)"""


def test_sorting_and_filtering_go_over_all_pages_and_back_to_the_first(paged: Browser) -> None:
    table(paged)
    everything = names(paged)
    for page in range(2, last_page(paged) + 1):
        go(paged, str(page))
        everything += names(paged)
    paged.click("#methods-table th:first-child button")
    paged.becomes(lambda: names(paged), everything[::-1][:ON_A_PAGE])
    assert current(paged) == "1"
    go(paged, "3")
    paged.one(f"{TOOLS} input[type=search]").send_keys("compacter")
    found = [name for name in everything if "compacter" in name.lower()]
    paged.wait(lambda: not status(paged).startswith(f"{len(everything)} of "), "fewer methods")
    paged.wait(lambda: {*found} <= {*names(paged)}, "those that are looked for, whatever page was shown")


def test_what_is_chosen_and_saved_is_on_any_page(paged: Browser) -> None:
    table(paged)
    first = names(paged)
    paged.click(f"[aria-label='Choose {first[0]} to compare']")
    for page in range(2, last_page(paged) + 1):
        go(paged, str(page))
    last = names(paged)
    paged.click(f"[aria-label='Choose {last[-1]} to compare']")
    paged.wait(lambda: query(paged).get("m", "").count(",") == 1, "two methods in the address")
    assert paged.one(f"{TOOLS} .go").text == "Compare 2 methods"
    assert names(paged) == last, "the page stays where it is"
    go(paged, "1")
    assert paged.one(f"[aria-label='Choose {first[0]} to compare']").is_selected()
    paged.script("scrollTo(0, 0)")
    save(paged, "CSV")
    _, *rows = csv.reader(io.StringIO(paged.downloaded("methods.csv").decode()))
    assert [row[0] for row in rows] == [first[0], last[-1]], "those that are ticked, wherever they are"
    press(paged, "Choose none")
    save(paged, "CSV")
    _, *rows = csv.reader(io.StringIO(paged.downloaded("methods.csv").decode()))
    assert rows[0][0] == first[0]
    assert rows[-1][0] == last[-1]
    assert len(rows) == len(paged.script(DATA))


def test_the_pager_is_used_by_keyboard(paged: Browser) -> None:
    from selenium.webdriver.common.keys import Keys

    table(paged)
    paged.script("arguments[0].focus()", button(paged, "2"))
    focused(paged).send_keys(Keys.ENTER)
    paged.becomes(lambda: current(paged), "2")
    paged.becomes(lambda: focused(paged).text, "2")  # the focus stays where it was
    focused(paged).send_keys(Keys.TAB)
    assert focused(paged).text == "3"
    outline = paged.script("return getComputedStyle(document.activeElement).outlineStyle")
    assert outline != "none"
    focused(paged).send_keys(Keys.SPACE)
    paged.becomes(lambda: current(paged), "3")
    for each in paged.all(f"{PAGER} button"):
        assert each.get_attribute("aria-label")


def test_the_pager_breaks_no_rule(paged: Browser) -> None:
    motionless(paged, "methods/")
    few = "document.querySelectorAll('article tbody tr:nth-child(n + 6)').forEach((row) => row.remove())"
    paged.script(few)
    check(paged, "methods/")
    go(paged, "2")
    paged.script(few)
    assert violations(paged) == []


def test_later_rows_wait_for_the_script_and_are_there_without_it(paged: Browser) -> None:
    """They are hidden while the page is read, and shown where scripts are off, fail or do not come."""
    paged.javascript(False)
    paged.open("methods/")
    assert all(row.is_displayed() for row in paged.all(ROWS))
    paged.javascript(True)
    paged.driver.execute_cdp_cmd("Network.enable", {})
    paged.driver.execute_cdp_cmd("Network.setBlockedURLs", {"urls": ["*/js/start.js", "*/js/start.js?*"]})
    noting = paged.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": AT_FIRST})
    try:
        paged.driver.get(paged.address + "methods/")
        at_first = paged.script("return window.atFirst")
        assert at_first == [index < SEEN_FIRST for index in range(len(at_first))]
        paged.wait(lambda: paged.all(ROWS)[-1].is_displayed(), "the rows that no script put on pages")
        assert all(row.is_displayed() for row in paged.all(ROWS))
    finally:
        paged.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", noting)
        paged.driver.execute_cdp_cmd("Network.setBlockedURLs", {"urls": []})
        paged.drain()
        paged.errors = [error for error in paged.errors if "BLOCKED_BY_CLIENT" not in error]


AT_FIRST = """
addEventListener("load", () => {
    const rows = document.querySelectorAll("#methods-table tbody tr");
    window.atFirst = [...rows].map((row) => row.offsetHeight > 0);
});
"""
"""Which rows are shown once the page is there."""
