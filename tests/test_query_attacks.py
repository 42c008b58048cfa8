"""What a query must not do: each attack as a condition, inside the list of columns, and as a whole statement."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import duckdb
import needs
import pytest
import small_catalog

from surveykit.catalog.load import load
from surveykit.database import cache, child, query
from surveykit.database.build import build
from surveykit.errors import QueryError


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(small_catalog.write(tmp_path_factory.mktemp("attacked") / "catalog"))


@pytest.fixture(scope="module")
def database(root: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("attacked") / "small.duckdb"
    build(load(Path(root)), path)
    return str(path)


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    monkeypatch.setenv(cache.ENVIRONMENT, str(tmp_path_factory.getbasetemp() / "cache-of-attacks"))


def answer(database: str, **asked: object) -> dict[str, object]:
    """Run a job in this process: the guard and the locked connection, without the outer wall."""
    job = {
        "database": database, "duckdb": None, "sql": None, "condition": None, "select": "id", "order_by": None,
        "limit": None, "backbone": None, "evidence": None, "max_rows": 1000, "max_bytes": 1 << 20,
        "memory_bytes": 1 << 30, "seconds": 10.0,
    }  # fmt: skip
    return child.answer({**job, **asked})


EXPRESSIONS = [
    "read_text('/etc/passwd')",
    "length(repeat('x', 2000000000)) > 1",
    "rpad('x', 2000000000, 'y') = ''",
    "lpad('x', 2000000000, 'y') = ''",
    "format('{:>2000000000}', 'x') = ''",
    "printf('%2000000000d', 1) = ''",
    "len(list_resize([1], 1000000000)) > 1",
    "len(range(1000000000)) > 1",
    "len(generate_series(1, 1000000000)) > 1",
    "getenv('HOME') = ''",
    "getvariable('x') = ''",
    "current_setting('memory_limit') = ''",
    "current_query() = ''",
    "current_user = ''",
    "user = ''",
    "current_catalog = ''",
    "current_timestamp > now()",
    "version() = ''",
    "pg_sleep(100)",
    "sleep_ms(100000)",
    "write_log('x')",
    "json_execute_serialized_sql('{}')",
    "json_serialize_sql('select 1') = ''",
    "which_secret('a', 'b')",
    "nextval('x') = 1",
    "error('x')",
    "main.lower(name) = ''",
    "system.main.lower(name) = ''",
    "CAST(name AS BLOB) = ''",
    "name::main.mytype = ''",
    "name::STRUCT(a INTEGER) IS NULL",
    "$1 = 1",
    "? = 1",
    "list_reduce([1], lambda x, y: x + y) = 1",
    "list_aggregate([1], 'sum') = 1",
]


@pytest.mark.parametrize("expression", EXPRESSIONS)
@pytest.mark.parametrize("form", ["condition", "select", "order_by", "sql", "sql_inside"])
def test_expression_is_refused(database: str, expression: str, form: str) -> None:
    asked = {
        "condition": {"condition": f"type = 'R' and ({expression})"},
        "select": {"select": f"id, {expression}"},
        "order_by": {"order_by": expression},
        "sql": {"sql": f"SELECT {expression} FROM methods"},
        "sql_inside": {"sql": f"WITH a AS (SELECT (SELECT max({expression}) FROM methods) AS b) SELECT b FROM a"},
    }[form]
    found = answer(database, **asked)
    assert found.get("kind") == "query", found
    assert "not allowed" in str(found["error"]) or "--select" in str(found["error"]), found


CONDITIONS = [
    "1=1; drop table method",
    "1=1); drop table method; select id from methods where (1=1",
    "1=1) union all select content from read_text('/etc/passwd') where (1=1",
    "1=1) union all (select 1",
    "1=1); copy method to '/tmp/stolen.csv'; select (1=1",
    "1=1) group by (id",
    "1=1) having (1=1",
    "1=1) order by (id",
    "1=1) limit (1",
    "1=1) qualify (1=1",
    "1=1) from methods where (1=1",
    "1=1), (2=2",
    "1=1) -- ",
    "1=1 /*",
    "1=1) /* ",
    "$$",
    "exists (select 1)",
    "id in (select id from method)",
    "1 = any (select 1)",
    "(select count(*) from duckdb_settings()) > 0",
    "row_number() over () = 1",
    "count(*) > 1",
    "list_transform([1], lambda x: x)[1] = 1",
    "[1, 2][1] = 1",
    "columns('.*') = 1",
    "* = 1",
    "unnest([1, 2]) = 1",
    "id = #1",
    "default",
    "",
]


@pytest.mark.parametrize("condition", CONDITIONS)
def test_condition_is_refused(database: str, condition: str) -> None:
    found = answer(database, condition=condition)
    assert found.get("kind") == "query", found


@pytest.mark.parametrize(
    "asked",
    [
        {"select": "id from method"},
        {"select": "id; drop table method"},
        {"select": "(select 1)"},
        {"select": "distinct id"},
        {"select": "id into x"},
        {"select": "* replace (repeat('x', 9) as id)"},
        {"select": "sum(1) over ()"},
        {"order_by": "id limit 1"},
        {"order_by": "id; drop table method"},
        {"order_by": "(select 1)"},
        {"order_by": "1 offset 2"},
    ],
)
def test_other_part_is_refused(database: str, asked: dict[str, object]) -> None:
    assert answer(database, **asked).get("kind") == "query"


STATEMENTS = [
    "drop table method",
    "delete from method",
    "update method set name = ''",
    "insert into alias values ('lora', 'x')",
    "create temp table x as select 1",
    "create macro f() as 1",
    "select 1; select 2",
    "select 1; drop table method",
    "begin",
    "set variable x = 1",
    "set memory_limit = '10GB'",
    "reset memory_limit",
    "pragma threads = 4",
    "pragma enable_profiling",
    "pragma version",
    "set log_query_path = '/tmp/stolen'",
    "attach '/tmp/x.duckdb'",
    "use memory",
    "install httpfs",
    "load httpfs",
    "copy method to '/tmp/stolen.csv'",
    "copy (select 1) to '/tmp/stolen.csv'",
    "export database '/tmp/stolen'",
    "import database '/tmp/stolen'",
    "call pragma_version()",
    "checkpoint",
    "vacuum",
    "explain select 1",
    "explain analyze select 1",
    "describe method",
    "summarize method",
    "show tables",
    "from (describe method)",
    "from (summarize method)",
    "from (show tables)",
    "prepare x as select 1",
    "execute x",
    "select * from read_csv('/etc/passwd')",
    "select * from read_text('/etc/passwd')",
    "select * from read_blob('/etc/passwd')",
    "select * from read_parquet('x')",
    "select * from read_json('x')",
    "select * from read_duckdb('x')",
    "select * from glob('/*')",
    "select * from sniff_csv('x')",
    "from '/etc/passwd'",
    "from 'x.csv'",
    'from "x.parquet"',
    "from secret",
    "from methods, '/etc/passwd'",
    "from methods where id in (from '/etc/passwd')",
    "select * from duckdb_settings()",
    "select * from duckdb_databases()",
    "select * from duckdb_secrets()",
    "from duckdb_tables",
    "from pg_catalog.pg_tables",
    "from pg_tables",
    "from information_schema.tables",
    "from sqlite_master",
    "from main.method",
    "from system.main.duckdb_tables",
    "select * from pragma_database_size()",
    "select * from query('select 1')",
    "select * from query_table('method')",
    "select * from python_map_function()",
    "select * from arrow_scan(1, 2, 3)",
    "select * from pandas_scan(1)",
    "select * from repeat('x', 1000000000)",
    "select * from main.range(3)",
    "select * from test_all_types()",
    "select * from checkpoint()",
    "with duckdb_tables as (select 1) from duckdb_tables",
    "with a as (from duckdb_tables), duckdb_tables as (select 1) from a",
    "from (with pg_class as (select 1) from pg_class) x, pg_class",
    "from (with inner_name as (select 1) from inner_name) x, inner_name",
    "with a as (from b), b as (select 1) from a",
    "with a as (from a) from a",
    "with \"x.csv\" as (select 1) from 'x.csv'",
    "select * from methods at (version => 1)",
    "select * from methods tablesample 10%",
    "pivot methods on type using count(*)",
    "select repeat('x', 3) over () from methods",
    "select sum(1) filter (repeat('x', 3) = '') from methods",
    "select string_agg(id order by repeat('x', 3)) from methods",
    "select id from methods order by repeat('x', 3)",
    "select id from methods limit (select length(repeat('x', 3)))",
    "select id from methods group by repeat('x', 3), id",
    "select * from methods a join methods b on repeat('x', 3) = ''",
    "select distinct on (repeat('x', 3)) id from methods",
    "select * from range(length(repeat('x', 3)))",
    "values (repeat('x', 3))",
    "select list_transform([1], lambda x: repeat('x', 3))",
    "select case when true then repeat('x', 3) end",
    "select 1 union select repeat('x', 3)",
    "select * replace (repeat('x', 3) as id) from methods",
    "select $1",
    "select ?",
    "select x'",
    "",
]


@pytest.mark.parametrize("statement", STATEMENTS)
def test_statement_is_refused(database: str, statement: str) -> None:
    found = answer(database, sql=statement)
    assert found.get("kind") == "query", found


def test_dataframe_in_the_process_is_out_of_reach(database: str) -> None:
    secret = [1, 2, 3]
    assert answer(database, sql="from secret").get("kind") == "query", secret


@pytest.mark.parametrize(
    "statement",
    [
        "drop table method",
        "copy method to '{folder}/stolen.csv'",
        "attach '{folder}/x.duckdb' as x",
        "from read_text('/etc/hostname')",
        "from glob('/*')",
        "set memory_limit = '10GB'",
        "set lock_configuration = false",
        "pragma enable_profiling",
        "set log_query_path = '{folder}/stolen'",
        "install httpfs",
        "load httpfs",
    ],
)
def test_connection_refuses_by_itself(database: str, statement: str, tmp_path: Path) -> None:
    """The second wall holds where the guard would not."""
    with child.open_locked(database) as connection, pytest.raises(duckdb.Error):
        connection.execute(statement.format(folder=tmp_path)).fetchall()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("text", ["(" * 5000 + "1=1" + ")" * 5000, "not " * 5000 + "bp", " or ".join(["(bp)"] * 9000)])
def test_deep_and_long_text_is_refused(root: str, text: str) -> None:
    with pytest.raises(QueryError, match=r"nested deeper|longer than|nested too deeply|not allowed"):
        query.ask(root, condition=text)


def test_time_is_bounded_from_outside(root: str) -> None:
    query.ask(root, sql="SELECT 1")  # builds the database, which is not part of the query's time
    with pytest.raises(QueryError, match=r"more than 1 s"):  # by itself it would take years
        query.ask(root, sql="SELECT count(*) FROM range(1000000000000) AS a, range(1000000) AS b", timeout=1)


def test_recursive_cte_is_stopped(root: str) -> None:
    endless = "WITH RECURSIVE a AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM a) SELECT count(*) FROM a"
    with pytest.raises(QueryError, match=r"more than 1 s|memory"):
        query.ask(root, sql=endless, timeout=1)


def test_memory_is_bounded(root: str) -> None:
    with pytest.raises(QueryError, match=r"memory|more than 8 s"):
        query.ask(root, sql="SELECT list(range) FROM range(1000000000)", timeout=8)


@pytest.mark.skipif(sys.platform != "linux", reason=needs.LINUX)
def test_repeat_is_killed_even_if_the_guard_let_it_through(database: str) -> None:
    """The known hole: neither interrupt nor memory_limit stops it, the process limits do."""
    code = (
        "import sys; from surveykit.database import child; child.limit(1 << 30, 5); "
        f"connection = child.open_locked({database!r}); "
        "print(connection.execute(\"SELECT length(repeat('x', 2000000000))\").fetchall())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode != 0
    assert "2000000000" not in done.stdout


def test_rows_are_bounded(root: str) -> None:
    with pytest.raises(QueryError, match=r"more than 100 rows; add a LIMIT or raise --max-rows"):
        query.ask(root, sql="SELECT * FROM range(101)", max_rows=100)
    assert len(query.ask(root, sql="SELECT * FROM range(100)", max_rows=100).rows) == 100


def test_bytes_are_bounded(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(query, "MAX_BYTES", 1 << 20)
    with pytest.raises(QueryError, match="larger than 1 MB"):
        query.ask(root, sql="SELECT replace(pseudocode, 'e', pseudocode) FROM method, range(200)")


def test_child_reads_nothing_but_its_job(database: str) -> None:
    """A parent that goes away ends the child."""
    done = subprocess.run([sys.executable, "-m", "surveykit.database.child"], input="", capture_output=True, text=True)
    assert done.returncode == 0
    assert json.dumps(done.stdout) == '"ready\\n"'


@pytest.mark.parametrize(
    "statement",
    [
        "with a as (from b), b as (select 1) from a",
        "with b as (from b) from b",
        "from (with b as (select 1) from b) x, b",
    ],
)
def test_guard_itself_knows_where_a_name_holds(database: str, statement: str) -> None:
    """DuckDB would find no table `b` either; a name that it does know would slip through if only it looked."""
    assert str(answer(database, sql=statement)["error"]).startswith("no table or view 'b'")
