"""What queries can name: the tables, views and columns of a database, with their comments."""

from __future__ import annotations

from surveykit.database.connection import connect
from surveykit.database.reading import Listing
from surveykit.errors import QueryError, nearest


def tables(database: str) -> Listing:
    """Every table, view and macro: name, kind, comment. Views first, for they are made for reading."""
    with connect(database, read_only=True) as connection:
        rows = connection.execute("""
            SELECT view_name AS name, 'view' AS kind, comment FROM duckdb_views() WHERE NOT internal
            UNION ALL
            SELECT function_name || '(' || array_to_string(parameters, ', ') || ')', 'macro', comment
            FROM duckdb_functions() WHERE NOT internal AND function_type = 'table_macro'
            UNION ALL
            SELECT table_name, 'table', comment FROM duckdb_tables() WHERE NOT internal
            ORDER BY list_position(['view', 'macro', 'table'], kind), name
        """).fetchall()
    return ["name", "kind", "comment"], rows


def columns(database: str, table: str) -> Listing:
    """The columns of one table or view: name, type, comment.

    Raises:
        QueryError: there is no such table; the nearest is named.
    """
    with connect(database, read_only=True) as connection:
        rows = connection.execute(
            "SELECT column_name, data_type, comment FROM duckdb_columns() "
            "WHERE NOT internal AND table_name = ? ORDER BY column_index",
            [table.partition("(")[0].replace("methods_on", "methods")],
        ).fetchall()
        if not rows:
            names = [name for (name,) in connection.execute(
                "SELECT DISTINCT table_name FROM duckdb_columns() WHERE NOT internal"
            ).fetchall()]  # fmt: skip
            raise QueryError(f"no table or view '{table}'{nearest(table, names)}; surveykit fields lists them all")
    return ["column", "type", "comment"], rows
