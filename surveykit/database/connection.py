"""The one way to open a database, so that none of ours ever writes to a place that its caller did not name."""

from __future__ import annotations

import duckdb

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    Setting = str | bool | int | float | list[str]

CANNOT_WRITE = (OSError, duckdb.IOException, duckdb.FatalException, duckdb.TransactionException)
"""What is raised where a file cannot be written; the last two, where a disk is full at the end of a transaction."""
_ALWAYS: dict[str, Setting] = {"temp_directory": "", "default_block_size": 16384}
"""Without a folder for it DuckDB cannot move data out of memory to the disk; `max_temp_directory_size` does not stop it.
Most tables are small, and each column of each takes one block at least: in small blocks a database is a seventh as large."""


def connect(
    database: object = ":memory:", *, read_only: bool = False, more: Mapping[str, Setting] | None = None
) -> duckdb.DuckDBPyConnection:
    """Open a database that keeps all its work in memory: what does not fit is an error, never a file.

    Args:
        database: path of the file; without it the database is in memory.
        more: other settings of DuckDB.

    Raises:
        duckdb.Error: there is no such file, or none that DuckDB can open.
    """
    return duckdb.connect(str(database), read_only=read_only, config={**_ALWAYS, **(more or {})})
