"""The process that runs one query: the second wall around DuckDB.

The parse tree was checked (`surveykit.database.guard`), yet a permitted function may still take all memory or all
time, and DuckDB cannot always be interrupted. So the whole of DuckDB lives in this process, which has hard limits on
memory and processor time and which its parent kills when the wall clock runs out. It imports nothing but duckdb, json
and the guard.

Protocol: one line `ready` on stdout once DuckDB is imported; then one line with a JSON job on stdin, which the parent
keeps open as long as it waits; then one line of JSON on stdout. An answer is `{"columns", "types", "rows"}` (with `--evidence` also `"evidence"`) or `{"error", "kind"}`, where
kind is `query` (the user's mistake), `bound` (a limit was reached), `stale` (written by another version of DuckDB),
`unreadable` (no such file, or none that DuckDB can open) or `fault` (ours).
"""

from __future__ import annotations

import json
import os
import re
import sys
import traceback
from _thread import start_new_thread  # threading itself would delay every query
from contextlib import contextmanager

import duckdb

from surveykit.database import allowed, guard
from surveykit.database.connection import connect
from surveykit.errors import QueryError, nearest

_LOCKED_DOWN = {
    "autoload_known_extensions": "false",
    "autoinstall_known_extensions": "false",
    "allow_community_extensions": "false",
    "python_enable_replacements": "false",
    "python_scan_all_frames": "false",
    "memory_limit": "256MB",
    "threads": "1",
}
_EXPLAIN = re.compile(r"\s*explain\s+(analyze\s+)?", re.IGNORECASE)
_MAX_EXPRESSION_DEPTH = 200
_ROWS_AT_ONCE = 500
_EVIDENCE = (
    "SELECT method, kind, about, value, source, locator FROM evidence_on(?) ORDER BY method, part, place, locator"
)

# Annotations only; importing typing would cost as much as opening the database.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any


class BoundError(Exception):
    """The answer is longer than it may be."""


def main() -> None:
    # Answers go through a channel of their own, so that nothing which a library prints can mix with them.
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    channel.write("ready\n")
    channel.flush()
    text = sys.stdin.readline()
    if not text:
        return  # the parent found a mistake of its own and needs no answer
    start_new_thread(_end_with_parent, ())
    job = json.loads(text)
    limit(job["memory_bytes"], job["seconds"])
    try:
        text = json.dumps(answer(job), default=_plain)
    except MemoryError:
        text = json.dumps(_out_of_memory(job))
    except Exception:  # a fault of ours: the parent says so, with these frames
        text = json.dumps(_error("fault", traceback.format_exc()))
    channel.write(text + "\n")
    channel.flush()


def _end_with_parent() -> None:
    """Wait for the end of the parent, however it came, and go with it: nobody would read the answer."""
    while os.read(0, 1):
        continue
    os._exit(1)


def limit(memory_bytes: int, seconds: float) -> None:
    """Set hard limits on this process, where the platform has them."""
    try:
        import resource
    except ImportError:
        return  # not on Windows: there DuckDB's own memory limit and the parent's clock remain
    for name, amount in (("RLIMIT_AS", memory_bytes), ("RLIMIT_CPU", int(seconds) + 2), ("RLIMIT_CORE", 0)):
        try:
            resource.setrlimit(getattr(resource, name), (amount, amount))
        except (AttributeError, ValueError, OSError):
            continue  # macOS refuses some of them


def answer(job: dict[str, Any]) -> dict[str, Any]:
    """Run one job; every expected failure becomes an answer with an error."""
    if job["duckdb"] not in (None, duckdb.__version__):
        return _error("stale", f"written by DuckDB {job['duckdb']}")
    try:
        connection = open_locked(job["database"])
    except duckdb.Error as error:
        return _error("unreadable", _first_line(error))
    with connection:
        try:
            return _run(connection, job)
        except QueryError as error:
            return _error("query", str(error))
        except BoundError as error:
            return _error("bound", str(error))
        except RecursionError:
            return _error("query", "the query is nested too deeply")
        except (MemoryError, duckdb.Error) as error:
            if isinstance(error, MemoryError | duckdb.OutOfMemoryException) or "bad_alloc" in str(error):
                return _out_of_memory(job)
            return _error("query", _explain(connection, job, error))


def _out_of_memory(job: dict[str, Any]) -> dict[str, Any]:
    return _error("bound", f"the query needs more than {job['memory_bytes'] >> 20} MB of memory")


def open_locked(database: str) -> duckdb.DuckDBPyConnection:
    """Open a database so that a query can neither write nor reach anything outside, nor change that."""
    connection = connect(database, read_only=True, more=_LOCKED_DOWN)
    connection.execute("SET enable_external_access = false")  # once off it forbids to name the folder for spilling
    connection.execute(f"SET max_expression_depth = {_MAX_EXPRESSION_DEPTH}")
    connection.execute("SET enable_progress_bar = false")
    connection.execute("SET lock_configuration = true")
    return connection


def _run(connection: duckdb.DuckDBPyConnection, job: dict[str, Any]) -> dict[str, Any]:
    if job["sql"] is not None:
        asked = _EXPLAIN.match(job["sql"])
        check_statement(connection, job["sql"][asked.end() :] if asked else job["sql"])
        return _fetch(connection, job["sql"], [], job)
    if job["backbone"] is not None:
        _check_backbone(connection, job["backbone"])
    values = [] if job["backbone"] is None else [job["backbone"]]
    found = _fetch(connection, compose(connection, job), values, job)
    if job["evidence"]:
        ids = [row[-1] for row in found["rows"]]
        found |= {key: found[key][:-1] for key in ("columns", "types")} | {"rows": [row[:-1] for row in found["rows"]]}
        facts: dict[str, list[Any]] = {method: [] for method in ids}
        for method, *fact in connection.execute(_EVIDENCE, [job["evidence"]]).fetchall():
            if method in facts:
                facts[method].append(fact)
        found["evidence"] = [(method, facts[method]) for method in ids]
    return found


def compose(connection: duckdb.DuckDBPyConnection, job: dict[str, Any]) -> str:
    """Put the checked parts of a query on methods together. Each part must be complete in itself."""
    columns, condition, order = job["select"], job["condition"], job["order_by"]
    selecting = guard.Guard(functions=allowed.SELECT_FUNCTIONS, stars=True)
    node = _check_part(connection, selecting, "--select", f"SELECT\n{columns}\n", _is_list)
    if job["evidence"]:
        if node["modifiers"] or selecting.aggregates:
            raise QueryError("--evidence needs one row for each method: select columns, not DISTINCT, sums or counts")
        columns += "\n, id"
    statement = f"SELECT\n{columns}\nFROM {'methods' if job['backbone'] is None else 'methods_on(?)'}\n"
    if condition is not None:
        _check_part(connection, guard.Guard(), "the condition", f"SELECT (\n{condition}\n)", _is_single)
        statement += f"WHERE (\n{condition}\n)\n"
    if order is not None:
        _check_part(connection, selecting, "--order-by", f"SELECT 1 ORDER BY\n{order}\n", _is_order)
    if selecting.aggregates:
        statement += "GROUP BY ALL\n"
    if order is not None:
        statement += f"ORDER BY\n{order}\n"
    else:
        statement += "ORDER BY ALL\n" if selecting.aggregates or node["modifiers"] else "ORDER BY id\n"
    if job["limit"] is not None:
        statement += f"LIMIT {int(job['limit'])}"
    return statement


Names = tuple[frozenset[str], frozenset[str]]
"""Tables and views, and table macros, that a statement may read."""


def check_statement(connection: duckdb.DuckDBPyConnection, sql: str, names: Names | None = None) -> frozenset[str]:
    """Check that a text is one SELECT on our tables, and say which it reads.

    Args:
        names: what `readable` gives, where many statements are checked: listing functions takes longer than the check.

    Raises:
        QueryError: it is not.
    """
    tables, macros = readable(connection) if names is None else names
    checker = guard.Guard(tables, macros, allowed.STATEMENT_FUNCTIONS, whole=True)
    with _known_form():
        checker.check(_parse(connection, sql, "--sql")["node"])
    return frozenset(checker.read)


def readable(connection: duckdb.DuckDBPyConnection) -> Names:
    """What statements may read in this database."""
    rows = connection.execute(
        "SELECT table_name, 'table' FROM duckdb_tables() WHERE NOT internal UNION ALL "
        "SELECT view_name, 'table' FROM duckdb_views() WHERE NOT internal UNION ALL "
        "SELECT function_name, 'macro' FROM duckdb_functions() WHERE NOT internal AND function_type = 'table_macro'"
    ).fetchall()
    tables = frozenset(name for name, kind in rows if kind == "table")
    return tables, frozenset(name for name, kind in rows if kind == "macro")


def _check_part(connection: duckdb.DuckDBPyConnection, checker: guard.Guard, where: str, text: str, shape: Any) -> Any:
    """Check one part of a query; return its parse tree."""
    with _known_form():
        node = _parse(connection, text, where)["node"]
        _check_shape(node, where, shape)
        checker.check([node["select_list"], node["modifiers"]])
    return node


def _check_shape(node: dict[str, Any], where: str, shape: Any) -> None:
    bare = {"FROM": node.get("from_table", {}).get("type") != "EMPTY"} | {
        name: bool(node.get(key))
        for name, key in (
            ("WHERE", "where_clause"), ("GROUP BY", "group_expressions"), ("HAVING", "having"),
            ("QUALIFY", "qualify"), ("SAMPLE", "sample"), ("GROUP BY ALL", "group_sets"),
        )
    }  # fmt: skip
    extra = [name for name, present in bare.items() if present]
    plain = node["type"] == "SELECT_NODE" and not node["cte_map"]["map"]
    if not plain or extra or node.get("aggregate_handling") != "STANDARD_HANDLING" or not shape(node):
        more = f" and cannot contain {extra[0]}" if extra else ""
        raise QueryError(f"{where} must be {_SHAPES[shape]}{more}; pass a whole SELECT with --sql")


@contextmanager
def _known_form() -> Iterator[None]:
    """A parse tree of a form that the guard does not know is refused."""
    try:
        yield
    except (LookupError, TypeError, AttributeError, AssertionError):
        message = f"DuckDB {duckdb.__version__} parses this into a form that cannot be checked; write it in another way"
        raise QueryError(message) from None


def _is_single(node: dict[str, Any]) -> bool:
    return len(node["select_list"]) == 1 and not node["modifiers"]


def _is_list(node: dict[str, Any]) -> bool:
    return all(part["type"] == "DISTINCT_MODIFIER" and not part["distinct_on_targets"] for part in node["modifiers"])


def _is_order(node: dict[str, Any]) -> bool:
    return [modifier["type"] for modifier in node["modifiers"]] == ["ORDER_MODIFIER"] and len(node["select_list"]) == 1


_SHAPES = {_is_single: "one expression", _is_list: "a list of columns", _is_order: "a list of columns, each maybe DESC"}


def _parse(connection: duckdb.DuckDBPyConnection, text: str, where: str) -> Any:
    """The tree of exactly one SELECT."""
    if len(text) > guard.MAX_LENGTH:
        raise QueryError(f"{where} is longer than {guard.MAX_LENGTH:,} characters")
    row = connection.execute("SELECT json_serialize_sql(CAST(? AS VARCHAR))", [text]).fetchone()
    tree = json.loads(row[0] if row else "{}")
    if tree.get("error", True):
        message = str(tree.get("error_message")).splitlines()[0]
        if "expression depth" in message:
            raise QueryError(f"{where} is nested deeper than {_MAX_EXPRESSION_DEPTH} levels")
        if tree.get("error_type") == "not implemented":
            raise QueryError(f"{where}: only one SELECT is allowed; {guard.FIELDS}")
        raise QueryError(f"{where}: {message}")
    if len(tree["statements"]) != 1:
        raise QueryError(f"{where}: only one statement is allowed, not {len(tree['statements'])}")
    return tree["statements"][0]


def _fetch(
    connection: duckdb.DuckDBPyConnection, statement: str, values: list[Any], job: dict[str, Any]
) -> dict[str, Any]:
    connection.execute(statement, values)
    description = connection.description or []
    rows: list[Any] = []
    size = 0
    while chunk := connection.fetchmany(_ROWS_AT_ONCE):
        rows += chunk
        if len(rows) > job["max_rows"]:
            raise BoundError(f"the result has more than {job['max_rows']:,} rows; add a LIMIT or raise --max-rows")
        if len(rows) * len(description) > job["max_values"]:
            raise BoundError(
                f"the result has more than {job['max_values']:,} values; add a LIMIT, select less, or use surveykit export"
            )
        size += len(json.dumps(chunk, default=_plain))
        if size > job["max_bytes"]:
            raise BoundError(f"the result is larger than {job['max_bytes'] >> 20} MB; select less")
    return {"columns": [str(d[0]) for d in description], "types": [str(d[1]) for d in description], "rows": rows}


def _plain(value: Any) -> Any:
    """What JSON has no form for, as text: decimals exactly, dates in ISO form, bytes in hexadecimal digits."""
    return value.hex() if isinstance(value, bytes) else str(value)


def _check_backbone(connection: duckdb.DuckDBPyConnection, backbone: str) -> None:
    known = [row[0] for row in connection.execute("SELECT id FROM backbone ORDER BY parameters, id").fetchall()]
    if backbone not in known:
        hint = nearest(backbone, known) or f"; there are {', '.join(known)}"
        raise QueryError(f"no backbone '{backbone}'{hint}")


def _explain(connection: duckdb.DuckDBPyConnection, job: dict[str, Any], error: duckdb.Error) -> str:
    """DuckDB's message, or a shorter one that names the nearest column."""
    message = _first_line(error)
    missing = re.search(r'(?:Referenced column|column named|does not have a column named) "([^"]+)"', message)
    if missing is None:
        return message
    name = missing[1]
    query = "SELECT table_name, column_name FROM duckdb_columns() WHERE NOT internal"
    if job["sql"] is None:
        query += " AND table_name = 'methods'"
    columns = connection.execute(query).fetchall()
    owners = sorted(table for table, column in columns if column.lower() == name.lower())
    if owners:  # only a whole statement chooses its tables
        return f"no column '{name}' in the tables of this query; {' and '.join(owners[:3])} {'have' if owners[1:] else 'has'} it"
    hint = nearest(name, {column for _, column in columns}) or f"; text is written in single quotes, '{name}'"
    return f"no column '{name}'{hint} (surveykit fields TABLE lists them all)"


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]


def _error(kind: str, message: str) -> dict[str, Any]:
    return {"kind": kind, "error": message}


if __name__ == "__main__":
    main()
