"""What a page weighs: the bytes and requests it takes to show it, what moves while it comes, and how long that takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from browser.harness import Browser

THEME = "assets/javascripts/"
OBSERVE = """
const done = arguments[0];
const shifts = [];
new PerformanceObserver((list) => shifts.push(...list.getEntries())).observe({type: "layout-shift", buffered: true});
const read = () => {
    const [page] = performance.getEntriesByType("navigation");
    const files = performance.getEntriesByType("resource");
    done({
        load: page.loadEventEnd,
        shift: shifts.reduce((sum, one) => sum + one.value, 0),
        moved: shifts.flatMap((one) => one.sources.map(({node}) => node?.outerHTML?.slice(0, 120) ?? node?.textContent)),
        files: [page, ...files].map((one) =>
            ({url: one.name, bytes: one.decodedBodySize, blocking: one.renderBlockingStatus === "blocking"})),
    });
};
const idle = () => requestIdleCallback(() => setTimeout(read, 150), {timeout: 2000});
if (document.readyState === "complete") idle(); else addEventListener("load", idle);
"""
"""Files by the browser's own record, once the page is loaded and has nothing left to do."""


@dataclass(frozen=True)
class Weight:
    """Bytes are of files as they are, before any packing by a server."""

    html: int
    css: int
    own_script: int
    theme_script: int
    image: int
    data: int
    """JSON that scripts ask for; the theme's index of the search is most of it."""
    requests: int
    blocking: tuple[str, ...]
    """Addresses that hold up the first sight of the page."""
    shift: float
    """Cumulative layout shift, as browsers define it."""
    moved: tuple[str, ...]
    load: float
    """Milliseconds until the page was loaded."""


def weigh(browser: Browser, page: str) -> Weight:
    """Load a page of a site as a first visitor does, with nothing kept from before."""
    browser.driver.execute_cdp_cmd("Network.setCacheDisabled", {"cacheDisabled": True})
    browser.driver.get(browser.address + page)
    found: Mapping[str, Any] = browser.driver.execute_async_script(OBSERVE)
    sizes = {"html": 0, "css": 0, "own_script": 0, "theme_script": 0, "image": 0, "data": 0}
    files = [file for file in found["files"] if urlsplit(file["url"]).scheme in ("http", "https")]
    for file in files:
        sizes[_kind(file["url"])] += file["bytes"]
    return Weight(
        **sizes,
        requests=len(files),
        blocking=tuple(file["url"] for file in files if file["blocking"]),
        shift=found["shift"],
        moved=tuple(found["moved"]),
        load=found["load"],
    )


def _kind(url: str) -> str:
    path = urlsplit(url).path
    match PurePosixPath(path).suffix:
        case ".css":
            return "css"
        case ".js":
            return "theme_script" if THEME in path else "own_script"
        case ".svg" | ".png":
            return "image"
        case ".json":
            return "data"
        case _ if path.endswith("/"):
            return "html"
    raise AssertionError(f"a page loads {url}, which is of no kind that is counted")
