"""Questions to the database, answered by a child process within bounds."""

from __future__ import annotations

import json
import os
import sys
import time

from surveykit.database import cache
from surveykit.errors import QueryError, SurveyError

TYPE_CHECKING = False  # typing, pathlib and subprocess would delay every query; see benchmarks/query_startup.py
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

DEFAULT_BACKBONE = "t5-large"
DEFAULT_SELECT = (
    "id, name, type, disk, ram, bp, overhead, word_of, configuration, trainable_measured, trainable_percent_measured"
)
MAX_ROWS = 10_000
# What may be printed takes seconds to write as a table; the largest view has 36,000 values in 0.4 MB.
MAX_VALUES = 250_000
MAX_BYTES = 8 << 20
MEMORY_BYTES = 1 << 30
TIMEOUT_SECONDS = 10.0
_START_SECONDS = 60.0

_PACKAGE_PARENT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_CODE = "import sys; sys.path.insert(0, sys.argv[1]); from surveykit.database.child import main; main()"
# -P: the working directory is not searched for modules.
_COMMAND = [sys.executable, "-P", "-c", _CODE, _PACKAGE_PARENT]


class Result:
    """Rows of an answer. Decimals are `Decimal`, dates are text in ISO form."""

    __slots__ = ("columns", "evidence", "rows", "types")

    def __init__(self, columns: list[str], types: list[str], rows: list[list[Any]]) -> None:
        self.columns = _distinct(columns)
        self.types = types
        """DuckDB's names of the columns' types."""
        self.rows = rows
        self.evidence: list[tuple[str, list[list[Any]]]] = []
        """Per method: kind, about, value, source, locator of each fact; empty unless asked for."""

    def records(self) -> Iterator[dict[str, Any]]:
        for row in self.rows:
            yield dict(zip(self.columns, row, strict=True))


def _distinct(names: list[str]) -> list[str]:
    """Columns of the same name get a number, so that no record loses one."""
    found: list[str] = []
    for name in names:
        number, unique = 1, name
        while unique in found:
            number += 1
            unique = f"{name}_{number}"
        found.append(unique)
    return found


class Worker:
    """A child process that imports DuckDB and then waits for one job. Start it early: the import takes longest."""

    def __init__(self) -> None:
        self._answers, answers_end = os.pipe()
        jobs_end, self._jobs = os.pipe()
        null = os.open(os.devnull, os.O_WRONLY)
        ends = (jobs_end, answers_end, null)
        self._process = _spawn(*ends)
        for end in ends:
            os.close(end)

    def ask(self, job: dict[str, Any], seconds: float) -> dict[str, Any]:
        """Send the job and wait for the answer, `seconds` at most from when the child is ready.

        Raises:
            QueryError: the time ran out, or the child died; it is gone in either case.
        """
        try:
            read = _Lines(self._answers, self._process)
            if not read.next(_START_SECONDS):
                raise SurveyError("the query process did not start; is duckdb installed for this Python?")
            try:
                # The pipe stays open: that it closes tells the child that nobody waits any more.
                with open(self._jobs, "w", encoding="utf-8", closefd=False) as jobs:
                    jobs.write(json.dumps(job) + "\n")
            except BrokenPipeError:
                pass  # the child died; there will be no answer
            line = read.next(seconds)
        finally:
            self.close()
        if line is None:
            message = f"the query ran for more than {seconds:g} s and was stopped; simplify it or raise --timeout"
            raise QueryError(message)
        if not line:
            raise QueryError("the query process died, probably because it ran out of memory; select less")
        found: dict[str, Any] = json.loads(line)
        return found

    def close(self) -> None:
        """End the child, whatever it does."""
        if self._process is None:
            return
        process, self._process = self._process, None
        process.kill()
        process.wait()
        os.close(self._answers)
        os.close(self._jobs)


class _Lines:
    """Lines from a child that may never write one."""

    def __init__(self, descriptor: int, process: Any) -> None:
        self._descriptor = descriptor
        self._process = process

    def next(self, seconds: float) -> bytes | None:
        """The next line; empty when the child died first, None when the time ran out first."""
        parts: list[bytes] = []
        deadline = time.monotonic() + seconds
        with _KillingOnWindows(self._process, seconds):
            while not parts or not parts[-1].endswith(b"\n"):  # the child never writes ahead of what it is asked
                left = deadline - time.monotonic()
                if left <= 0 or not _is_readable(self._descriptor, left):
                    return None
                part = os.read(self._descriptor, 1 << 20)
                if not part:
                    return b"" if time.monotonic() < deadline else None
                parts.append(part)
        return b"".join(parts)


if sys.platform == "win32":
    from threading import Timer

    def _is_readable(descriptor: int, seconds: float) -> bool:
        return True  # Windows cannot wait on a pipe; the timer below ends the reading

    class _KillingOnWindows:
        def __init__(self, process: Any, seconds: float) -> None:
            self._timer = Timer(seconds, process.kill)

        def __enter__(self) -> None:
            self._timer.start()

        def __exit__(self, *details: object) -> None:
            self._timer.cancel()

else:
    from select import select as _select

    def _is_readable(descriptor: int, seconds: float) -> bool:
        return bool(_select([descriptor], [], [], seconds)[0])

    class _KillingOnWindows:
        def __init__(self, process: Any, seconds: float) -> None: ...

        def __enter__(self) -> None: ...

        def __exit__(self, *details: object) -> None: ...


class _Spawned:
    """A process started with posix_spawn, which needs no import."""

    def __init__(self, process: int) -> None:
        self.process = process

    def kill(self) -> None:
        os.kill(self.process, 9)  # it exists until `wait`, even when it ended by itself

    def wait(self) -> None:
        os.waitpid(self.process, 0)


def _spawn(jobs: int, answers: int, errors: int) -> Any:
    if hasattr(os, "posix_spawn") and min(jobs, answers, errors) > 2:
        moves = [(os.POSIX_SPAWN_DUP2, end, place) for place, end in enumerate((jobs, answers, errors))]
        return _Spawned(os.posix_spawn(sys.executable, _COMMAND, os.environ, file_actions=moves))
    import subprocess

    return subprocess.Popen(_COMMAND, stdin=jobs, stdout=answers, stderr=errors)


_prepared: list[Worker] = []


def prepare() -> None:
    """Start the process of the next `ask` now, for a caller who still has other things to do."""
    if not _prepared:
        _prepared.append(Worker())


def dismiss() -> None:
    """End a process that `prepare` started and that nobody asked."""
    while _prepared:
        _prepared.pop().close()


def ask(
    root: str,
    *,
    sql: str | None = None,
    condition: str | None = None,
    select: str = DEFAULT_SELECT,
    order_by: str | None = None,
    limit: int | None = None,
    backbone: str | None = None,
    evidence: bool = False,
    timeout: float = TIMEOUT_SECONDS,
    max_rows: int = MAX_ROWS,
) -> Result:
    """Answer a question about the catalog in a folder: a whole SELECT, or a condition on the view `methods`.

    Args:
        root: the catalog's folder.
        sql: one SELECT on the tables and views that `surveykit fields` lists; nothing else is looked at then.
        condition: what must hold of a method, as SQL; None for all methods.
        select, order_by, limit: columns, order and number of the methods.
        backbone: id of the backbone that measured columns speak of; None for T5-Large.
        evidence: also return what each method's row rests on.
        timeout: seconds before the query is killed.
        max_rows: more rows are an error, never a silent cut.

    Raises:
        QueryError: the question is refused, wrong, or reached a bound.
        CatalogError: the catalog is invalid.
        SurveyError: the cache cannot be written.
    """
    job: dict[str, Any] = {
        "sql": sql, "condition": condition, "select": select, "order_by": order_by, "limit": limit,
        "backbone": backbone, "max_rows": max_rows, "max_values": MAX_VALUES, "max_bytes": MAX_BYTES,
        "memory_bytes": MEMORY_BYTES, "seconds": timeout,
        "evidence": (backbone or DEFAULT_BACKBONE) if evidence else None,
    }  # fmt: skip
    worker = _prepared.pop() if _prepared else Worker()
    try:
        found: dict[str, Any] = {}
        # A database may vanish (another process replaced it), be damaged, or come from another DuckDB: ask again once.
        for attempt in (1, 2):
            database = cache.current_file(root, rebuild=attempt == 2)
            found = worker.ask({**job, "database": database, "duckdb": cache.version_of(database)}, timeout)
            if found.get("kind") not in ("stale", "unreadable"):
                break
            worker = Worker()
    finally:
        worker.close()
    if found.get("kind") == "fault":
        raise RuntimeError(f"in the query process: {found['error']}")
    if "error" in found:
        raise QueryError(found["error"])
    result = Result(found["columns"], found["types"], found["rows"])
    _restore_decimals(result)
    result.evidence = [(method, facts) for method, facts in found.get("evidence", [])]
    return result


def _restore_decimals(result: Result) -> None:
    places = [i for i, name in enumerate(result.types) if name.startswith("DECIMAL")]
    if not places:
        return
    from decimal import Decimal

    for row in result.rows:
        for i in places:
            if row[i] is not None:
                row[i] = Decimal(row[i])
