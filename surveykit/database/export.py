"""Every table and view of the database as files of one kind."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Literal

import duckdb

from surveykit.errors import SurveyError

Format = Literal["csv", "json", "parquet", "duckdb"]
_OPTIONS = {"csv": "FORMAT csv, HEADER", "json": "FORMAT json, ARRAY true", "parquet": "FORMAT parquet"}


def export(database: Path, folder: Path, format: Format) -> list[Path]:
    """Write one file per table and view (`duckdb`: the database as one file).

    Each file is written beside and renamed; rows are in the order of all their columns, so that exports can be compared.

    Raises:
        SurveyError: the folder or a file in it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if format == "duckdb":
            target = folder / "surveykit.duckdb"
            beside = folder / ".surveykit.duckdb.partial"
            shutil.copyfile(database, beside)
            os.replace(beside, target)
            return [target]
        with duckdb.connect(str(database), read_only=True) as connection:
            return [_table(connection, name, folder, format) for name in _names(connection)]
    except (OSError, duckdb.IOException) as error:
        raise SurveyError(f"{folder} cannot be written: {error}") from None


def _names(connection: duckdb.DuckDBPyConnection) -> list[str]:
    rows = connection.execute(
        "SELECT table_name FROM duckdb_tables() WHERE NOT internal "
        "UNION SELECT view_name FROM duckdb_views() WHERE NOT internal ORDER BY 1"
    ).fetchall()
    return [name for (name,) in rows]


def _table(connection: duckdb.DuckDBPyConnection, name: str, folder: Path, format: Format) -> Path:
    target = folder / f"{name}.{format}"
    beside = folder / f".{name}.partial"
    quoted = str(beside).replace("'", "''")
    connection.execute(f"COPY (SELECT * FROM {name} ORDER BY ALL) TO '{quoted}' ({_OPTIONS[format]})")
    os.replace(beside, target)
    return target
