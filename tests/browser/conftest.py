"""Fixtures of the tests in a browser. They need Chromium with its driver and selenium, and are skipped without."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import needs
import pytest

from browser.harness import CHROMIUM, DRIVER, Browser, served, started


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def address(site: Path) -> Iterator[str]:
    """Where the site of the real catalog is served; ends in a slash."""
    with served(site) as found:
        yield found


@pytest.fixture(scope="session")
def driver() -> Iterator[Any]:
    """Chromium, started once."""
    pytest.importorskip("selenium.webdriver", reason=needs.SELENIUM)
    if CHROMIUM is None or DRIVER is None:
        pytest.skip(needs.CHROMIUM)
    with started() as found:
        yield found


@pytest.fixture
def browser(driver: Any, address: str, tmp_path: Path) -> Iterator[Browser]:
    """A browser in its first state. Fails the test when a page logged an error or asked another host for anything."""
    allowed = {"behavior": "allow", "downloadPath": str(tmp_path)}
    driver.execute_cdp_cmd("Browser.setDownloadBehavior", allowed)
    page = Browser(driver, address, tmp_path)
    driver.get("about:blank")
    page.drain()
    page.errors, page.requested = [], []
    page.javascript(True)
    page.size(1400)
    page.media()
    driver.execute_cdp_cmd("Storage.clearDataForOrigin", {"origin": address, "storageTypes": "all"})
    yield page
    page.drain()
    page.javascript(True)
    assert not page.errors
    assert not page.foreign()
