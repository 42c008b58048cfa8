"""What a query must not do: each attack as a condition, inside the list of columns, and as a whole statement."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import needs
import pytest
import small_catalog

from surveykit import output
from surveykit.catalog.load import load
from surveykit.database import allowed, cache, child, query
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
def own_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.getbasetemp() / "cache-of-attacks"
    monkeypatch.setenv(cache.ENVIRONMENT, str(folder))
    return folder


def answer(database: str, **asked: object) -> dict[str, object]:
    """Run a job in this process: the guard and the locked connection, without the outer wall."""
    job = {
        "database": database, "duckdb": None, "sql": None, "condition": None, "select": "id", "order_by": None,
        "limit": None, "backbone": None, "evidence": None, "max_rows": 1000, "max_values": 10_000, "max_bytes": 1 << 20,
        "memory_bytes": 1 << 30, "seconds": 10.0,
    }  # fmt: skip
    return child.answer({**job, **asked})


EXPRESSIONS = [
    "read_text('/etc/passwd')",
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
    "list_aggregate([1], 'write_log') = 1",
    "list_aggregate([1], name) = 1",
    "current_user.upper() = ''",
    "name.getenv() = ''",
    "name.x.upper() = ''",
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
    assert re.search(r"not allowed|--select|queries have no function", str(found["error"])), found


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
        {"select": "id into x"},
        {"select": "* replace (getenv('x') as id)"},
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
    "explain drop table method",
    "explain (format json) select getenv('x')",
    "explain select getenv('x')",
    "explain explain select 1",
    "explain analyze copy method to '/tmp/stolen.csv'",
    "describe",
    "describe '/etc/passwd'",
    "describe select * from read_text('/etc/passwd')",
    "summarize duckdb_settings",
    "show databases",
    "show tables",
    "from main.duckdb_tables",
    "with stolen as (select 1) from main.stolen",
    "from temp.method",
    "select * from main.read_text('/etc/passwd')",
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
    "select getenv('x') over () from methods",
    "select sum(1) filter (getenv('x') = '') from methods",
    "select string_agg(id order by getenv('x')) from methods",
    "select id from methods order by getenv('x')",
    "select id from methods limit (select length(getenv('x')))",
    "select id from methods group by getenv('x'), id",
    "select * from methods a join methods b on getenv('x') = ''",
    "select distinct on (getenv('x')) id from methods",
    "select * from range(length(getenv('x')))",
    "values (getenv('x'))",
    "select list_transform([1], lambda x: getenv('x'))",
    "select case when true then getenv('x') end",
    "select 1 union select getenv('x')",
    "select * replace (getenv('x') as id) from methods",
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


HUGE = [
    "length(repeat('x', 2000000000))",
    "length(rpad('x', 2000000000, 'y'))",
    "length(lpad('x', 2000000000, 'y'))",
    "length(format('{:>2000000000}', 'x'))",
    "length(printf('%2000000000d', 1))",
    "len(list_resize([1], 1000000000))",
    "len(range(1000000000))",
    "len(generate_series(1, 1000000000))",
    "length(replace(repeat('x', 100000), 'x', repeat('y', 100000)))",
]


@pytest.mark.skipif(sys.platform != "linux", reason=needs.LINUX)
@pytest.mark.parametrize("expression", HUGE)
def test_what_makes_much_out_of_little_is_bounded(root: str, expression: str) -> None:
    """Such functions are useful with small numbers; with huge ones the limits of the process stop them."""
    query.ask(root, sql="SELECT 1")
    with pytest.raises(QueryError, match=r"memory|more than 2 s"):
        query.ask(root, sql=f"SELECT {expression}", timeout=2)


def test_every_function_is_allowed_by_the_rule_or_refused(database: str) -> None:
    """Over all functions of this DuckDB: what a query may call depends on its arguments alone, all else is refused."""
    with child.open_locked(database) as connection:
        functions = connection.execute(
            "SELECT DISTINCT function_name, function_type, stability, macro_definition FROM duckdb_functions() "
            "WHERE internal AND regexp_full_match(function_name, '[A-Za-z_0-9]+')"
        ).fetchall()
        names = child.readable(connection)
        for name, kind, stability, definition in functions:
            lower = name.lower()
            if kind in ("table", "table_macro", "pragma"):
                if lower not in allowed.TABLE_FUNCTIONS:
                    with pytest.raises(QueryError):
                        child.check_statement(connection, f"FROM {name}('x')", names)
            elif lower in allowed.STATEMENT_FUNCTIONS:
                assert stability in ("CONSISTENT", None) or lower in ("random", "uuid", "gen_random_uuid"), name
                for called in re.findall(r'"?([A-Za-z_0-9]+)"?\(', definition or ""):  # of a macro
                    assert called.lower() in {*allowed.STATEMENT_FUNCTIONS, "error", "cast", "decimal"}, (name, called)
            else:
                with pytest.raises(QueryError, match=r"not allowed|queries have no function"):
                    child.check_statement(connection, f"SELECT {name}(1)", names)
    assert len(functions) > 900


def test_no_function_that_is_allowed_reads_a_file(database: str, tmp_path: Path) -> None:
    """Seen on a connection that nothing locks: each is given the path of a file and must not know what is in it."""
    secret = tmp_path / "secret.json"
    secret.write_text('["what nobody may read"]')
    with duckdb.connect() as connection:
        for name in sorted(allowed.STATEMENT_FUNCTIONS | allowed.TABLE_FUNCTIONS):
            for count in (1, 2):
                values = ", ".join([f"'{secret}'"] * count)
                for statement in (f'SELECT "{name}"({values})', f'FROM "{name}"({values})'):
                    try:
                        answered = connection.execute(statement).fetchall()
                    except duckdb.Error as error:
                        answered = [(str(error),)]
                    assert "what nobody may read" not in str(answered), statement


def test_nothing_is_written_when_memory_runs_out(root: str, own_cache_folder: Path) -> None:
    """DuckDB would move data out of memory into a folder beside the database."""
    query.ask(root, sql="SELECT 1")
    before = sorted(own_cache_folder.rglob("*"))
    with pytest.raises(QueryError, match=r"memory|more than 8 s"):
        query.ask(root, sql="SELECT count(DISTINCT range) FROM range(1000000000)", timeout=8)
    assert sorted(own_cache_folder.rglob("*")) == before


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


@pytest.mark.parametrize("format", output.FORMATS)
def test_many_rows_do_not_outrun_the_time(root: str, format: str) -> None:
    """However many rows are asked for, fetching and writing them ends."""
    query.ask(root, sql="SELECT 1")
    words = ["--sql", "SELECT range, range AS b FROM range(100000000)", "--max-rows", "1000000000", "--timeout", "5"]
    command = [sys.executable, "-m", "surveykit", "--catalog", root, "query", *words, "--format", format]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.returncode == 2
    assert "more than 250,000 values; add a LIMIT" in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason=needs.LINUX)
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_child_ends_with_its_parent(root: str, number: int) -> None:
    query.ask(root, sql="SELECT 1")
    endless = "SELECT count(*) FROM range(1000000000000) AS a, range(1000000) AS b"
    command = [sys.executable, "-m", "surveykit", "--catalog", root, "query", "--sql", endless, "--timeout", "600"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as parent:
        children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children")
        assert soon(children.read_text)
        [child_process] = children.read_text().split()
        time.sleep(1)  # in which it begins the query
        parent.send_signal(number)
        parent.wait(10)
    assert soon(lambda: not Path(f"/proc/{child_process}/cmdline").exists())


def soon(holds: Callable[[], object], seconds: float = 10) -> bool:
    """Whether something comes true in time."""
    deadline = time.monotonic() + seconds
    while not (true := bool(holds())) and time.monotonic() < deadline:
        time.sleep(0.02)
    return true


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
