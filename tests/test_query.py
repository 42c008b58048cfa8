"""Questions that are allowed, mistakes that are explained, and the cache behind both."""

from __future__ import annotations

import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import needs
import pytest
import small_catalog

import surveykit
from surveykit import beside, output
from surveykit.database import cache, query
from surveykit.errors import CatalogError, QueryError, SurveyError


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(small_catalog.write(tmp_path_factory.mktemp("asked") / "catalog"))


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.getbasetemp() / "cache-of-queries"
    monkeypatch.setenv(cache.ENVIRONMENT, str(folder))
    return folder


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("type = 'R' and overhead = 'none'", ["lora"]),
        ("type in ('R', 'A')", ["lora", "prefix-tuning"]),
        ("not bp and trainable_percent_measured between 0.1 and 50", ["lora", "prefix-tuning"]),
        ("name ilike '%tuning'", ["full-tuning", "prefix-tuning"]),
        ("regexp_matches(lower(name), '^lo') or starts_with(id, 'full')", ["full-tuning", "lora"]),
        ("trainable_percent_min is null", ["full-tuning"]),
        ("coalesce(trainable_percent_max, 100) > 99 -- a comment", ["full-tuning"]),
        ("case when type = 'R' then true else false end", ["lora"]),
        ("cast(year as varchar) like '2022'", ["lora"]),
        ("abs(round(trainable_percent_measured) - 100) < 1", ["full-tuning"]),
        ("name = 'no; semicolons, ''quotes'' or -- dashes'", []),
        ("1=1) or (2=2", ["full-tuning", "lora", "prefix-tuning"]),
        (None, ["full-tuning", "lora", "prefix-tuning"]),
    ],
)
def test_conditions(root: str, condition: str | None, expected: list[str]) -> None:
    assert [row[0] for row in query.ask(root, condition=condition, select="id").rows] == expected


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT family, count(*) AS n FROM methods GROUP BY family HAVING n > 0 ORDER BY ALL",
        "FROM summary",
        "SELECT * FROM methods_on('t5-3b') JOIN method USING (id)",
        "WITH a AS (SELECT id FROM method), b AS (FROM a) SELECT * FROM b WHERE id IN (SELECT id FROM a)",
        "WITH RECURSIVE a AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM a WHERE n < 5) SELECT sum(n) FROM a",
        "SELECT id, row_number() OVER (PARTITION BY type ORDER BY id) FROM methods",
        "SELECT recipe->>'$.stages[0].name' FROM configuration",
        "SELECT unnest(string_split(overhead, '+')) FROM methods",
        "SELECT * FROM range(3)",
        "SELECT * EXCLUDE (idea) FROM method",
        "SELECT columns('trainable.*') FROM methods",
        "SELECT list(id ORDER BY id) FROM method",
        "VALUES (1), (2)",
        "SELECT 1 UNION SELECT 2",
        "UNPIVOT (SELECT id, disk, ram FROM methods) ON disk, ram INTO NAME what VALUE saves",
        "SELECT * FROM evidence_on('t5-large')",
        "SELECT DISTINCT ON (type) type, id FROM methods ORDER BY type, id LIMIT 5 OFFSET 0;",
    ],
)
def test_statements(root: str, sql: str) -> None:
    assert query.ask(root, sql=sql).rows


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"condition": "typ = 'R'"}, "no column 'typ'; did you mean 'type'"),
        ({"condition": 'type = "R"'}, "no column 'R'; text is written in single quotes, 'R'"),
        ({"condition": "lowr(name) = 'x'"}, "queries have no function 'lowr'; did you mean 'lower'"),
        ({"select": "id, overheads"}, "no column 'overheads'; did you mean 'overhead'"),
        ({"order_by": "trainable_mesured"}, "did you mean 'trainable_measured'"),
        ({"backbone": "t5-larg"}, "no backbone 't5-larg'; did you mean 't5-large'"),
        ({"backbone": "llama"}, "no backbone 'llama'"),
        ({"sql": "SELECT * FROM metods"}, "no table or view 'metods'; did you mean 'methods'"),
        ({"sql": "SELECT * FROM method_on('x')"}, "no table macro 'method_on'; did you mean 'methods_on'"),
        ({"sql": "SELECT typo FROM methods"}, "no column 'typo'; did you mean 'type'"),
        ({"sql": "FROM methods TABLESAMPLE 10%"}, "TABLESAMPLE is not allowed"),
        ({"sql": "SELEC 1"}, "--sql: "),
        ({"condition": "type = "}, "the condition: "),
        ({"condition": "year = 'soon'"}, "soon"),
    ],
)
def test_mistakes_are_explained(root: str, asked: dict[str, str], message: str) -> None:
    with pytest.raises(QueryError) as caught:
        query.ask(root, **asked)  # type: ignore[arg-type]
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_values_keep_their_kind(root: str) -> None:
    sql = "SELECT id, disk, year, trainable_percent_min, trainable_percent_measured, NULL AS nothing FROM methods ORDER BY id"
    result = query.ask(root, sql=sql)
    assert result.types[:5] == ["VARCHAR", "BOOLEAN", "INTEGER", "DECIMAL(24,6)", "DOUBLE"]
    assert result.rows[1] == ["lora", True, 2022, Decimal("0.010000"), 235_929_600 / 737_668_096, None]


def test_equal_names_get_numbers(root: str) -> None:
    assert query.ask(root, sql="SELECT 1 AS a, 2 AS a, 3 AS b").columns == ["a", "a_2", "b"]


def test_aggregates_need_no_order(root: str) -> None:
    assert query.ask(root, select="count(*) AS methods").rows == [[3]]


def test_evidence(root: str) -> None:
    result = query.ask(root, condition="id = 'lora'", select="id", evidence=True, backbone="t5-3b")
    [(method, facts)] = result.evidence
    assert method == "lora"
    assert ["column", "type", "R", "lialin2023scaling", "Table 1, row LoRa"] in facts
    assert ["measured", "trainable", "5898240", "engine, from config", "lora/qv-r8 on t5-3b, run 0123abcd"] in facts


COLUMNS = ["id", "year", "disk", "count", "percent", "note"]
ROWS = [["lora", 2022, True, 2359296, 0.3198316441761906, 'a "b", c|d'], ["x", 2021, False, None, 100.0, None]]


@pytest.mark.parametrize(
    ("format", "expected"),
    [
        (
            "table",
            "id    year  disk      count  percent  note\n"
            "----  ----  ----  ---------  -------  ----------\n"
            'lora  2022  yes   2,359,296   0.3198  a "b", c|d\n'
            "x     2021  no            –      100  –",
        ),
        (
            "markdown",
            "| id | year | disk | count | percent | note |\n"
            "| --- | ---: | --- | ---: | ---: | --- |\n"
            '| lora | 2022 | yes | 2,359,296 | 0.3198 | a "b", c\\|d |\n'
            "| x | 2021 | no | – | 100 | – |",
        ),
        (
            "csv",
            "id,year,disk,count,percent,note\r\n"
            'lora,2022,true,2359296,0.3198316441761906,"a ""b"", c|d"\r\n'
            "x,2021,false,,100.0,",
        ),
    ],
)
def test_formats(format: str, expected: str) -> None:
    assert output.render(COLUMNS, ROWS, format) == expected


def test_json_has_numbers_as_numbers() -> None:
    import json

    found = json.loads(output.render(["a", "b", "c"], [[Decimal("0.50"), float("nan"), 2**60]], "json"))
    assert found == [{"a": 0.5, "b": None, "c": 2**60}]


def test_csv_drops_the_zeros_of_a_decimal() -> None:
    assert output.render(["a"], [[Decimal("30.000000")]], "csv") == "a\r\n30"


def test_narrow_tables_wrap_and_then_turn_into_blocks() -> None:
    rows = [["lora", "a rather long sentence that has to be broken somewhere"]]
    wrapped = output.render(["id", "idea"], rows, "table", 40)
    assert max(map(len, wrapped.splitlines())) <= 40
    block = output.render(["id", "idea"], rows, "table", 8).splitlines()
    assert block[:2] == ["id", "  lora"]
    assert max(map(len, block)) <= 8


def test_no_rows_still_have_columns() -> None:
    assert output.render(["a", "b"], [], "table").splitlines()[0] == "a  b"
    assert output.render(["a", "b"], [], "json") == "[]"


def test_warm_start_imports_nothing_heavy(root: str) -> None:
    cache.current_file(root)
    for folder, _, files in os.walk(root):
        for name in files:  # as if edited long ago, so that the manifest is trusted
            os.utime(os.path.join(folder, name), (1, 1))
    cache.current_file(root)
    code = (
        "import sys; from surveykit.cli import main; "
        f"code = main(['--catalog', {root!r}, 'query', \"type = 'R'\"]); "
        "heavy = {'pydantic', 'yaml', 'duckdb', 'pandas', 'torch', 'transformers', 'peft', 'matplotlib', 'mkdocs', "
        "'dataclasses', 'typing', 'pathlib'}; "
        "print(sorted(heavy & set(sys.modules)), code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = done.stdout.splitlines()[-1]
    before = subprocess.run(
        [sys.executable, "-c", "import sys; print('typing' in sys.modules, 'pathlib' in sys.modules)"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    if before.strip() == "False False":  # some installations load them at start-up
        assert loaded == "[] 0"
    assert "lora" in done.stdout


def test_importing_surveykit_loads_nothing_heavy() -> None:
    code = (
        "import sys, surveykit; print(sorted({'pydantic', 'yaml', 'duckdb', 'pandas', 'torch', 'transformers', 'peft', "
        "'matplotlib', 'mkdocs'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"


def test_database_is_reused_and_rebuilt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cache.ENVIRONMENT, str(tmp_path / "cache"))
    root = small_catalog.write(tmp_path / "catalog")
    first = cache.current(root)
    built = first.stat().st_mtime_ns
    lora = root / "methods" / "lora.yaml"
    text = lora.read_text(encoding="utf-8")
    lora.write_text(text, encoding="utf-8")  # a new time, the same contents
    assert cache.current(root) == first
    assert first.stat().st_mtime_ns == built
    lora.write_text(text.replace("name: LoRA\n", "name: Low rank\n"), encoding="utf-8")
    second = cache.current(root)
    assert second != first
    assert not first.exists()
    assert query.ask(str(root), condition="id = 'lora'", select="name").rows == [["Low rank"]]
    lora.write_text(text.replace("family: ", "famly: "), encoding="utf-8")
    with pytest.raises(CatalogError, match="did you mean 'family'"):
        cache.current(root)


def test_same_size_and_quick_edits_are_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cache.ENVIRONMENT, str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "_SETTLED_NS", 3600 * 10**9)  # quick is what happens within this time
    root = small_catalog.write(tmp_path / "catalog")
    lora = root / "methods" / "lora.yaml"
    text = lora.read_text(encoding="utf-8")
    times = lora.stat()
    for name in ("LoRB", "LoRC"):
        lora.write_text(text.replace("name: LoRA\n", f"name: {name}\n"), encoding="utf-8")
        os.utime(lora, ns=(times.st_atime_ns, times.st_mtime_ns))
        assert query.ask(str(root), condition="id = 'lora'", select="name").rows == [[name]]


@pytest.mark.parametrize("damage", [b"", b"no database at all" * 1000])
def test_damaged_database_is_rebuilt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: bytes) -> None:
    monkeypatch.setenv(cache.ENVIRONMENT, str(tmp_path / "cache"))
    root = small_catalog.write(tmp_path / "catalog")
    cache.current(root).write_bytes(damage)
    assert len(query.ask(str(root)).rows) == 3


def test_database_of_another_duckdb_is_rebuilt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cache.ENVIRONMENT, str(tmp_path / "cache"))
    root = small_catalog.write(tmp_path / "catalog")
    database = cache.current(root)
    database.rename(database.with_name(f"{database.name.split('-')[0]}-0.0.1.duckdb"))
    assert len(query.ask(str(root)).rows) == 3
    assert database.exists()


def test_processes_at_once_do_not_break_each_other(tmp_path: Path) -> None:
    root = small_catalog.write(tmp_path / "catalog")
    environment = {**os.environ, cache.ENVIRONMENT: str(tmp_path / "cache")}
    command = [sys.executable, "-m", "surveykit", "--catalog", str(root), "query", "--format", "csv"]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) for _ in range(4)]
    answers = {process.communicate()[0] for process in started}
    assert [process.returncode for process in started] == [0, 0, 0, 0]
    assert len(answers) == 1
    [folder] = (tmp_path / "cache").iterdir()
    assert not list(folder.glob(".*"))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason=needs.NO_ROOT)
def test_read_only_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = small_catalog.write(tmp_path / "catalog")
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o555)
    monkeypatch.setenv(cache.ENVIRONMENT, str(locked))
    with pytest.raises(SurveyError, match="cannot be written"):
        query.ask(str(root))


def test_unwritable_cache_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = small_catalog.write(tmp_path / "catalog")
    taken = tmp_path / "taken"
    taken.write_text("a file where the folder should be")
    monkeypatch.setenv(cache.ENVIRONMENT, str(taken))
    with pytest.raises(SurveyError, match=r"taken.* cannot be written .*name another one in SURVEYKIT_CACHE"):
        query.ask(str(root))


def test_read_only_catalog_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cache.ENVIRONMENT, str(tmp_path / "cache"))
    root = small_catalog.write(tmp_path / "catalog")
    for folder in [root, *(path for path in root.rglob("*") if path.is_dir())]:
        folder.chmod(0o555)
    try:
        assert len(query.ask(str(root)).rows) == 3
    finally:
        for folder in [root, *(path for path in root.rglob("*") if path.is_dir())]:
            folder.chmod(0o755)


def test_from_python(root: str) -> None:
    survey = surveykit.load(root)
    assert sorted(survey.methods) == ["full-tuning", "lora", "prefix-tuning"]
    [found] = survey.query("type = 'R'", select="id, year")
    assert found == {"id": "lora", "year": 2022}
    assert survey.sql("SELECT count(*) AS n FROM method") == [{"n": 3}]
    frame = survey.query("type = 'R'", as_="pandas")
    assert list(frame["id"]) == ["lora"]
    assert survey.sql("SELECT id FROM method ORDER BY id", as_="arrow").column("id").to_pylist() == list(survey.methods)
    with pytest.raises(ValueError, match="as_ is"):
        survey.sql("SELECT 1", as_="polars")  # type: ignore[call-overload]
    assert surveykit.__all__ == sorted(surveykit.__all__)
    with pytest.raises(AttributeError, match="no attribute 'laod'"):
        surveykit.laod  # noqa: B018


def test_what_killed_processes_left_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the next run, also where nothing has to be built."""
    monkeypatch.setenv(cache.ENVIRONMENT, str(tmp_path / "cache"))
    root = small_catalog.write(tmp_path / "catalog")
    database = cache.current(root)
    own = database.parent
    old, young = own / f"{'0' * 16}-1.9.0.duckdb.tmp", own / f"{database.name}.tmp"
    for folder in (old, young):  # of queries of earlier versions, which moved data out of memory
        folder.mkdir()
        (folder / "duckdb_temp_storage_DEFAULT-0.tmp").write_bytes(b"x" * 1000)
    os.utime(old, (1, 1))
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    for process in (dead.pid, os.getpid()):
        (own / f".x.duckdb.surveykit-{process}-{beside._host()}.abc.partial").mkdir()
    (own / f"{'1' * 16}-2.0.0.duckdb").write_bytes(b"of a former state")
    (own / f".manifest.{dead.pid}.partial").write_bytes(b"of an earlier version")
    os.utime(own / f".manifest.{dead.pid}.partial", (1, 1))
    assert cache.current(root) == database
    mine = f".x.duckdb.surveykit-{os.getpid()}-{beside._host()}.abc.partial"
    assert {path.name for path in own.iterdir()} - {"manifest"} == {database.name, young.name, mine}


def test_cache_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cache.ENVIRONMENT, str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "_KEPT_CATALOGS", 3)
    old = [tmp_path / "cache" / f"old-{n:08x}" for n in range(5)]
    for number, folder in enumerate(old):
        folder.mkdir(parents=True)
        os.utime(folder, (number, number))
    foreign = tmp_path / "cache" / "mine"
    foreign.mkdir()
    os.utime(foreign, (1, 1))
    young = tmp_path / "cache" / "young-01234567"
    young.mkdir()
    own = cache.current(small_catalog.write(tmp_path / "catalog")).parent
    assert set((tmp_path / "cache").iterdir()) == {own, young, old[4], foreign}
