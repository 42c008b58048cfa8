"""Catalog → DuckDB file: the tables created and filled, then the views and macros."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from graphlib import CycleError
from operator import attrgetter
from pathlib import Path

import duckdb

from surveykit.beside import new_file
from surveykit.catalog import layers
from surveykit.catalog.load import Catalog, collecting_nothing
from surveykit.catalog.source_folder import PrintedTable, SourceFolder
from surveykit.database import audit, findings
from surveykit.database.child import readable
from surveykit.database.connection import CANNOT_WRITE, connect
from surveykit.database.reading import Reader
from surveykit.database.rows import Row, columns, comment, create, table_name
from surveykit.database.tables import TABLES, claims
from surveykit.database.views import Comments, create_views, own_views
from surveykit.errors import CatalogError, Problem, SurveyError


def build(catalog: Catalog, path: Path) -> None:
    """Write the database of a catalog to a file. It is written beside and renamed, so none is ever half-written.

    Raises:
        SurveyError: the file cannot be written, or what is there is no file.
        FormulaError: a formula has no value on one of the backbones.
    """
    try:
        with new_file(path) as beside, connect(beside) as connection:
            fill(connection, catalog)
            connection.execute("CHECKPOINT")  # when it is closed, DuckDB says nothing of what it cannot write
    except CANNOT_WRITE as error:
        raise SurveyError(f"the database {path} cannot be written: {' '.join(str(error).split())}") from None


def check_that_it_builds(catalog: Catalog) -> None:
    """Build the database in memory, and forget it.

    Raises:
        CatalogError: the files make no database.
    """
    with connect() as connection:
        fill(connection, catalog)


@collecting_nothing()
def fill(connection: duckdb.DuckDBPyConnection, catalog: Catalog) -> None:
    """Create all tables, rows, views and macros in an empty database."""
    connection.execute("SET threads TO 1")  # thousands of statements on few rows, which others would only wait for
    connection.execute("BEGIN")  # one transaction: a commit for each of 700 comments takes longer than the rest
    for table in TABLES:
        connection.execute(create(table))
        try:
            _insert(connection, table, table.of_catalog(catalog))
        except duckdb.Error as error:  # a rule of the table that the loader does not know
            reason = str(error).partition("\n")[0]
            raise CatalogError([Problem(catalog.root.name, 0, 0, f"table {table_name(table)}: {reason}")]) from error
    known = {table_name(table): {c.name: c.comment for c in columns(table)} for table in TABLES}
    views: dict[str, Path] = {}
    for folder in catalog.sources.values():
        for printed in folder.tables.values():
            _refuse_taken(catalog, folder, printed, {*known, *own_views()})
            known |= _as_printed(connection, folder, printed)
        views |= {layers.name_of(catalog.root, path): path for path in folder.views}
    try:
        create_views(connection, known, views)
    except CycleError as error:
        reason = f"these views read each other in a circle: {', '.join(error.args[1])}"
        raise CatalogError([Problem(f"{catalog.root.name}/sources", 0, 0, reason)]) from error
    connection.execute("COMMIT")  # a query of the audit that fails would undo what is not committed
    for table, results in audit.results(connection, catalog):
        _insert(connection, table, results)
    ask = partial(audit.one_row, connection, readable(connection))
    for table, results in findings.results(Reader(connection), catalog, ask):
        _insert(connection, table, results)


def _refuse_taken(catalog: Catalog, folder: SourceFolder, table: PrintedTable, taken: set[str]) -> None:
    """Two sources' tables, or one and ours, may come to the same name once hyphens are underscores."""
    name = claims.as_printed(folder.key, table.id)
    if name in taken:
        file = layers.name_of(catalog.root, layers.first(catalog.root, f"sources/{folder.key}/tables/{table.id}.yaml"))
        message = f"the database has {name} already; give the table or its source another name"
        raise CatalogError([Problem(file, 0, 0, message)])


def _as_printed(connection: duckdb.DuckDBPyConnection, folder: SourceFolder, table: PrintedTable) -> Comments:
    """Create the table of a source's table, its cells as printed; the comments of its columns."""
    name, meaning = claims.as_printed(folder.key, table.id), table.meaning
    comments = {"position": "Order of the row, from 1", **{column: _about(table, column) for column in meaning.names()}}
    declared = ", ".join(["position INTEGER PRIMARY KEY", *(f'"{column}" VARCHAR' for column in meaning.names())])
    connection.execute(f"CREATE TABLE {name} ({declared})")
    connection.execute(
        comment("TABLE", name, f"{meaning.locator} of {folder.source.name} as printed: {meaning.says}", comments)
    )
    if table.rows:
        lists = [list(range(1, len(table.rows) + 1))]
        lists += [[cells[column] or None for cells in table.rows] for column in meaning.names()]  # type: ignore[misc]
        marks = ", ".join(["unnest(?::INTEGER[])", *("unnest(?::VARCHAR[])" for _ in meaning.names())])
        connection.execute(f"INSERT INTO {name} SELECT {marks}", lists)
    return {name: comments}


def _about(table: PrintedTable, column: str) -> str:
    meaning = table.meaning
    if column == meaning.row:
        return "Label of the row, as printed"
    if column == meaning.model:
        return "Label of the model, as printed"
    if column in meaning.columns:
        what = meaning.columns[column]
        return f"{what.says or f'The quantity {what.quantity}'}{f', in {what.unit}' if what.unit else ''}, as printed"
    return meaning.text[column]


def _insert(connection: duckdb.DuckDBPyConnection, table: type[Row], rows: Iterable[Row]) -> None:
    """Insert all rows in one statement, each column as one list: a mark for every value takes ten times as long."""
    declared = columns(table)
    values = sorted(map(attrgetter(*(c.name for c in declared)), rows), key=repr)
    if values:
        lists = ", ".join(f"unnest(?::{c.type}[])" for c in declared)
        connection.execute(
            f"INSERT INTO {table_name(table)} SELECT {lists}", [list(column) for column in zip(*values, strict=True)]
        )
