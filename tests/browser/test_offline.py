"""Pages opened as files, as `surveykit site --offline` makes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from browser.conftest import Browser


@pytest.fixture
def opened(browser: Browser, offline_site: Path) -> Browser:
    browser.address = f"{offline_site.as_uri()}/"
    return browser


@pytest.mark.parametrize("page", ["index", "methods/index", "methods/lora", "compare", "choose", "sql", "explorer"])
def test_pages_load_without_an_error_and_promise_nothing(opened: Browser, page: str) -> None:
    opened.driver.get(f"{opened.address}{page}.html")
    assert opened.one("h1").is_displayed()
    assert not opened.shown(".with-scripts, .home-search, .tools, .picker, #sql-console")
    opened.drain()
    assert any(url.endswith("assets/offline.css") for url in opened.requested)


def test_links_work_and_the_example_is_answered(opened: Browser) -> None:
    opened.driver.get(f"{opened.address}choose.html")
    assert not opened.shown("#choose-form")
    assert "Llama-3.1-8B on 24 GB" in opened.one("#choose-answer").text
    opened.driver.find_element("css selector", "#choose-answer a").click()
    opened.wait(lambda: "/methods/" in opened.driver.current_url)
    assert opened.driver.current_url.endswith(".html")
    assert opened.one("h1").is_displayed()
