"""`show`, `compare`, `cite`, `export` and `audit` as a user meets them."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import duckdb
import pytest
import small_catalog
from conftest import CATALOG, SURVEY
from real_catalog import rows_of

from surveykit.cli import main


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A catalog of three methods, whose statements and data checks a test may write."""
    return small_catalog.write(tmp_path / "catalog")


def ask(capsys: pytest.CaptureFixture[str], *words: str, catalog: Path = CATALOG) -> tuple[int, str, str]:
    code = main(["--catalog", str(catalog), *words])
    shown = capsys.readouterr()
    return code, shown.out, shown.err


def test_show_puts_claims_beside_measurements(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = ask(capsys, "show", "ia3", "--format", "json")
    assert code == 0
    facts = json.loads(out)
    row = next(f for f in facts if f["what"] == "Table 5, T511B, IA3, params_millions")
    assert (row["claimed"], row["measured"], row["verdict"]) == ("3.48", "5.50502", "differs (unresolved)")
    assert any(f["what"].startswith("peft-metamathqa: ") and f["verdict"] == "match" for f in facts)
    assert any(f["what"] == "effective overhead" and f["claimed"] == "gating" for f in facts)
    assert any("2*A*Kv + F*f" in f["evidence"] for f in facts)


def test_show_takes_other_names_and_reads_as_an_argument(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = ask(capsys, "show", "lst", "--format", "json")
    assert code == 0
    facts = {f["what"]: f for f in json.loads(out)}
    backward = facts["Table 1, row Ladder Side-Tuning, bp"]
    assert (backward["claimed"], backward["measured"], backward["verdict"]) == ("✓", "none", "match")
    assert "0 of 48 blocks" in backward["evidence"]
    assert float(facts["memory, share of full tuning"]["measured"]) < 0.5


def test_show_says_that_a_recipe_is_a_reconstruction(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = ask(capsys, "show", "lets")
    assert code == 0
    assert "Reconstruction:" in out
    assert "Trade-off:" in out


def test_a_catalog_without_the_survey_is_asked_like_any_other(
    small: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    shutil.rmtree(small / "sources")
    bibliography = small / "papers.bib"
    entries = re.split(r"(?m)^(?=@)", bibliography.read_text(encoding="utf-8"))
    bibliography.write_text("".join(entry for entry in entries if f"{{{SURVEY}," not in entry), encoding="utf-8")
    assert ask(capsys, "query", "id = 'lora'", "--select", "id,trainable_measured", catalog=small)[0] == 0
    code, out, _ = ask(capsys, "show", "lora", catalog=small)
    assert code == 0
    assert "Survey section" not in out
    assert ask(capsys, "compare", "lora", "prefix-tuning", "--backbone", "t5-3b", catalog=small)[0] == 0
    assert ask(capsys, "audit", catalog=small)[0] == 0
    assert ask(capsys, "export", "--format", "csv", str(tmp_path / "data"), catalog=small)[0] == 0
    words = ("fit", "--quiet", "--model", "t5-large", "--gpu-memory", "80GB", "--batch", "1", "--length", "64")
    assert ask(capsys, *words, "--methods", "lora", catalog=small)[0] == 0
    code, _, err = ask(capsys, "site", catalog=small)
    assert code == 2
    assert err.count("\n") == 1
    assert f"sources/{SURVEY}" in err


def test_compare_puts_methods_side_by_side(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = ask(capsys, "compare", "lora", "krona", "--backbone", "t5-3b", "--format", "json")
    assert code == 0
    rows = {row["property"]: row for row in json.loads(out)}
    assert rows["trainable_measured"] == {"property": "trainable_measured", "lora": 5898240, "krona": 589824}
    assert rows["year"]["lora"] == "2022"
    assert rows["score on t5-large, recomputed"]["lora"] == pytest.approx(67.425)


def test_cite_prints_each_entry_once(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = ask(capsys, "cite", "mam-adapter", "parallel-adapter", "lialin2023scaling")
    assert code == 0
    assert out.count("@") == 2
    assert "He, Junxian" in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["show", "lorra"], "there is no method 'lorra'; did you mean 'lora'?"),
        (["compare", "lora"], "compare needs at least two different methods"),
        (["compare", "lora", "lora"], "compare needs at least two different methods"),
        (["compare", "lora", "ia33"], "there is no method 'ia33'; did you mean 'ia3'?"),
        (["compare", "lora", "ia3", "--backbone", "t5-3"], "there is no backbone 't5-3'"),
        (["cite", "hu2022"], "there is no method or paper 'hu2022'"),
        (["audit", "--id", "nothing-like-it"], "there is no statement or data check 'nothing-like-it'"),
    ],
)
def test_a_wrong_name_is_wrong_usage(capsys: pytest.CaptureFixture[str], words: list[str], message: str) -> None:
    code, out, err = ask(capsys, *words)
    assert code == 2
    assert message in err
    assert not out


@pytest.mark.parametrize("form", ["csv", "json", "parquet"])
def test_export_writes_every_table_and_view(capsys: pytest.CaptureFixture[str], tmp_path: Path, form: str) -> None:
    code, out, _ = ask(capsys, "export", "--format", form, str(tmp_path / "data"))
    assert code == 0
    files = sorted((tmp_path / "data").iterdir())
    assert f"wrote {len(files)} files" in out
    assert {"table1", "table2", "table5", "appendix_b", "methods", "verdict"} <= {file.stem for file in files}
    read = {"csv": "read_csv", "json": "read_json", "parquet": "read_parquet"}[form]
    with duckdb.connect() as connection:
        found = connection.execute(f"SELECT count(*) FROM {read}('{tmp_path}/data/appendix_b.{form}')").fetchone()
    assert found == (rows_of("appendix_b"),)
    assert ask(capsys, "export", "--format", form, str(tmp_path / "again"))[0] == 0
    for file in files:
        if form != "parquet":
            assert (tmp_path / "again" / file.name).read_bytes() == file.read_bytes()


def test_export_of_the_database_opens(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert ask(capsys, "export", "--format", "duckdb", str(tmp_path))[0] == 0
    with duckdb.connect(str(tmp_path / "surveykit.duckdb"), read_only=True) as connection:
        assert connection.execute("SELECT count(*) FROM table5").fetchone() == (rows_of("table5"),)
    blocked = tmp_path / "surveykit.duckdb" / "inside"
    code, _, err = ask(capsys, "export", "--format", "csv", str(blocked))
    assert code == 2
    assert "cannot be written" in err


HOLDS = """
  - id: made-up
    locator: nowhere, for a test
    says: There are as many rows as there are rows.
    headline: There are as many rows as methods.
    status: {status}
    note: A note for the test.
    readings:
      - reading: literally
        sql: {sql}
"""


@pytest.mark.parametrize(
    ("status", "sql", "code", "message"),
    [
        ("holds", "SELECT count(*) = 3 AS holds, count(*) AS rows FROM method", 0, ""),
        (
            "holds",
            "SELECT count(*) = 4 AS holds, count(*) AS rows FROM method",
            1,
            "reviewed as holds, now contradicted",
        ),
        ("holds", "SELECT count(*) AS rows FROM method", 1, "one row with a column `holds`"),
        ("holds", "SELECT true AS holds FROM method", 1, "must give one row"),
        ("holds", "SELECT true AS holds FROM read_csv('x.csv')", 1, "the function 'read_csv' is not allowed"),
        ("holds", "DROP TABLE method", 1, "only one SELECT is allowed"),
        ("holds", "SELECT round(100 * 78 / 139) = 56 AS holds", 1, "no data could decide it"),
        ("holds", "SELECT count(*) = 1 AS holds FROM statement", 1, "no data could decide it"),
        ("holds", "SELECT count(*) = 5 AS holds FROM range(5)", 1, "no data could decide it"),
        ("holds", "SELECT bool_or(id::INTEGER = 1) AS holds FROM method", 1, "Could not convert string"),
    ],
)
def test_a_statement_is_held_to_its_reviewed_status(
    small: Path, capsys: pytest.CaptureFixture[str], status: str, sql: str, code: int, message: str
) -> None:
    path = small / "sources" / SURVEY / "statements.yaml"
    path.write_text("statements:" + HOLDS.format(status=status, sql=sql), encoding="utf-8")
    found, out, err = ask(capsys, "audit", catalog=small)
    assert found == code, err
    assert message in err
    assert "made-up" in out
    assert ask(capsys, "audit", "--id", "made-up", catalog=small)[0] == code


def test_a_data_check_is_held_to_its_reviewed_count(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (
        "checks:\n  - id: tunings\n    looks_for: methods with such a name\n"
        "    sql: SELECT id FROM method WHERE id LIKE '%-tuning' ORDER BY 1\n    found: {}\n    note: For a test.\n"
        "    innocent: A name like another.\n"
    )
    checks = small / "sources" / SURVEY / "data_checks.yaml"
    checks.write_text(text.format(2), encoding="utf-8")
    assert ask(capsys, "audit", "--data", catalog=small)[0] == 0
    checks.write_text(text.format(1), encoding="utf-8")
    code, _, err = ask(capsys, "audit", "--data", catalog=small)
    assert code == 1
    assert "data check tunings: reviewed with 1 rows, now 2" in err


def test_the_audit_of_the_survey_gives_what_was_reviewed(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = ask(capsys, "audit", "--format", "json")
    assert (code, err.count("\n")) == (0, 1)
    statements = json.loads(out)
    assert len([s for s in statements if s["readings"]]) >= 50
    assert {s["status"] for s in statements} >= {"holds", "contradicted", "depends_on_reading"}
