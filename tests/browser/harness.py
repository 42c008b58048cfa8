"""A built site in a real headless Chromium: served below a folder of this machine, watched for errors and requests."""

from __future__ import annotations

import http.server
import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

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
WAIT = 120.0
"""Seconds until something that should come is given up; so many that a machine with other work to do is quick enough."""
STILL = """
const done = arguments[0];
let quiet = 0;
const observer = new MutationObserver(() => (quiet = 0));
observer.observe(document, { attributes: true, characterData: true, childList: true, subtree: true });
const frame = () => {
    if (++quiet <= 5) return requestAnimationFrame(frame);
    observer.disconnect();
    done();
};
requestAnimationFrame(frame);
"""


class _Handler(http.server.SimpleHTTPRequestHandler):
    """Serves a folder of files below a folder of the host, and nothing else."""

    def __init__(self, *args: Any, below: str, **options: Any) -> None:
        self.below = below
        super().__init__(*args, **options)

    def translate_path(self, path: str) -> str:
        plain = urlsplit(path).path
        inside = plain.startswith(self.below)
        return super().translate_path(plain.removeprefix(self.below[:-1]) if inside else "/nothing-here")

    def log_message(self, format: str, *args: object) -> None:
        """Silence."""


class _Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128
    """A browser asks for many files at once; what does not fit the queue is asked for again after a second."""


class Browser:
    """One page at a time, and what the tests ask of it."""

    def __init__(self, driver: Any, address: str, downloads: Path) -> None:
        self.driver = driver
        self.address = address
        self.downloads = downloads
        self.requested: list[str] = []
        self.errors: list[str] = []

    def open(self, path: str = "") -> None:
        """Load a page of the site, by its address below the site's root, and wait until its scripts have run.

        Those that fetch data go on after the page is loaded: a test that changed the page before would race with them.
        """
        self.driver.get(self.address + path)
        self.settled()
        self.driver.execute_cdp_cmd("Page.bringToFront", {})

    def settled(self) -> None:
        """Wait until a page that a link or the history led to is there, with its scripts."""
        self.wait(lambda: self.script("return document.readyState === 'complete'"), "a loaded page")
        if self.script("return document.documentElement.classList.contains('js')"):
            self.wait(lambda: self.script("return 'started' in document.documentElement.dataset"), "its scripts")

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
        """What the condition gives, once it gives something. An element that was replaced meanwhile is looked up anew."""
        from selenium.common.exceptions import StaleElementReferenceException

        end = time.monotonic() + WAIT
        while True:
            with suppress(StaleElementReferenceException):
                if found := condition():
                    return found
            assert time.monotonic() < end, f"never came: {what or condition}"
            time.sleep(0.02)

    def becomes(self, read: Callable[[], Any], wanted: Any) -> None:
        """What is read of the page is what is wanted, now or soon: a page may answer a click a moment later."""
        last: list[Any] = []

        def same() -> bool:
            last[:] = [read()]
            return bool(last[0] == wanted)

        try:
            self.wait(same)
        except AssertionError:
            raise AssertionError(f"{last[0] if last else 'nothing'!r} did not become {wanted!r}") from None

    def still(self) -> None:
        """Wait until the page has painted a few times without changing: the theme and its mending are through."""
        self.driver.execute_async_script(STILL)

    @contextmanager
    def elsewhere(self, site: Path, below: str) -> Iterator[None]:
        """Another site, or another place for it. It is left before its server ends: its pages may still load something."""
        own, here = list(self.requested), self.address
        with served(site, below) as self.address:
            yield
            self.driver.get("about:blank")
            self.drain()
            assert not self.foreign()
        self.address, self.requested = here, own

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

        def complete() -> bool:
            return path.is_file() and path.stat().st_size > 0 and not list(self.downloads.glob("*.crdownload"))

        self.wait(complete, f"download {name}")
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


@contextmanager
def served(site: Path, below: str = FOLDER) -> Iterator[str]:
    """The address where a site is served; ends in a slash."""
    handler = partial(_Handler, directory=str(site), below=below)
    with _Server(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}{below}"
        server.shutdown()


@contextmanager
def started() -> Iterator[Any]:
    """Chromium with its driver, which must be installed; nothing is looked for or downloaded."""
    assert CHROMIUM is not None
    assert DRIVER is not None
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service

    options = Options()
    options.binary_location = CHROMIUM
    for flag in FLAGS:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    driver.set_script_timeout(WAIT)
    try:
        yield driver
    finally:
        driver.quit()
