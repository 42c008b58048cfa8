"""The survey's tables, transcribed twice: the catalog against an extract of the printed figures, cell by cell.

`extract/tables.txt` holds the table lines of the text we used (figures and labels, no prose). It is parsed here by code
that shares nothing with the catalog, footnote marks and all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from conftest import CATALOG
from real_catalog import rows_of

from surveykit.catalog.load import Catalog
from surveykit.cli import main

EXTRACT = Path(__file__).parent / "extract" / "tables.txt"


@pytest.fixture(scope="module")
def tables(database: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(database), read_only=True) as connection:
        yield connection


def printed(table: str) -> list[list[str]]:
    """Cells of a table of the extract, its header lines included."""
    text = EXTRACT.read_text(encoding="utf-8")
    block = text.split(f"# {table}\n", 1)[1].split("\n# ", 1)[0]
    return [[cell.strip() for cell in line.split("|")] for line in block.splitlines() if line.strip()]


def rows(tables: duckdb.DuckDBPyConnection, sql: str) -> list[tuple[Any, ...]]:
    return tables.execute(sql).fetchall()


def tick(cell: str) -> bool:
    return {"✓": True, "✗": False}[cell[0]]  # what follows the tick is a footnote mark


def test_table1_cell_by_cell(tables: duckdb.DuckDBPyConnection) -> None:
    wanted = sorted((c[0], c[1], tick(c[2]), tick(c[3]), tick(c[4]), c[5]) for c in printed("Table 1")[2:])
    found = rows(tables, "SELECT row_label, type, disk, ram, bp, overhead_printed FROM table1 ORDER BY ALL")
    assert sorted(found) == wanted != []


def test_table2_cell_by_cell(tables: duckdb.DuckDBPyConnection) -> None:
    wanted = sorted((c[0], c[1], c[2], tick(c[3]), tick(c[4]), tick(c[5])) for c in printed("Table 2")[2:])
    columns = "row_label, trainable_printed, changed_printed, under_1b, under_20b, over_20b"
    found = rows(tables, f"SELECT {columns} FROM table2")
    assert sorted(found) == wanted != []


def test_table3_cell_by_cell(tables: duckdb.DuckDBPyConnection) -> None:
    wanted = {
        (cells[0].upper(), dataset, int(cells[2]))
        for cells in printed("Table 3")[1:]
        for dataset in cells[1].split(", ")
    }
    found = rows(tables, "SELECT upper(backbone_label), dataset, microbatch FROM table3")
    assert set(found) == wanted
    assert len(found) == len(wanted) > 0


def test_table5_cell_by_cell(tables: duckdb.DuckDBPyConnection) -> None:
    wanted = {}
    for cells in printed("Table 5")[2:]:
        figures = [cell for cell in cells[2:] if cell not in ("", "-")]
        assert len(figures) == 5
        wanted[cells[0], cells[1]] = tuple(figures)
    columns = "params_millions, params_percent, ram_gb, throughput_train, throughput_infer"
    marked = ", ".join(f"{column}_printed" for column in columns.split(", "))
    found = {(r[0], r[1]): r[2:] for r in rows(tables, f"SELECT backbone_label, row_label, {marked} FROM table5")}
    assert found == wanted != {}


def test_table6_cell_by_cell(tables: duckdb.DuckDBPyConnection) -> None:
    lines = {cells[0]: cells for cells in printed("Table 6")}
    storage = [cell for cell in lines["Storage efficiency"][1:] if cell]
    ram = [cell for cell in lines["Training"][2:] if cell]
    speed = [cell for cell in lines["Speed"][1:] if cell]
    sql = "SELECT printed FROM table6 WHERE aspect = '{}' AND detail IS NOT DISTINCT FROM {} ORDER BY position"
    assert [p for (p,) in rows(tables, sql.format("Storage efficiency", "NULL"))] == storage
    assert [p for (p,) in rows(tables, sql.format("Training", "'RAM'"))] == ram
    assert [p for (p,) in rows(tables, sql.format("Training", "'Speed'"))] == speed
    single = [cell for cell in lines["Inference"][2:] if cell]
    found = [p for (p,) in rows(tables, sql.format("Inference", "'Single-task'"))]
    assert list(dict.fromkeys(found)) == single  # cells that span columns stand in each


def test_appendix_b_row_by_row(tables: duckdb.DuckDBPyConnection) -> None:
    wanted = []
    for cells in printed("Appendix B")[1:]:
        model, method, dataset, seed, score = cells[:5]
        if not score and re.fullmatch(r"\d+\.\d+", seed):  # the blank cell of the seed is not in the text
            seed, score = "", seed
        wanted.append((model, method, dataset, seed or None, score or None))
    sql = "SELECT model, method, dataset, seed_printed, score_printed FROM appendix_b ORDER BY position"
    assert rows(tables, sql) == wanted != []


def test_every_reference_is_cited_and_known(tables: duckdb.DuckDBPyConnection, catalog: Catalog) -> None:
    """The survey cites every paper but itself and those that our own methods, models and other sources bring along."""
    cited = {citation.key for citation in catalog.sources["lialin2023scaling"].citations}
    listed = set(re.findall(r"^@\w+\{([^,]+),", (CATALOG / "papers.bib").read_text("utf-8"), re.MULTILINE))
    assert dict(rows(tables, "SELECT key, citations > 0 FROM papers")) == {key: key in cited for key in listed}
    ours = {record.paper for record in (*catalog.methods.values(), *catalog.models.values())}
    ours |= {folder.source.paper for folder in catalog.sources.values()}
    assert listed - cited == ours - cited - {None}
    assert cited < listed


def test_table4_is_recomputed_under_each_reading(tables: duckdb.DuckDBPyConnection) -> None:
    by_hand = rows(
        tables,
        "SELECT avg(mean) FROM (SELECT dataset, avg(score) AS mean FROM appendix_b WHERE model = 'T5 11B' "
        "AND method = 'LoRa (all)' AND score IS NOT NULL GROUP BY dataset)",
    )[0][0]
    ours = "SELECT score_mean FROM table4_recomputed WHERE backbone = 't5-11b' AND method = 'LoRa (all)'"
    assert rows(tables, ours)[0][0] == pytest.approx(by_hand)
    readings = rows(tables, "SELECT position, count(*) FROM table4_readings GROUP BY ALL ORDER BY 1")
    assert [position for position, _ in readings] == list(range(1, 10))
    assert {count for _, count in readings} == {rows_of("table5")}
    repeated = "SELECT count(*) FROM table4_readings AS a JOIN table4_readings AS b USING (backbone, method) "
    differs = (
        repeated
        + "WHERE a.position = 1 AND b.position = {} AND (a.score_mean, a.score_std) IS DISTINCT FROM (b.score_mean, b.score_std)"
    )
    moved = {position: rows(tables, differs.format(position))[0][0] for position in range(2, 10)}
    assert all(moved.values()), moved


def test_a_score_at_chance_carries_its_caveat_wherever_it_is_read(tables: duckdb.DuckDBPyConnection) -> None:
    """The caveats are those that the data audit reviews, none less and none more, and they are in every mean they touch."""
    checks = dict(
        rows(
            tables, "SELECT id, sql FROM data_check WHERE id IN ('mean-at-or-below-constant', 'scores-of-zero-to-one')"
        )
    )
    means = {
        (model, method, dataset): mean
        for model, method, dataset, mean, _ in rows(tables, checks["mean-at-or-below-constant"])
    }
    at_chance = set(means)
    fractions = {
        (model, method, dataset)
        for model, method, dataset, _, least, _ in rows(tables, checks["scores-of-zero-to-one"])
        if least > 0 and means[model, method, dataset] <= 1  # in every run
    }
    caveat = "SELECT DISTINCT a.model, s.method, s.dataset FROM score_caveat s JOIN appendix_b a USING (backbone, method) WHERE kind = '{}'"
    assert set(rows(tables, caveat.format("chance"))) == at_chance
    assert set(rows(tables, caveat.format("fraction"))) == fractions
    doubtful = {(model, method) for model, method, _ in at_chance | fractions}
    said = {
        (model, method): text
        for model, method, text in rows(tables, "SELECT model, method, caveat FROM table4_recomputed")
    }
    assert {place for place, text in said.items() if text} == doubtful
    assert all(dataset in str(said[model, method]) for model, method, dataset in at_chance | fractions)


def test_scores_up_to_one_give_a_second_mean(tables: duckdb.DuckDBPyConnection) -> None:
    ia3 = "FROM appendix_b WHERE model = 'T5 3B' AND method = 'IA3' AND score IS NOT NULL GROUP BY dataset"
    read_otherwise = (
        f"SELECT avg(mean) FROM (SELECT CASE dataset WHEN 'COPA' THEN 100 ELSE avg(score) END AS mean {ia3})"
    )
    ours = (
        "SELECT score_mean, score_if_fraction, caveat FROM table4_recomputed WHERE model = 'T5 3B' AND method = 'IA3'"
    )
    (mean, otherwise, said) = rows(tables, ours)[0]
    assert otherwise == pytest.approx(rows(tables, read_otherwise)[0][0])
    assert otherwise - mean == pytest.approx(99 / 4)
    assert (
        said
        == "not above a constant prediction on COPA, RTE; COPA may be printed as a share of 1 instead of a percentage"
    )


@pytest.mark.parametrize(
    ("condition", "some"),
    [
        ("bp", {"attention-fusion", "lets", "ladder-side-tuning"}),
        ("evaluated_over_20b", {"lora", "adapters", "bitfit", "prompt-tuning", "prefix-tuning"}),
        ("trainable_percent_max < 0.1", {"krona", "krona-adapter", "compacter", "ia3"}),
        ("type = 'A' and not overhead_input", {"adapters", "adamix", "parallel-adapter", "ia3", "attention-fusion", "lets", "ladder-side-tuning"}),
        ("changed_percent_min > trainable_percent_max", {"intrinsic-said", "lora", "dora", "krona", "krona-adapter", "compacter", "phm-adapter"}),
    ],
)  # fmt: skip
def test_what_a_reader_asks_first(condition: str, some: set[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--catalog", str(CATALOG), "query", condition, "--select", "id", "--format", "csv"]) == 0
    found = set(capsys.readouterr().out.split()[1:])
    assert some <= found
    if condition != "type = 'A' and not overhead_input":
        assert found == some


def test_table6_keeps_the_print_as_it_is(tables: duckdb.DuckDBPyConnection) -> None:
    line = next(cells for cells in printed("Table 6") if cells[0].startswith("Mut"))
    found = rows(
        tables,
        "SELECT DISTINCT detail, first(printed ORDER BY position) FROM table6 WHERE detail LIKE 'Mut%' GROUP BY detail",
    )
    assert found == [(line[0], line[1])]  # the survey's own spelling, and no space that it does not print
