"""How long a cold `surveykit query` takes, as a ratio to DuckDB alone.

Whole processes are timed, in turn, so that a busy moment hits all of them; medians are compared.

    python benchmarks/query_startup.py [RUNS]
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

from surveykit.catalog.locate import locate
from surveykit.database.cache import current

BUDGETS = {"query": 1.3, "query --format csv": 1.3, "query --evidence": 1.3, "--help": 0.65}


def commands(database: Path) -> dict[str, list[str]]:
    plain = f"import duckdb; duckdb.connect({str(database)!r}, read_only=True).execute('SELECT 1').fetchall()"
    surveykit = [sys.executable, "-m", "surveykit"]
    condition = "type='R' and overhead='none'"
    return {
        "duckdb alone": [sys.executable, "-c", plain],
        "query": [*surveykit, "query", condition],
        "query --format csv": [*surveykit, "query", condition, "--format", "csv"],
        "query --evidence": [*surveykit, "query", condition, "--evidence"],
        "--help": [*surveykit, "--help"],
    }


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 21
    database = current(locate().root)
    time.sleep(2.5)  # files younger than two seconds are hashed again; see surveykit.database.cache
    current(locate().root)
    timed: dict[str, list[float]] = {name: [] for name in commands(database)}
    for turn in range(runs + 2):
        for name, command in commands(database).items():
            start = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            if turn >= 2:  # the first two fill the file cache
                timed[name].append(time.perf_counter() - start)
    alone = statistics.median(timed["duckdb alone"])
    print(f"duckdb alone: {alone * 1000:.0f} ms, median of {runs}")
    for name, budget in BUDGETS.items():
        median = statistics.median(timed[name])
        print(f"{name:20} {median * 1000:4.0f} ms  {median / alone:.2f} × duckdb alone (budget {budget})")


if __name__ == "__main__":
    main()
