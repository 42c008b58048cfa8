"""Commands with random streams and signals at random moments: looked for are tracebacks, hangs, processes that stay,
files that are half there, and leftovers that the next run does not remove.

    python benchmarks/front_door_fuzz.py [SECONDS] [SEED]
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
import interrupted
import small_catalog

from surveykit.database import cache

COMMANDS = (
    ["query", "type = 'R'"],
    ["query", "--sql", "SELECT count(DISTINCT range) FROM range(300000000)", "--timeout", "5"],
    ["query", "--sql", "FROM range(100000)", "--max-rows", "1000000"],
    ["build", "--output", "{folder}/x.duckdb"],
    ["export", "{folder}/csv", "--format", "csv"],
    ["export", "{folder}/parquet", "--format", "parquet"],
    ["validate"], ["show", "lora"], ["compare", "lora", "full-tuning"], ["fields", "methods"], ["verify"], ["audit"],
    ["where"], ["cite", "lora"], ["schema", "--output", "{folder}/schema"], ["--help"],
)  # fmt: skip
STREAMS = (">&-", "2>&-", ">/dev/full", "2>/dev/full", "<&-", "| head -c 10", "| true", ">&- 2>&-", "| cat >/dev/full")
SETTINGS = ({}, {"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C"}, {"COLUMNS": "1"}, {"COLUMNS": "33"}, {"COLUMNS": "x"})


def main() -> int:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 60
    rng = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else 0)
    runs, faults = 0, 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        root = str(small_catalog.write(folder / "catalog"))
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            words = ["--catalog", root, *(word.format(folder=folder / "out") for word in rng.choice(COMMANDS))]
            environment = {
                **os.environ,
                cache.ENVIRONMENT: str(folder / f"cache-{rng.randrange(3)}"),
                **rng.choice(SETTINGS),
            }
            (folder / "out").mkdir(exist_ok=True)
            found = (
                signalled(words, environment, folder, rng)
                if rng.random() < 0.5
                else redirected(words, environment, rng)
            )
            found += [f"half-written: {path}" for path in interrupted.half_written(folder / "out")]
            runs += 1
            faults += len(found)
            for fault in found:
                print(" ".join(words[2:]), "|", fault)
        for cached in folder.glob("cache-*"):  # the next run tidies up
            environment = {**os.environ, cache.ENVIRONMENT: str(cached)}
            subprocess.run([sys.executable, "-m", "surveykit", "--catalog", root, "where"], env=environment, check=True,
                           stdout=subprocess.DEVNULL)  # fmt: skip
            left = [path for path in cached.glob("*/*") if path.name != "manifest" and path.suffix != ".duckdb"]
            databases = list(cached.glob("*/*.duckdb"))
            if left or len(databases) != 1:
                faults += 1
                print("left in the cache:", *left, *databases)
    print(f"{runs} runs, {faults} faults")
    return bool(faults)


def signalled(words: list[str], environment: dict[str, str], folder: Path, rng: random.Random) -> list[str]:
    number = rng.choice((signal.SIGINT, signal.SIGTERM, signal.SIGKILL))
    ended = interrupted.send(words, number, rng.choice((0, 0.05, rng.random(), 2 * rng.random())), environment, folder)
    return [f"{number.name}: {fault}" for fault in interrupted.faults(ended, number)]


def redirected(words: list[str], environment: dict[str, str], rng: random.Random) -> list[str]:
    quoted = " ".join(f"'{word.replace(chr(39), chr(39) + chr(92) + chr(39) * 2)}'" for word in words)
    streams = rng.choice(STREAMS)
    command = f"'{sys.executable}' -m surveykit {quoted} {streams}; exit ${{PIPESTATUS[0]}}"
    try:
        done = subprocess.run(["bash", "-c", command], env=environment, capture_output=True, text=True, timeout=40)
    except subprocess.TimeoutExpired:
        return [f"{streams}: hangs"]
    findings = "verify" in words or "audit" in words  # a line each
    bad = "Traceback" in done.stderr or (done.stderr.count("\n") > 1 and not findings)
    if bad or done.returncode not in ((0, 1, 2) if findings else (0, 2)):
        return [f"{streams}: exit code {done.returncode}: {done.stderr[-1000:]}"]
    return []


if __name__ == "__main__":
    sys.exit(main())
