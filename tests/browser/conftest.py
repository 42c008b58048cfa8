"""The built site in a real headless Chromium: served below a folder of this machine, watched for errors and requests.

Needs Chromium with its driver and the package selenium; without them these tests are skipped.
"""

from __future__ import annotations

import http.server
import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from conftest import CATALOG, ROOT  # of tests/: this one is browser.conftest

from surveykit.catalog.locate import ENVIRONMENT
from surveykit.site.build import build

FOLDER = "/some/folder/"
"""The site lies here, as it may on any host."""
CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
)
DRIVER = shutil.which("chromedriver")
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-first-run", "--hide-scrollbars", "--force-device-scale-factor=1",
)  # fmt: skip
WAIT = 20.0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.browser)


class _Handler(http.server.SimpleHTTPRequestHandler):
    """Serves a folder below `FOLDER`, and nothing else."""

    def translate_path(self, path: str) -> str:
        plain = urlsplit(path).path
        return super().translate_path(plain.removeprefix(FOLDER[:-1]) if plain.startswith(FOLDER) else "/nothing-here")

    def log_message(self, format: str, *args: object) -> None:
        """Silence."""


class Browser:
    """One page at a time, and what the tests ask of it."""

    def __init__(self, driver: Any, address: str, downloads: Path) -> None:
        self.driver = driver
        self.address = address
        self.downloads = downloads
        self.requested: list[str] = []
        self.errors: list[str] = []

    def open(self, path: str = "") -> None:
        """Load a page of the site, by its address below the site's root, and wait until its scripts have run."""
        self.driver.get(self.address + path)
        if self.script("return document.scripts.length > 0"):
            self.wait(lambda: self.script("return document.readyState === 'complete'"))
        self.driver.execute_cdp_cmd("Page.bringToFront", {})

    def script(self, text: str, *values: object) -> Any:
        return self.driver.execute_script(text, *values)

    def all(self, selector: str) -> list[Any]:
        return list(self.driver.find_elements("css selector", selector))

    def one(self, selector: str) -> Any:
        found = self.all(selector)
        assert len(found) == 1, f"{len(found)} elements are {selector}"
        return found[0]

    def texts(self, selector: str) -> list[str]:
        """What is shown of each element; the empty text for what is hidden."""
        return [element.text for element in self.all(selector)]

    def shown(self, selector: str) -> list[Any]:
        return [element for element in self.all(selector) if element.is_displayed()]

    def click(self, selector: str) -> None:
        """As a person would: scrolled to the middle, where no bar of the page lies over it."""
        element = self.one(selector)
        self.script("arguments[0].scrollIntoView({block: 'center'})", element)
        element.click()

    def wait(self, condition: Callable[[], Any], what: str = "") -> Any:
        end = time.monotonic() + WAIT
        while not (found := condition()):
            assert time.monotonic() < end, f"never came: {what or condition}"
            time.sleep(0.05)
        return found

    def size(self, width: int, height: int = 900) -> None:
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def media(self, *, scheme: str = "light", kind: str = "") -> None:
        """Prefer light or dark colours; `kind` may be print."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": kind, "features": features})

    def javascript(self, on: bool) -> None:
        """Whether the pages opened from now on may run scripts; `script` still works on them."""
        self.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": not on})

    def downloaded(self, name: str) -> bytes:
        """The content of a download, as soon as it is complete; it is deleted afterwards."""
        path = self.downloads / name
        self.wait(lambda: path.is_file() and path.stat().st_size > 0, f"download {name}")
        content = path.read_bytes()
        path.unlink()
        return content

    def drain(self) -> None:
        """Take in what the browser logged so far: errors of the console, and addresses it asked for."""
        self.errors += [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                self.requested.append(message["params"]["request"]["url"])

    def foreign(self) -> list[str]:
        """Requests that left the site."""
        own = ("data:", "blob:", "about:", "chrome:", self.address)
        return [url for url in self.requested if not url.startswith(own)]


def built(catalog: Path, folder: Path) -> Path:
    """The site of a catalog, built strictly with our own mkdocs.yml below a folder."""
    chosen = os.environ.pop(ENVIRONMENT, None)
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    for ours, theirs in (
        ("docs_dir: site/docs", f"docs_dir: {ROOT / 'site' / 'docs'}"),
        ("site_dir: build/site", f"site_dir: {folder / 'html'}"),
        ("catalog: catalog", f"catalog: {catalog}"),
        ("project: .", f"project: {ROOT}"),
    ):
        assert ours in text
        text = text.replace(ours, theirs)
    (folder / "mkdocs.yml").write_text(text, encoding="utf-8")
    site = build(folder / "mkdocs.yml", strict=True)
    if chosen is not None:
        os.environ[ENVIRONMENT] = chosen
    return site


@contextmanager
def served(site: Path) -> Iterator[str]:
    """The address where a site is served; ends in a slash."""
    handler = partial(_Handler, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}{FOLDER}"
        server.shutdown()


@pytest.fixture(scope="session")
def site_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site of the real catalog."""
    return built(CATALOG, tmp_path_factory.mktemp("browser-site"))


@pytest.fixture(scope="session")
def address(site_folder: Path) -> Iterator[str]:
    """Where it is served; ends in a slash."""
    with served(site_folder) as found:
        yield found


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Chromium, started once."""
    selenium = pytest.importorskip("selenium.webdriver", reason="the package selenium is not installed")
    if CHROMIUM is None or DRIVER is None:
        pytest.skip("Chromium and its driver are not installed")
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service

    options = Options()
    options.binary_location = CHROMIUM
    for flag in FLAGS:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    started = selenium.Chrome(options=options, service=Service(DRIVER))
    yield started
    started.quit()


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
