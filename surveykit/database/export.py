"""Every table and view of the database as files of one kind."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Literal

import duckdb

from surveykit.beside import beside, refuse_unless
from surveykit.database.child import readable
from surveykit.database.connection import CANNOT_WRITE, connect
from surveykit.database.data_card import data_card, listed
from surveykit.errors import SurveyError

Format = Literal["csv", "json", "parquet", "duckdb", "hf"]
DATABASE = "surveykit.duckdb"
READS = "1.4"
"""The oldest DuckDB that was seen to open the exported database; engines in browsers lag behind."""
_OPTIONS = {"csv": "FORMAT csv, HEADER", "json": "FORMAT json, ARRAY true", "parquet": "FORMAT parquet"}
_STORAGE = "STORAGE_VERSION 'v1.0.0'"  # which older DuckDBs read


def export(database: Path, folder: Path, format: Format) -> list[Path]:
    """Write one file per table and view (`duckdb`: the database as one file, for DuckDB `READS` and later; `hf`: Parquet
    files and a data card, README.md, as the Hugging Face hub and its package `datasets` read them).

    All are written beside and then renamed, so that a folder never holds half a file, nor files of two states but for
    the instant of renaming. Rows are in the order of all their columns, so that exports can be compared. Equal rows give
    equal bytes, save in a database, where DuckDB's own order of things varies.

    Raises:
        SurveyError: the folder or a file in it cannot be written, or one of its names is taken by what is no file.
    """
    try:
        with beside(folder / "export") as new:
            if format == "duckdb":
                _database(database, new / DATABASE)
            else:
                kind = "parquet" if format == "hf" else format
                with connect(database, read_only=True) as connection:
                    names = sorted(readable(connection)[0])
                    for name in names:
                        _table(connection, name, new / f"{name}.{kind}", kind)
                    if format == "hf":
                        (new / "README.md").write_text(data_card(listed(connection, names)), encoding="utf-8")
            written = sorted(path.name for path in new.iterdir())
            for name in written:
                refuse_unless(stat.S_IFREG, folder / name)
            for name in written:
                os.replace(new / name, folder / name)
            return [folder / name for name in written]
    except CANNOT_WRITE as error:
        raise SurveyError(f"{folder} cannot be written: {' '.join(str(error).split())}") from None


def _database(database: Path, target: Path) -> None:
    with connect(more={"threads": 1}) as connection:
        connection.execute(f"ATTACH {_quoted(database)} AS ours (READ_ONLY)")
        connection.execute(f"ATTACH {_quoted(target)} AS copy ({_STORAGE})")
        connection.execute("COPY FROM DATABASE ours TO copy")
        connection.execute("DETACH copy")


def _table(connection: duckdb.DuckDBPyConnection, name: str, target: Path, format: Format) -> None:
    connection.execute(f"COPY (SELECT * FROM {name} ORDER BY ALL) TO {_quoted(target)} ({_OPTIONS[format]})")


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
