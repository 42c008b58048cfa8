"""How the time to build grows with the number of methods, and how quick the table of a thousand is.

Each size is built in a process of its own, on a catalog made of copies of the real one. Times are of the processor, so
that a busy machine lengthens them little; what counts is the growth: by how much a step takes longer where methods are
twice as many (2 is linear, 4 quadratic).

    python benchmarks/thousand_methods.py [--pages 125 250 500 1000] [--site 125 250] [--table 1000]

`--table` needs Chromium with its driver, and selenium.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from time import process_time

import synthetic_catalog

ROOT = Path(__file__).parent.parent
STEPS = ("load", "database", "pages")


def steps(catalog: Path, folder: Path) -> dict[str, float]:
    """Seconds of the processor that each step takes, without the site."""
    from surveykit.catalog.load import load
    from surveykit.database.build import build
    from surveykit.site.pages import render

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


def site(catalog: Path, folder: Path) -> dict[str, float]:
    """Seconds of the processor that `surveykit site` takes in all, and the size of what it writes."""
    from surveykit.catalog.locate import ENVIRONMENT
    from surveykit.site.build import build

    os.environ[ENVIRONMENT] = str(catalog)
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    for ours in ("docs_dir: ", "project: "):
        text = text.replace(ours, f"{ours}{ROOT}/", 1)
    (folder / "mkdocs.yml").write_text(text.replace("site_dir: ", f"site_dir: {folder}/"), encoding="utf-8")
    start = process_time()
    out = build(folder / "mkdocs.yml", strict=True)
    seconds = process_time() - start
    return {"site": seconds, "site, MB": sum(f.stat().st_size for f in out.rglob("*") if f.is_file()) / 1e6}


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
    print(json.dumps({"pages": steps, "site": site}[what](catalog, folder)))


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
    parser.add_argument("--table", type=int, default=1000)
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        what, methods, folder = arguments.child
        return child(what, int(methods), Path(folder))
    with tempfile.TemporaryDirectory(prefix="surveykit-") as place:
        for what in ("pages", "site"):
            results = {}
            for methods in getattr(arguments, what):
                folder = Path(place) / str(methods)
                folder.mkdir(exist_ok=True)
                results[methods] = measured(methods, what, folder)
            if results:
                print(f"Seconds of the processor, {what}")
                report(results)
    return None


if __name__ == "__main__":
    main()
