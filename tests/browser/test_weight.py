"""Pages are light, stay where they are while they load, and wait for no other host."""

from __future__ import annotations

import pytest

from browser.harness import Browser
from browser.page_types import PAGE_TYPES
from browser.weight import weigh

OWN_SCRIPT = 300_000
"""Bytes of our own JavaScript that a page may load; the theme's own, some 110 kB, come on top."""
SHIFT = 0.1
"""Browsers call a cumulative layout shift below this good. A quick machine sees next to none here; one with other work to
do paints long tables before all of their rows have come, and has seen 0.022."""


@pytest.mark.parametrize("page", [page for page in PAGE_TYPES if page != "404.html"])
@pytest.mark.parametrize("width", [1400, 390])
def test_a_page_is_light_and_does_not_move(browser: Browser, page: str, width: int) -> None:
    browser.size(width)
    weight = weigh(browser, page)
    assert weight.html > 0
    assert weight.theme_script > 50_000
    assert weight.own_script < OWN_SCRIPT
    assert weight.blocking
    assert all(url.startswith(browser.address) for url in weight.blocking)
    assert weight.shift < SHIFT, weight.moved
    assert weight.html < 1_000_000


def test_the_scripts_of_the_table_are_all_asked_for_at_once(browser: Browser) -> None:
    browser.open("methods/")
    preloaded = browser.script(
        "return [...document.querySelectorAll('link[rel=modulepreload], link[rel=preload]')].map((link) => link.href)"
    )
    browser.drain()
    waits = ("first-page.js", "cite.js", "search_index.json")  # what runs at once, and what nothing waits for
    own = [url for url in browser.requested if url.startswith(browser.address) and "/assets/javascripts/" not in url]
    own = [url for url in own if url.endswith((".js", ".json")) and not url.endswith(waits)]
    assert sorted(own) == sorted(preloaded)  # none is missing, and none is fetched twice


def test_the_engine_of_sql_waits_until_it_is_asked_for(browser: Browser) -> None:
    weight = weigh(browser, "sql/")
    assert weight.own_script < OWN_SCRIPT
    browser.drain()
    assert not [url for url in browser.requested if "duckdb" in url.rsplit("/", 1)[-1]]


def test_a_shift_would_be_seen(browser: Browser) -> None:
    browser.driver.get(browser.address + "about/")
    browser.script("""const block = document.createElement('div');
        block.style.height = '500px';
        document.querySelector('article').prepend(block)""")
    moved = browser.driver.execute_async_script(
        """const [least, done] = arguments;
        let sum = 0;  // entries come in several lists
        new PerformanceObserver((list) => {
            for (const one of list.getEntries()) sum += one.value;
            if (sum > least) done(sum);
        }).observe({type: 'layout-shift', buffered: true})""",
        SHIFT,
    )
    assert moved > SHIFT
