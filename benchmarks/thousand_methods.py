"""How the time to build grows with the number of methods, and how quick the table of a thousand is.

Each size is built in a process of its own, on a catalog made of copies of the real one. Times are of the processor, so
that a busy machine lengthens them little; what counts is the growth: by how much a step takes longer where methods are
twice as many (2 is linear, 4 quadratic).

    python benchmarks/thousand_methods.py [--pages 125 250 500 1000] [--site 125 250] [--table 1000]

`--table` needs Chromium with its driver, and selenium.

Found on two cores that were busy with other work:

     methods        load    database       pages        site  memory, MB   files, MB
         250         4.3        10.6        26.2        91.3       581.5       142.1
         500         5.2        12.2        45.4       141.5       814.0       231.5
        1000        13.9        19.8        67.5       251.5      1302.4       410.2
     250→500      × 1.22      × 1.15      × 1.74      × 1.55      × 1.40      × 1.63
    500→1000      × 2.64      × 1.63      × 1.49      × 1.78      × 1.60      × 1.77

A thousand have 2.5 times as many measured rows as five hundred, which is what loading grows with. The table of a thousand
answered after 2.2 s, was filtered in 0.33 s and sorted in 0.34 s.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from time import process_time

import synthetic_catalog

ROOT = Path(__file__).parent.parent


def steps(catalog: Path, folder: Path) -> dict[str, float]:
    """Seconds of the processor that each step takes, without the site."""
    from surveykit.catalog.load import load
    from surveykit.database.build import build
    from surveykit.site.rendering import render

    database = folder / "benchmark.duckdb"
    times: dict[str, float] = {}

    def timed(name: str, step: Callable[[], object]) -> object:
        start = process_time()
        result = step()
        times[name] = process_time() - start
        return result

    loaded = timed("load", lambda: load(catalog))
    timed("database", lambda: build(loaded, database))  # type: ignore[arg-type]
    timed("pages", lambda: sum(1 for _ in render(database)))
    return times


def built(catalog: Path, folder: Path) -> Path:
    """The site of a catalog, with all that the real one has around it."""
    from surveykit.site.build import build

    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    for ours in ("docs_dir: ", "project: "):
        text = text.replace(ours, f"{ours}{ROOT}/", 1)
    (folder / "mkdocs.yml").write_text(text.replace("site_dir: ", f"site_dir: {folder}/"), encoding="utf-8")
    return build(folder / "mkdocs.yml", catalog=catalog, strict=True)


def site(catalog: Path, folder: Path) -> dict[str, float]:
    """Seconds of the processor that `surveykit site` takes in all, the memory that it needs, and what it writes."""
    start = process_time()
    out = built(catalog, folder)
    seconds = process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
    written = sum(f.stat().st_size for f in out.rglob("*") if f.is_file()) / 1e6
    return {"site": seconds, "memory, MB": peak, "files, MB": written}


def table(catalog: Path, folder: Path) -> dict[str, float]:
    """Milliseconds that the table of methods takes in Chromium: from the address to being ready, to filter, to sort."""
    html = built(catalog, folder)
    sys.path.insert(0, str(ROOT / "tests"))
    from browser.harness import Browser, served, started

    with served(html) as address, started() as driver:
        browser = Browser(driver, address, folder)
        browser.size(1400)
        driver.set_script_timeout(120)
        browser.open("methods/")
        browser.wait(lambda: browser.all("#methods-table[data-ready]"), "the table")
        ready = float(browser.script("return performance.now()"))
        found: dict[str, float] = driver.execute_async_script(TIME)
    return {"ready, ms": ready, **found}


TIME = """
const done = arguments[0];
const field = document.querySelector("#methods-tools input[type=search]");
const head = document.querySelector("#methods-table thead th:nth-child(2)");
const body = document.querySelector("#methods-table tbody");
const status = document.querySelector("#methods-tools .status");
const state = () => `${status.textContent} ${head.getAttribute("aria-sort")}`;
const turn = () => new Promise((resolve) => setTimeout(resolve));
async function timed(act) {
    const times = [];
    for (let number = 0; number < 5; number++) {
        const before = state(), start = performance.now();
        act(number);
        while (state() === before) await turn();
        body.getBoundingClientRect();  // the layout is part of it
        times.push(performance.now() - start);
    }
    return times.sort((a, b) => a - b)[2];
}
const type = (text) => { field.value = text; field.dispatchEvent(new Event("input", { bubbles: true })); };
(async () => {
    const rows = parseInt(status.textContent);
    const filter = await timed((number) => type(number % 2 ? "" : "lora"));
    type("");
    await turn();
    const sort = await timed(() => head.click());
    done({ rows, "filter, ms": filter, "sort, ms": sort });
})();
"""


def measured(methods: int, what: str, folder: Path) -> dict[str, float]:
    """What a process of its own finds for one number of methods."""
    command = [sys.executable, __file__, "--child", what, str(methods), str(folder)]
    found = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    result: dict[str, float] = json.loads(found.stdout.splitlines()[-1])
    return result


def child(what: str, methods: int, folder: Path) -> None:
    catalog = folder / "catalog"
    if not catalog.exists():
        synthetic_catalog.write(methods, catalog)
    print(json.dumps({"pages": steps, "site": site, "table": table}[what](catalog, folder)))


def report(results: dict[int, dict[str, float]]) -> None:
    """One row for each size, and by how much each step grows where methods are twice as many."""
    names = list(next(iter(results.values())))
    print(f"{'methods':>12}" + "".join(f"{name:>12}" for name in names))
    for methods, row in results.items():
        print(f"{methods:>12}" + "".join(f"{row[name]:>12.1f}" for name in names), flush=True)
    sizes = list(results)
    for small, large in pairwise(sizes):
        doublings = math.log2(large / small)
        grown = [(results[large][name] / results[small][name]) ** (1 / doublings) for name in names]
        print(f"{f'{small}→{large}':>12}" + "".join(f"{f'× {ratio:.2f}':>12}" for ratio in grown), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, nargs="*", default=[125, 250, 500, 1000])
    parser.add_argument("--site", type=int, nargs="*", default=[125, 250])
    parser.add_argument("--table", type=int, nargs="*", default=[1000])
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        what, methods, folder = arguments.child
        return child(what, int(methods), Path(folder))
    with tempfile.TemporaryDirectory(prefix="surveykit-") as place:
        for what in ("pages", "site", "table"):
            results = {}
            for methods in getattr(arguments, what):
                folder = Path(place) / str(methods)
                folder.mkdir(exist_ok=True)
                results[methods] = measured(methods, what, folder)
            if results:
                print("Milliseconds in Chromium" if what == "table" else "Seconds of the processor")
                report(results)
    return None


if __name__ == "__main__":
    main()
