"""The database: constraints, comments, equal rows, and what the views say."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import duckdb
import pytest
import shared
import small_catalog
from conftest import CATALOG, ROOT
from pydantic import Field

from surveykit.catalog.load import Catalog, load
from surveykit.database import audit, fields
from surveykit.database.build import build, fill
from surveykit.database.connection import connect
from surveykit.database.reading import reading
from surveykit.database.rows import Row, create
from surveykit.database.views import View
from surveykit.errors import QueryError, SurveyError
from surveykit.record import MethodId


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    return load(small_catalog.write(tmp_path_factory.mktemp("database") / "catalog"))


@pytest.fixture(scope="module")
def database(small: Catalog, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("database") / "small.duckdb"
    build(small, path)
    return path


@pytest.fixture
def connection(database: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(database), read_only=True) as opened:
        yield opened


def rows(connection: duckdb.DuckDBPyConnection, sql: str) -> list[tuple[object, ...]]:
    return connection.execute(sql).fetchall()


def test_two_builds_hold_equal_rows(small: Catalog, database: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.duckdb"
    build(small, again)
    with duckdb.connect(str(database), read_only=True) as one, duckdb.connect(str(again), read_only=True) as two:
        names = [name for (name,) in rows(one, "SELECT table_name FROM duckdb_tables() ORDER BY 1")]
        names += [name for (name,) in rows(one, "SELECT view_name FROM duckdb_views() WHERE NOT internal ORDER BY 1")]
        assert len(names) > 20
        for name in names:  # no ORDER BY for tables: the order of insertion is part of the promise
            assert sorted(map(repr, rows(one, f"FROM {name}"))) == sorted(map(repr, rows(two, f"FROM {name}"))), name
        for name in names[:20]:
            assert rows(one, f"FROM {name}") == rows(two, f"FROM {name}"), name


def test_while_the_audit_runs_its_views_are_tables_if_they_are_not_too_large(
    connection: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stored(most: int) -> list[tuple[object, ...]]:
        monkeypatch.setattr(audit, "MOST_ROWS_STORED", most)
        with audit._computed(connection, ["table5", "appendix_b", "no_view"]):
            assert rows(connection, "FROM table5 ORDER BY ALL") == before
            return rows(connection, tables)

    before, tables = (
        rows(connection, "FROM table5 ORDER BY ALL"),
        "SELECT table_name FROM duckdb_tables() WHERE temporary",
    )
    assert before
    assert rows(connection, "FROM appendix_b") == []
    assert stored(len(before)) == [("appendix_b",)]
    assert sorted(stored(len(before) + 1)) == [("appendix_b",), ("table5",)]
    assert rows(connection, tables) == []


def test_every_table_view_and_macro_has_a_comment(connection: duckdb.DuckDBPyConnection) -> None:
    for kind, listing in (("table", "tables"), ("view", "views"), ("function", "functions")):
        found = rows(connection, f"SELECT {kind}_name, comment FROM duckdb_{listing}() WHERE NOT internal")
        assert found
        assert [name for name, comment in found if not comment] == []


UNITS = {"bytes": "byte", "percent": "percent|%", "gb": "GB|unit", "flops": "FLOP|float", "seconds": "second"}
FILLING = {"its", "the", "of", "a", "an", "identifier", "printed", "as"}


def faults(column: str, kind: str, comment: str) -> list[str]:
    """What is wrong with the comment of a column, which `surveykit fields` prints: it is a sentence that can be read by
    itself and says more than the name, with the unit where the column is no plain number."""
    units = column.split("_") if kind not in ("VARCHAR", "BOOLEAN") else []
    wrong = {
        "says nothing more than the name": not _words(comment) - FILLING - _words(column),
        "cannot be read by itself": re.match(r"…|\.\.\.|(measured: )?the same", comment, re.IGNORECASE),
        "has no unit": not all(re.search(UNITS.get(part, ""), comment, re.IGNORECASE) for part in units),
    }
    return [fault for fault, holds in wrong.items() if holds]


def _words(text: str) -> set[str]:
    return {word.rstrip("s") for word in re.findall("[a-z0-9]+", text.lower().replace("_", " "))}


def test_every_column_has_a_comment_that_says_more_than_its_name(tmp_path_factory: pytest.TempPathFactory) -> None:
    columns = "SELECT table_name, column_name, data_type, comment FROM duckdb_columns() WHERE NOT internal"
    with duckdb.connect(str(shared.database(tmp_path_factory)), read_only=True) as connection:
        found = [tuple(map(str, row)) for row in rows(connection, columns)]
    assert len(found) > 500
    wrong = [(table, name, fault, text) for table, name, kind, text in found for fault in faults(name, kind, text)]
    assert not wrong


@pytest.mark.parametrize(
    ("column", "kind", "comment", "fault"),
    [
        ("score_printed", "VARCHAR", "The printed score", "says nothing more than the name"),
        ("score", "DOUBLE", "", "says nothing more than the name"),
        ("merged_flops", "VARCHAR", "… after merging", "cannot be read by itself"),
        ("peak_bytes", "BIGINT", "Memory at its highest", "has no unit"),
        ("score", "DOUBLE", "Accuracy in percent", None),
    ],
)
def test_what_is_wrong_with_a_comment_is_seen(column: str, kind: str, comment: str, fault: str | None) -> None:
    assert faults(column, kind, comment) == ([fault] if fault else [])


class SmallTable(Row):
    """A table of this test."""

    identity = ("method", "size")
    rules = ("CHECK (size <> count)",)

    method: MethodId
    size: Literal["big", "small"] | None
    """It's how big
    the method is."""
    count: int = Field(ge=0, le=10**16)
    """Number of things."""


def test_a_class_says_all_of_a_table() -> None:
    table, *comments = create(SmallTable).rstrip(";").split(";")
    assert table == (
        "CREATE TABLE small_table (method VARCHAR NOT NULL REFERENCES method, "
        "size VARCHAR CHECK (size IN ('big', 'small')), "
        "count BIGINT NOT NULL CHECK (count >= 0 AND count <= 10000000000000000), "
        "UNIQUE (method, size), CHECK (size <> count))"
    )
    assert comments == [
        "COMMENT ON TABLE small_table IS 'A table of this test'",
        "COMMENT ON COLUMN small_table.\"method\" IS 'Id of the method, as in method.id'",
        "COMMENT ON COLUMN small_table.\"size\" IS 'It''s how big the method is'",
        "COMMENT ON COLUMN small_table.\"count\" IS 'Number of things'",
    ]


def test_a_column_of_a_view_has_the_comment_behind_it_or_that_of_its_table() -> None:
    sql = """-- A view
CREATE VIEW seen AS
SELECT
    b.id,
    kind,
    count(*) AS times,  -- How often
FROM a JOIN b USING (id)
"""
    known = {"a": {"id": "Of a", "kind": "Kind of a"}, "b": {"id": "Of b", "kind": "Kind of b"}}
    found = View("seen", "VIEW", sql).comments(["id", "kind", "times", "other"], known)
    assert found == {"id": "Of b", "kind": "Kind of a", "times": "How often", "other": ""}


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO alias VALUES ('nobody', 'x')",
        "INSERT INTO method SELECT * FROM method LIMIT 1",
        "UPDATE method SET family = 'other' WHERE id = 'lora'",
        "INSERT INTO attribute VALUES ('lora', 'colour', 'red', 'known', 'paper', 'x')",
        "UPDATE attribute SET value = NULL WHERE method = 'lora' AND name = 'type'",
        "UPDATE backbone SET inner_width = 3 WHERE id = 't5-large'",
        "UPDATE measurement SET trainable = -1",
        "INSERT INTO claim SELECT * FROM claim LIMIT 1",
        "UPDATE claim SET printed = NULL WHERE status = 'printed'",
        "UPDATE claim SET value_max = value_min - 1 WHERE value_min IS NOT NULL",
        "UPDATE explanation_figure SET explanation = 99",
        "UPDATE configuration SET recipe = 'not json'",
        "UPDATE oracle SET trainable = '1', differs_because = NULL",
        "INSERT INTO run VALUES ('r', 'not a date', '', '', '', '')",
        "INSERT INTO verdict SELECT * REPLACE (99 AS position) FROM verdict LIMIT 1",
    ],
)
def test_constraints_hold(small: Catalog, tmp_path: Path, statement: str) -> None:
    path = tmp_path / "writable.duckdb"
    build(small, path)
    with duckdb.connect(str(path)) as connection, pytest.raises(duckdb.Error):
        connection.execute(statement)


def test_effective_columns_come_from_a_source_or_from_us(connection: duckdb.DuckDBPyConnection) -> None:
    found = rows(connection, "SELECT name, value, source, locator FROM attribute WHERE method = 'lora' ORDER BY name")
    assert found[0] == ("bp", "false", "lialin2023scaling", "Table 1, row LoRa")
    assert ("type", "R", "lialin2023scaling", "Table 1, row LoRa") in found
    assert rows(connection, "SELECT source FROM attribute WHERE method = 'full-tuning' AND name = 'type'") == [
        ("derived",)
    ]


def test_overhead_is_a_set_and_a_text(connection: duckdb.DuckDBPyConnection) -> None:
    found = rows(connection, "SELECT id, overhead, overhead_ffn, overhead_input FROM methods ORDER BY id")
    assert found == [
        ("full-tuning", "none", False, False),
        ("lora", "none", False, False),
        ("prefix-tuning", "input", False, True),
    ]


def test_methods_on_a_backbone(connection: duckdb.DuckDBPyConnection) -> None:
    columns = (
        "trainable_measured, trainable_percent_measured, trainable_percent_min, trainable_percent_max, configuration"
    )
    [found] = rows(connection, f"SELECT {columns} FROM methods_on('t5-3b') WHERE id = 'lora'")
    assert found[0] == 5_898_240
    assert found[1] == 589_824_000 / 2_851_598_336  # correctly rounded from the integers
    assert [str(value) for value in found[2:]] == ["0.010000", "0.500000", "lora/qv-r8"]
    assert rows(connection, "SELECT backbone FROM methods WHERE id = 'lora'") == [("t5-large",)]
    assert rows(connection, "FROM methods_on('t5-11b')") == []


def test_verdicts_and_discrepancies(connection: duckdb.DuckDBPyConnection) -> None:
    judged = "SELECT verdict, value FROM verdict WHERE row_label = 'LoRa (q and v)' AND column_name = 'params_millions'"
    found = {str(value): verdict for verdict, value in rows(connection, judged)}
    assert found == {"2.3592960000": "match", "5.8982400000": "differs"}
    columns = "params_millions_printed, trainable_measured, fits_setup, fits_setup_trainable, outcome"
    [found_row] = rows(connection, f"SELECT {columns} FROM discrepancies WHERE row_label = 'LoRa (q and v)'")
    assert found_row == ("3.93", 5_898_240, "lora/self-attention-qv-r8", 3_932_160, "fits_another_setup")


def test_table5_and_summary_agree(connection: duckdb.DuckDBPyConnection) -> None:
    [(figures, match, other)] = rows(
        connection,
        "SELECT figures, match, fits_another_setup + inconsistent + unresolved + unexplained + not_measured"
        " FROM table5_summary",
    )
    assert figures == match + other  # type: ignore[operator]
    marks = "count(*) FILTER (params_millions_verdict = 'match') + count(*) FILTER (params_percent_verdict = 'match')"
    assert rows(connection, f"SELECT {marks} FROM table5") == [(match,)]
    assert rows(connection, "SELECT count(*) = count(DISTINCT (backbone, row_label)) FROM table5") == [(True,)]


def test_formulas_and_staleness(connection: duckdb.DuckDBPyConnection) -> None:
    assert rows(connection, "SELECT DISTINCT formulas_agree, is_stale FROM measured") == [(True, False)]


def test_costs_of_another_batch_are_stale(tmp_path: Path) -> None:
    """The batch is the survey's Table 3's: nothing of the engine or of a recipe changes with it."""
    root = Path(shutil.copytree(CATALOG, tmp_path / "catalog"))
    table3 = root / "sources" / "lialin2023scaling" / "tables" / "table3.csv"
    text = table3.read_text(encoding="utf-8")
    assert "T53B,RTE,4" in text
    table3.write_text(text.replace("T53B,RTE,4", "T53B,RTE,1"), encoding="utf-8")
    with duckdb.connect() as connection:
        fill(connection, load(root))
        stale = rows(connection, "SELECT DISTINCT backbone FROM method_on_backbone WHERE is_stale")
        for table in ("cost", "memory_use"):
            assert rows(connection, f"SELECT DISTINCT backbone FROM {table} WHERE is_stale") == [("t5-3b",)]
        assert stale == [("t5-3b",)]
        assert not rows(connection, "SELECT * FROM measurement WHERE is_stale")


def test_a_changed_recipe_is_stale(tmp_path: Path) -> None:
    root = small_catalog.write(tmp_path / "catalog")
    lora = root / "methods" / "lora.yaml"
    lora.write_text(lora.read_text(encoding="utf-8").replace("alpha: 8.0", "alpha: 16.0", 1), encoding="utf-8")
    build(load(root), tmp_path / "x.duckdb")
    with duckdb.connect(str(tmp_path / "x.duckdb"), read_only=True) as connection:
        found = rows(connection, "SELECT DISTINCT configuration FROM measurement WHERE is_stale")
        assert found == [("lora/qv-r8",)]


def test_views_never_round(connection: duckdb.DuckDBPyConnection) -> None:
    sources = rows(connection, "SELECT sql FROM duckdb_views() WHERE NOT internal")
    assert not any("round(" in str(sql) or "format(" in str(sql) for (sql,) in sources)


def test_a_build_that_fails_leaves_nothing(small: Catalog, tmp_path: Path) -> None:
    folder = tmp_path / "taken"
    folder.write_text("a file")
    with pytest.raises(SurveyError, match="cannot be written"):
        build(small, folder / "x.duckdb")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_fields_lists_views_first(database: Path) -> None:
    with reading(database) as reader:
        listed = fields.tables(reader)
    assert listed[0].kind == "view"
    assert ("methods_on(backbone_id)", "macro") in [(field.name, field.kind) for field in listed]


def test_fields_of_a_table(database: Path) -> None:
    with reading(database) as reader:
        listed = fields.columns(reader, "backbone")
        assert listed[0] == fields.Field("id", "VARCHAR", "Name of its folder in catalog/models")
        with pytest.raises(QueryError, match="no table or view 'backbon'; did you mean 'backbone'"):
            fields.columns(reader, "backbon")


def test_there_is_one_way_to_open_a_database() -> None:
    """The one that cannot write beside the database; see the next test."""
    opening = [
        path for path in (ROOT / "surveykit").rglob("*.py") if "duckdb.connect(" in path.read_text(encoding="utf-8")
    ]
    assert [path.name for path in opening] == ["connection.py"]


@pytest.mark.parametrize("in_memory", [True, False])
def test_no_connection_moves_data_to_the_disk(in_memory: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # where DuckDB would put what it moves out of a database in memory
    settings = {"memory_limit": "64MB", "threads": 1}
    with (
        connect(more=settings) if in_memory else connect(tmp_path / "x.duckdb", more=settings) as connection,
        pytest.raises(duckdb.OutOfMemoryException),
    ):
        connection.execute("SELECT count(DISTINCT range) FROM range(20000000)").fetchall()
    assert [path.name for path in tmp_path.rglob("*")] in ([], ["x.duckdb"])
