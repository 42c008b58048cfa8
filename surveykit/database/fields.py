"""What queries can name: the tables, views and columns of a database, with their comments."""

from __future__ import annotations

from dataclasses import dataclass

from surveykit.database.reading import Reader
from surveykit.errors import QueryError, nearest


@dataclass(frozen=True)
class Field:
    """Something that a query can name."""

    name: str
    kind: str
    """`view`, `macro` or `table`; of a column, its type in DuckDB."""
    comment: str | None
    """What it holds, with its unit."""


def tables(reader: Reader) -> list[Field]:
    """Every table, view and macro. Views first, for they are made for reading."""
    _, rows = reader.listing("""
        SELECT view_name AS name, 'view' AS kind, comment FROM duckdb_views() WHERE NOT internal
        UNION ALL
        SELECT function_name || '(' || array_to_string(parameters, ', ') || ')', 'macro', comment
        FROM duckdb_functions() WHERE NOT internal AND function_type = 'table_macro'
        UNION ALL
        SELECT table_name, 'table', comment FROM duckdb_tables() WHERE NOT internal
        ORDER BY list_position(['view', 'macro', 'table'], kind), name
    """)
    return [Field(*row) for row in rows]


def columns(reader: Reader, table: str) -> list[Field]:
    """The columns of one table or view.

    Raises:
        QueryError: there is no such table; the nearest is named.
    """
    found = reader.of(
        "table_name",
        table.partition("(")[0].replace("methods_on", "methods"),
        "SELECT table_name, column_name, data_type, comment FROM duckdb_columns() WHERE NOT internal ORDER BY column_index",
    )
    if not found:
        names = [one.name for one in tables(reader) if one.kind != "macro"]
        raise QueryError(f"no table or view '{table}'{nearest(table, names)}; surveykit fields lists them all")
    return [Field(c.column_name, c.data_type, c.comment) for c in found]
