"""What a first visit costs on a slow line and a slow processor, in headless Chromium: fails where it costs too much.

Each page is loaded with nothing kept from before, at 1.6 Mbit/s with 150 ms to the first byte of each answer, and with
a processor four times slower than this machine's. Bytes (kB is 1000) are those that the server sent, its heads too, with
texts packed by gzip as static hosts do. The shift is the cumulative layout shift as browsers define it, without a unit.
The tools of the table of methods answer when a word that was typed has left fewer rows, in seconds from the request of
the page. Seconds are medians of several visits. Shifts are the largest seen.

Chromium slows a page down by the clock, so what else the machine does lengthens these seconds several times over. Printed
beside them are the seconds of the processor that the page's main thread takes at full speed, which it hardly changes.

    python benchmarks/first_visit.py [--site build/site] [--runs 5]

Without `--site` the site is built. Needs Chromium with its driver, and selenium.
"""

from __future__ import annotations

import argparse
import gzip
import statistics
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from browser.harness import FOLDER, Browser, started  # noqa: E402

MOST_KB, MOST_SECONDS, MOST_SHIFT = 300, 3.0, 0.05
HOME, METHODS = "", "methods/"
WIDTHS = (1400, 390)
LINE = {"offline": False, "latency": 150, "downloadThroughput": 1.6e6 / 8, "uploadThroughput": 1.6e6 / 8}
SLOWER = 4
PACKED = (".html", ".css", ".js", ".json", ".svg", ".xml", ".txt")
QUIET = 1500
"""Milliseconds after the load in which something may still move or be fetched."""
WATCH = """
window.shifts = [];
new PerformanceObserver((list) => shifts.push(...list.getEntries())).observe({type: "layout-shift", buffered: true});
if (TYPES) {
    window.answered = new Promise((resolve) => (window.answer = resolve));
    const turn = () => {
        const field = document.querySelector("#methods-tools input[type=search]");
        const status = document.querySelector("#methods-tools .status")?.textContent.match(/(\\d+) of (\\d+)/);
        if (field && field.value !== "lora") {
            field.value = "lora";
            field.dispatchEvent(new Event("input", {bubbles: true}));
        } else if (status && Number(status[1]) < Number(status[2])) {
            return requestAnimationFrame(() => setTimeout(() => window.answer(performance.now())));  // it is painted
        }
        setTimeout(turn, 10);
    };
    turn();
}
"""
REST = """
const [quiet, done] = arguments;
const rest = () => setTimeout(() => done(shifts.reduce((sum, one) => sum + one.value, 0)), quiet);
if (document.readyState === "complete") rest(); else addEventListener("load", rest);
"""


@cache
def content(path: Path) -> tuple[bytes, bool]:
    """What a host sends of a file, and whether it is packed. Kept, so that packing takes no time from the browser."""
    plain = path.read_bytes()
    return (gzip.compress(plain, 6), True) if path.suffix in PACKED else (plain, False)


class Host(ThreadingHTTPServer):
    """A static host. It counts what it sends, by path: workers' requests too, which the page's own record lacks."""

    def __init__(self, site: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.site = site
        self.sent: Counter[str] = Counter()


class Handler(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # connections stay open, as on any host
    server: Host

    def do_GET(self) -> None:
        inside = urlsplit(self.path).path.removeprefix(FOLDER)
        path = self.server.site / inside / ("index.html" if inside.endswith("/") or not inside else "")
        if not path.is_file():
            return self.send_error(404)
        body, packed = content(path)
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(path))
        self.send_header("Content-Length", str(len(body)))
        if packed:
            self.send_header("Content-Encoding", "gzip")
        head = sum(map(len, self._headers_buffer))
        self.end_headers()
        self.wfile.write(body)
        self.server.sent[inside] += head + len(body)
        return None

    def log_message(self, format: str, *args: object) -> None:
        """Silence."""


@contextmanager
def served(site: Path) -> Iterator[Host]:
    with Host(site) as host:
        threading.Thread(target=host.serve_forever, daemon=True).start()
        yield host
        host.shutdown()


def visit(browser: Browser, page: str, *, types: bool = False) -> Any:
    """Load a page as a first visitor does.

    Returns:
        The shift while it came; where somebody types, the seconds until the table has answered.
    """
    command = browser.driver.execute_cdp_cmd
    browser.driver.get("about:blank")
    command("Network.clearBrowserCache", {})
    script = command("Page.addScriptToEvaluateOnNewDocument", {"source": WATCH.replace("TYPES", str(types).lower())})
    browser.driver.get(browser.address + page)
    if types:
        found = browser.driver.execute_async_script("answered.then(arguments[0])") / 1000
    else:
        found = browser.driver.execute_async_script(REST, QUIET)
    command("Page.removeScriptToEvaluateOnNewDocument", script)
    return found


def own_work(browser: Browser) -> float:
    """Seconds of the processor, at full speed, that the page's main thread works until the table has answered."""
    command = browser.driver.execute_cdp_cmd
    command("Emulation.setCPUThrottlingRate", {"rate": 1})
    command("Performance.enable", {"timeDomain": "threadTicks"})
    visit(browser, METHODS, types=True)
    metrics = command("Performance.getMetrics", {})["metrics"]
    command("Performance.disable", {})
    command("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
    return float(next(metric["value"] for metric in metrics if metric["name"] == "TaskDuration"))


def kinds(sent: Counter[str]) -> Counter[str]:
    found: Counter[str] = Counter()
    for path, size in sent.items():
        found[Path(path).suffix.removeprefix(".") or "html"] += size
    return found


def is_index(path: str) -> bool:
    """Whether this is the search's index, and not the empty one that the theme asks for with each page."""
    return path.startswith("search/") and path != "search/search_index.json"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--site", type=Path)
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    site = arguments.site or built()
    faults = []

    def held(name: str, value: float, most: float, unit: str = "") -> None:
        print(f"{name:48}{value:>10.3g}{unit} (at most {most:g})", flush=True)
        if value > most:
            faults.append(name)

    with served(site) as host, started() as driver:
        browser = Browser(driver, f"http://127.0.0.1:{host.server_address[1]}{FOLDER}", site)
        driver.execute_cdp_cmd("Network.enable", {})
        driver.execute_cdp_cmd("Network.emulateNetworkConditions", LINE)
        driver.execute_cdp_cmd("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
        for page in (HOME, METHODS):
            name = page or "home"
            shifts = []
            for width in WIDTHS:
                browser.size(width)
                for _ in range(arguments.runs):
                    host.sent.clear()
                    shifts.append(visit(browser, page))
            print(
                f"{name}: " + ", ".join(f"{kind} {size / 1000:.1f} kB" for kind, size in kinds(host.sent).most_common())
            )
            held(f"{name}: layout shift", max(shifts), MOST_SHIFT)
            held(f"{name}: files of the search's index", sum(map(is_index, host.sent)), 0)
            if page == HOME:
                held(f"{name}: over the wire", sum(host.sent.values()) / 1000, MOST_KB, " kB")
        times = [visit(browser, METHODS, types=True) for _ in range(arguments.runs)]
        print("seconds of each visit: " + ", ".join(f"{seconds:.2f}" for seconds in times))
        work = statistics.median(own_work(browser) for _ in range(arguments.runs))
        print(f"seconds of the processor for it, at full speed: {work:.2f}")
        held("methods/: the table's tools answer", statistics.median(times), MOST_SECONDS, " s")
    print(f"too much: {', '.join(faults)}" if faults else "all within the limits")
    return 1 if faults else 0


def built() -> Path:
    from surveykit.site.build import build

    return build(ROOT / "mkdocs.yml", strict=True)


if __name__ == "__main__":
    sys.exit(main())
