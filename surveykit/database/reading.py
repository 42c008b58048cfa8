"""Questions to the database, and their answers as records."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb

from surveykit.database.connection import connect

Listing = tuple[list[str], list[tuple[Any, ...]]]
"""Names of columns, and plain rows."""


class AnswerRow(SimpleNamespace):
    """A row with its columns as attributes; pages add what they show beside them."""


class Reader:
    """A database open for reading."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._grouped: dict[tuple[str, str], dict[object, list[AnswerRow]]] = {}

    def all(self, sql: str, *values: object) -> list[AnswerRow]:
        """All rows of a query."""
        cursor = self._connection.execute(sql, list(values))
        names = [column[0] for column in cursor.description or ()]
        return [AnswerRow(**dict(zip(names, row, strict=True))) for row in cursor.fetchall()]

    def of(self, column: str, value: object, sql: str) -> list[AnswerRow]:
        """Rows of a query with a value in a column, in the query's order.

        The query is asked once for all values: pages put the same one for each of many methods.
        """
        grouped = self._grouped.get((column, sql))
        if grouped is None:
            grouped = self._grouped[column, sql] = {}
            for row in self.all(sql):
                grouped.setdefault(getattr(row, column), []).append(row)
        return [AnswerRow(**vars(row)) for row in grouped.get(value, [])]  # of its own: pages add to their rows

    def one(self, sql: str, *values: object) -> AnswerRow:
        """The only row."""
        (row,) = self.all(sql, *values)
        return row

    def has(self, view: str) -> bool:
        """Whether there is a view of this name: a source brings those that speak of its own tables."""
        return bool(self.all("SELECT view_name FROM duckdb_views() WHERE view_name = ?", view))

    def listing(self, sql: str, **values: object) -> Listing:
        """Names of the columns, and plain rows."""
        cursor = self._connection.execute(sql, values or None)
        return [column[0] for column in cursor.description or ()], cursor.fetchall()


@contextmanager
def reading(database: Path) -> Iterator[Reader]:
    with connect(database, read_only=True) as connection:
        # With one thread, rows that no ORDER BY tells apart come in the same order each time.
        connection.execute("SET threads TO 1")
        yield Reader(connection)
