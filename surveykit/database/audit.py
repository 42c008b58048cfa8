"""The survey's sentences and raw data, checked against the database's own views. Results are rows like all others."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import duckdb

from surveykit.catalog.load import SurveyTables
from surveykit.database.child import Names, check_statement, readable
from surveykit.database.reading import Listing, Reader
from surveykit.database.rows import Row
from surveykit.database.tables.survey import DataCheckResult, StatementResult
from surveykit.errors import QueryError, SurveyError, nearest

ROWS_KEPT = 200
"""Rows of a data check that are stored; all are counted."""

LONGEST_SECONDS = 20
"""A query of the catalog that runs longer has failed; the bundled ones take milliseconds."""

OF_THE_AUDIT = frozenset(
    {"data_audit", "data_check", "data_check_result", "errata", "second_reading", "statement", "statement_reading", "statement_result",
     "statements"}
)  # fmt: skip
"""Tables and views that hold what we say of the survey, not what it prints or what was measured."""


def results(connection: duckdb.DuckDBPyConnection, survey: SurveyTables) -> Iterator[tuple[type[Row], list[Row]]]:
    """Run every reading of every statement and every data check.

    The queries are part of the catalog and pass the same guard as a user's: one SELECT on our own views. A query that
    fails is a result with its error.
    """
    names = readable(connection)
    readings: list[Row] = [
        StatementResult(statement=statement.id, position=position, **_reading(connection, reading.sql, names))
        for statement in survey.statements
        for position, reading in enumerate(statement.readings, start=1)
    ]
    yield StatementResult, readings
    checks = survey.data_checks
    yield DataCheckResult, [DataCheckResult(data_check=c.id, **_check(connection, c.sql, names)) for c in checks]


def _reading(connection: duckdb.DuckDBPyConnection, sql: str, names: Names) -> dict[str, Any]:
    """Whether it holds and its figures as JSON, or its error."""
    try:
        read, rows = _rows(connection, sql, names)
    except (duckdb.Error, QueryError) as error:
        return {"error": str(error)}
    if not read - OF_THE_AUDIT:
        return {"error": "the query reads no table of the survey or of measurements, so no data could decide it"}
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


def _rows(connection: duckdb.DuckDBPyConnection, sql: str, names: Names) -> tuple[frozenset[str], list[dict[str, Any]]]:
    """The tables and views that a query reads, and its rows."""
    read = check_statement(connection, sql, names)
    clock = threading.Timer(LONGEST_SECONDS, connection.interrupt)
    clock.start()
    try:
        found = connection.execute(sql)
        columns = [column[0] for column in found.description or []]
        return read, [dict(zip(columns, row, strict=True)) for row in found.fetchall()]
    except duckdb.InterruptException:
        raise QueryError(f"stopped after {LONGEST_SECONDS} seconds") from None
    finally:
        clock.cancel()


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def findings(reader: Reader) -> list[str]:
    """What fails `surveykit audit`: a result that is not the reviewed one, or a query that failed."""
    found = []
    for row in reader.all("SELECT * FROM statements WHERE status <> status_reviewed ORDER BY position"):
        found.append(f"statement {row.id}: reviewed as {row.status_reviewed}, now {row.status}")
    errors = "SELECT statement, position, error FROM statement_result WHERE error IS NOT NULL ORDER BY ALL"
    for row in reader.all(errors):
        found.append(f"statement {row.statement}, reading {row.position}: {row.error}")
    for row in reader.all("SELECT * FROM data_audit WHERE found IS DISTINCT FROM found_reviewed ORDER BY position"):
        found.append(f"data check {row.id}: reviewed with {row.found_reviewed} rows, now {row.error or row.found}")
    for row in reader.all("SELECT * FROM second_reading WHERE NOT stands ORDER BY finding"):
        found.append(
            f"{row.finding}: it has changed since a second reader signed it on {row.date}; once one has read it again,"
            f" write {row.digest_now} in survey/second_reading.csv"
        )
    return found


def summary(reader: Reader) -> str:
    """One line that counts the statements by status and the data checks."""
    counts = {
        row.status: row.times for row in reader.all("SELECT status, count(*) AS times FROM statements GROUP BY ALL")
    }
    data = reader.one("SELECT count(*) AS checks, count(*) FILTER (found > 0) AS found FROM data_audit")
    parts = [f"{counts.get('holds', 0)} of {sum(counts.values())} statements hold"]
    parts.append(f"{counts.get('contradicted', 0)} are contradicted by the survey itself")
    parts.append(f"{counts.get('depends_on_reading', 0)} depend on the reading")
    parts.append(f"{counts.get('not_checkable', 0)} cannot be checked")
    return "; ".join(parts) + f". {data.found} of {data.checks} data checks find something."


def one(reader: Reader, name: str) -> Listing:
    """A statement with its readings, or a data check with its rows.

    Raises:
        SurveyError: there is neither.
    """
    if reader.all("SELECT id FROM statements WHERE id = ?", name):
        return reader.listing(
            "SELECT reading, holds, figures, sql FROM statement_reading JOIN statement_result USING (statement, position)"
            " WHERE statement = $name ORDER BY position",
            name=name,
        )
    check = reader.all("SELECT sql, rows FROM data_audit WHERE id = ?", name)
    if not check:
        known = [row.id for row in reader.all("SELECT id FROM statement UNION ALL SELECT id FROM data_check")]
        raise SurveyError(f"there is no statement or data check '{name}'{nearest(name, known)}")
    found = json.loads(check[0].rows or "[]")
    columns = list(found[0]) if found else ["sql"]
    return columns, [tuple(row.values()) for row in found] or [(check[0].sql,)]
