"""What each kind of page weighs and how it loads, in headless Chromium from this machine.

Bytes are of the files as they are. `load` is the median time until a page is loaded, as a ratio to the plainest page
(about) in the same run, with nothing kept from before; pages are loaded in turn, so that a busy moment hits all.

    python -m surveykit site && python benchmarks/site_weight.py [--site build/site] [--runs 5] [--width 1400]

Needs Chromium with its driver, and selenium.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from browser.harness import Browser, served, started  # noqa: E402
from browser.page_types import PAGE_TYPES  # noqa: E402
from browser.weight import Weight, weigh  # noqa: E402

PLAINEST = "about/"
PAGES = tuple(page for page in PAGE_TYPES if page != "404.html")
KINDS = ("html", "css", "own_script", "theme_script", "image", "data")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--site", type=Path, default=ROOT / "build" / "site")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--width", type=int, default=1400)
    arguments = parser.parse_args()
    weights: dict[str, list[Weight]] = {page: [] for page in PAGES}
    with served(arguments.site) as address, started() as driver:
        browser = Browser(driver, address, arguments.site)
        browser.size(arguments.width)
        for _ in range(arguments.runs):
            for page in PAGES:
                weights[page].append(weigh(browser, page))
    plainest = statistics.median(weight.load for weight in weights[PLAINEST])
    heads = (*(f"{kind.replace('_', ' ')}, kB" for kind in KINDS), "requests", "shift", "load ×")
    print(f"{'page':24}" + "".join(f"{head:>18}" for head in heads))
    for page, runs in weights.items():
        sizes = "".join(f"{getattr(runs[0], kind) / 1000:>18.0f}" for kind in KINDS)
        shift = max(weight.shift for weight in runs)
        ratio = statistics.median(weight.load for weight in runs) / plainest
        print(f"{page or 'home':24}{sizes}{runs[0].requests:>18}{shift:>18.4f}{ratio:>18.2f}")
    outside = {url for runs in weights.values() for w in runs for url in w.blocking if not url.startswith(address)}
    print(f"requests outside the site that hold up a page: {len(outside)}")


if __name__ == "__main__":
    main()
