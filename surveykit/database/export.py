"""Every table and view of the database as files of one kind."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import duckdb

from surveykit.errors import SurveyError

Format = Literal["csv", "json", "parquet", "duckdb"]
DATABASE = "surveykit.duckdb"
READS = "1.4"
"""The oldest DuckDB that was seen to open the exported database; engines in browsers lag behind."""
_OPTIONS = {"csv": "FORMAT csv, HEADER", "json": "FORMAT json, ARRAY true", "parquet": "FORMAT parquet"}
# A storage that older DuckDBs read, in small blocks: most tables are small, and each column of each takes one at least.
_STORAGE = "STORAGE_VERSION 'v1.0.0', BLOCK_SIZE 16384"


def export(database: Path, folder: Path, format: Format) -> list[Path]:
    """Write one file per table and view (`duckdb`: the database as one file, for DuckDB `READS` and later).

    Each file is written beside and renamed; rows are in the order of all their columns, so that exports can be
    compared. Equal rows give equal bytes, save in a database, where DuckDB's own order of things varies.

    Raises:
        SurveyError: the folder or a file in it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if format == "duckdb":
            return [_database(database, folder)]
        with duckdb.connect(str(database), read_only=True) as connection:
            return [_table(connection, name, folder, format) for name in names(connection)]
    except (OSError, duckdb.IOException) as error:
        raise SurveyError(f"{folder} cannot be written: {error}") from None


def names(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Tables and views in alphabetical order."""
    rows = connection.execute(
        "SELECT table_name FROM duckdb_tables() WHERE NOT internal "
        "UNION SELECT view_name FROM duckdb_views() WHERE NOT internal ORDER BY 1"
    ).fetchall()
    return [name for (name,) in rows]


def _database(database: Path, folder: Path) -> Path:
    target, beside = folder / DATABASE, folder / f".{DATABASE}.partial"
    beside.unlink(missing_ok=True)
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.execute(f"ATTACH {_quoted(database)} AS ours (READ_ONLY)")
        connection.execute(f"ATTACH {_quoted(beside)} AS copy ({_STORAGE})")
        connection.execute("COPY FROM DATABASE ours TO copy")
        connection.execute("DETACH copy")
    os.replace(beside, target)
    return target


def _table(connection: duckdb.DuckDBPyConnection, name: str, folder: Path, format: Format) -> Path:
    target = folder / f"{name}.{format}"
    beside = folder / f".{name}.partial"
    connection.execute(f"COPY (SELECT * FROM {name} ORDER BY ALL) TO {_quoted(beside)} ({_OPTIONS[format]})")
    os.replace(beside, target)
    return target


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
