"""Sentences and data of sources, checked against the database's own views. Results are rows like all others."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import duckdb

from surveykit.catalog.load import Catalog
from surveykit.database.child import Names, check_statement, readable
from surveykit.database.reading import Reader
from surveykit.database.rows import Row
from surveykit.database.tables.statements import DataCheckResult, StatementResult
from surveykit.errors import QueryError, SurveyError, nearest

ROWS_KEPT = 200
"""Rows of a data check that are stored; all are counted."""

MOST_ROWS_STORED = 100_000
"""A view with more rows is computed anew for each query that reads it."""

LONGEST_SECONDS = 20
"""A query of the catalog that runs longer has failed; the bundled ones take milliseconds."""

OF_THE_AUDIT = frozenset(
    {"data_audit", "data_check", "data_check_result", "errata", "finding", "finding_part", "second_reading", "statement", "statement_reading", "statement_result",
     "statements"}
)  # fmt: skip
"""Tables and views that hold what we say of the survey, not what it prints or what was measured."""


@dataclass(frozen=True)
class CheckedReading:
    """One way to read a sentence, decided by one query."""

    reading: str
    """In words."""
    holds: bool | None
    """None where the query failed."""
    figures: str | None
    """What it was decided by, as a JSON object."""
    sql: str


@dataclass(frozen=True)
class CheckedStatement:
    """A sentence of the survey, and whether its own tables bear it out."""

    id: str
    status: str
    """`holds`, `contradicted`, `depends_on_reading`, `not_checkable`, or `failed` where a query did."""
    headline: str
    says: str
    locator: str
    readings: tuple[CheckedReading, ...]


@dataclass(frozen=True)
class CheckedData:
    """A check of the survey's raw data."""

    id: str
    found: int | None
    """Number of rows that it finds; None where the query failed."""
    looks_for: str
    note: str | None
    sql: str
    rows: tuple[dict[str, Any], ...]
    """What it finds, up to 200 rows, with the query's own columns."""


@dataclass(frozen=True)
class Audit:
    """The survey's sentences and raw data, checked against its own tables."""

    statements: tuple[CheckedStatement, ...]
    data: tuple[CheckedData, ...]
    findings: tuple[str, ...]
    """What is not as it was reviewed, or failed."""
    summary: str
    """One line that counts the statements by status and the data checks."""

    @property
    def passed(self) -> bool:
        return not self.findings

    def named(self, id: str) -> CheckedStatement | CheckedData:
        """The statement or data check of this id.

        Raises:
            SurveyError: there is neither.
        """
        known: dict[str, CheckedStatement | CheckedData] = {check.id: check for check in self.data}
        known |= {statement.id: statement for statement in self.statements}
        if id not in known:
            raise SurveyError(f"there is no statement or data check '{id}'{nearest(id, known)}")
        return known[id]


def results(connection: duckdb.DuckDBPyConnection, catalog: Catalog) -> Iterator[tuple[type[Row], list[Row]]]:
    """Run every reading of every statement and every data check.

    The queries are part of the catalog and pass the same guard as a user's: one SELECT on our own views. A query that
    fails is a result with its error.
    """
    names = readable(connection)
    asked = [folder for folder in catalog.sources.values() if folder.statements or folder.data_checks]
    with _computed(connection, [path.stem for folder in asked for path in folder.views]):
        readings: list[Row] = [
            StatementResult(statement=statement.id, position=position, **_reading(connection, reading.sql, names))
            for folder in catalog.sources.values()
            for statement in folder.statements
            for position, reading in enumerate(statement.readings, start=1)
        ]
        yield StatementResult, readings
        checks = [check for folder in catalog.sources.values() for check in folder.data_checks]
        yield DataCheckResult, [DataCheckResult(data_check=c.id, **_check(connection, c.sql, names)) for c in checks]


@contextmanager
def _computed(connection: duckdb.DuckDBPyConnection, views: Iterable[str]) -> Iterator[None]:
    """Views are temporary tables of the same names meanwhile, which come first: hundreds of queries read the same few."""
    tables = [view for view in views if _compute(connection, view)]
    try:
        yield
    finally:
        for table in tables:
            connection.execute(f"DROP TABLE temp.{table}")


def _compute(connection: duckdb.DuckDBPyConnection, view: str) -> bool:
    """Whether a view could be stored, all of it. One that fails does so again in the queries that read it."""
    with suppress(duckdb.Error, QueryError), _in_time(connection):
        connection.execute(f"CREATE TEMP TABLE {view} AS FROM {view} LIMIT {MOST_ROWS_STORED}")
        if connection.execute(f"SELECT count(*) FROM temp.{view}").fetchall() < [(MOST_ROWS_STORED,)]:
            return True
        connection.execute(f"DROP TABLE temp.{view}")
    return False


def _reading(connection: duckdb.DuckDBPyConnection, sql: str, names: Names) -> dict[str, Any]:
    """Whether it holds and its figures as JSON, or its error."""
    try:
        read, rows = _rows(connection, sql, names)
    except (duckdb.Error, QueryError) as error:
        return {"error": str(error)}
    if not read - OF_THE_AUDIT:
        return {"error": "the query reads no table of a source or of measurements, so no data could decide it"}
    if len(rows) != 1 or not isinstance(rows[0].get("holds"), bool):
        return {"error": "the query must give one row with a column `holds` that is true or false"}
    holds = rows[0].pop("holds")
    return {"holds": holds, "figures": _json(rows[0])}


def _check(connection: duckdb.DuckDBPyConnection, sql: str, names: Names) -> dict[str, Any]:
    try:
        _, rows = _rows(connection, sql, names)
    except (duckdb.Error, QueryError) as error:
        return {"error": str(error)}
    return {"found": len(rows), "rows": _json(rows[:ROWS_KEPT])}


def one_row(connection: duckdb.DuckDBPyConnection, names: Names, sql: str) -> dict[str, Any]:
    """The only row of a query of the catalog, by column.

    Args:
        names: what it may read.

    Raises:
        QueryError: the query is refused, fails, takes too long, or gives another number of rows.
    """
    try:
        _, rows = _rows(connection, sql, names)
    except duckdb.Error as error:
        raise QueryError(str(error)) from None
    if len(rows) != 1:
        raise QueryError(f"the query must give one row, but gives {len(rows)}")
    return rows[0]


def _rows(connection: duckdb.DuckDBPyConnection, sql: str, names: Names) -> tuple[frozenset[str], list[dict[str, Any]]]:
    """The tables and views that a query reads, and its rows."""
    read = check_statement(connection, sql, names)
    with _in_time(connection):
        found = connection.execute(sql)
        columns = [column[0] for column in found.description or []]
        return read, [dict(zip(columns, row, strict=True)) for row in found.fetchall()]


@contextmanager
def _in_time(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Stop a query that takes too long. Raises QueryError where it did."""
    clock = threading.Timer(LONGEST_SECONDS, connection.interrupt)
    clock.start()
    try:
        yield
    except duckdb.InterruptException:
        raise QueryError(f"stopped after {LONGEST_SECONDS} seconds") from None
    finally:
        clock.cancel()


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def audited(reader: Reader) -> Audit:
    """What the database holds of the statements and data checks, which were run when it was built."""
    readings = (
        "SELECT r.statement, reading, holds, figures, sql FROM statement_reading AS r JOIN statement_result AS result "
        "ON result.statement = r.statement AND result.position = r.position ORDER BY r.statement, r.position"
    )
    statements = [
        CheckedStatement(
            row.id, row.status, row.headline, row.says, row.locator,
            tuple(CheckedReading(r.reading, r.holds, r.figures, r.sql) for r in reader.of("statement", row.id, readings)),
        )
        for row in reader.all("SELECT * FROM statements ORDER BY position")
    ]  # fmt: skip
    data = [
        CheckedData(row.id, row.found, row.looks_for, row.note, row.sql, tuple(json.loads(row.rows or "[]")))
        for row in reader.all("SELECT * FROM data_audit ORDER BY position")
    ]
    return Audit(tuple(statements), tuple(data), tuple(_findings(reader)), _summary(reader))


def _findings(reader: Reader) -> list[str]:
    """What fails `surveykit audit`: a result that is not the reviewed one, or a query that failed."""
    found = []
    for row in reader.all("SELECT * FROM statements WHERE status <> status_reviewed ORDER BY position"):
        found.append(f"statement {row.id}: reviewed as {row.status_reviewed}, now {row.status}")
    errors = "SELECT statement, position, error FROM statement_result WHERE error IS NOT NULL ORDER BY ALL"
    for row in reader.all(errors):
        found.append(f"statement {row.statement}, reading {row.position}: {row.error}")
    for row in reader.all("SELECT * FROM data_audit WHERE found IS DISTINCT FROM found_reviewed ORDER BY position"):
        found.append(f"data check {row.id}: reviewed with {row.found_reviewed} rows, now {row.error or row.found}")
    for row in reader.all("SELECT source, id, fault FROM finding WHERE fault IS NOT NULL ORDER BY ALL"):
        found.append(f"finding {row.id} in sources/{row.source}/findings.yaml: {row.fault}")
    for row in reader.all("SELECT * FROM second_reading WHERE NOT stands ORDER BY finding"):
        found.append(
            f"{row.finding}: it has changed since a second reader signed it on {row.date}; once one has read it again,"
            f" write {row.digest_now} in sources/{row.source}/second_reading.csv"
        )
    return found


def _summary(reader: Reader) -> str:
    """One line that counts the statements by status and the data checks."""
    counts = {
        row.status: row.times for row in reader.all("SELECT status, count(*) AS times FROM statements GROUP BY ALL")
    }
    data = reader.one("SELECT count(*) AS checks, count(*) FILTER (found > 0) AS found FROM data_audit")
    parts = [f"{counts.get('holds', 0)} of {sum(counts.values())} statements hold"]
    parts.append(f"{counts.get('contradicted', 0)} are contradicted by their source itself")
    parts.append(f"{counts.get('depends_on_reading', 0)} depend on the reading")
    parts.append(f"{counts.get('not_checkable', 0)} cannot be checked")
    return "; ".join(parts) + f". {data.found} of {data.checks} data checks find rows."
