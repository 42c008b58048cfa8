"""Pages opened as files, as `surveykit site --offline` makes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from browser.conftest import Browser


@pytest.fixture
def opened(browser: Browser, offline_site: Path) -> Browser:
    browser.address = f"{offline_site.as_uri()}/"
    return browser


@pytest.mark.parametrize("page", ["index", "methods/index", "methods/lora", "compare", "fit", "sql", "explorer"])
def test_pages_load_without_an_error_and_promise_nothing(opened: Browser, page: str) -> None:
    opened.driver.get(f"{opened.address}{page}.html")
    assert opened.one("h1").is_displayed()
    assert not opened.shown(".with-scripts, .home-search, .tools, .picker, #sql-console")
    opened.drain()
    assert any(url.endswith("assets/offline.css") for url in opened.requested)


def test_links_and_the_calculator_work(opened: Browser) -> None:
    opened.driver.get(f"{opened.address}fit.html")
    before = opened.one("#fit-answer").text
    field = opened.one("#fit-form [name=memory]")
    field.clear()
    field.send_keys("80")
    opened.wait(lambda: opened.one("#fit-answer").text != before, "another answer")
    opened.driver.find_element("css selector", "#fit-rows a").click()
    opened.wait(lambda: "/methods/" in opened.driver.current_url)
    assert opened.driver.current_url.endswith(".html")
    assert opened.one("h1").is_displayed()
