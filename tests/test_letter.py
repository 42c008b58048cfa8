"""Errata: every place where the survey contradicts itself, and no other; their entries among the findings, and the letter."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import duckdb
import pytest
import yaml
from conftest import CATALOG, ROOT, SURVEY
from pydantic import ValidationError

from surveykit.catalog.load import Catalog, load
from surveykit.catalog.statements import Statement
from surveykit.cli import main
from surveykit.database.build import build as build_database
from surveykit.database.reading import reading
from surveykit.site.pages.letter import NO_CORRECTION, letter
from surveykit.site.rendering import Page


@pytest.fixture(scope="module")
def page(pages: dict[str, Page]) -> Page:
    return pages[f"findings/{SURVEY}.md"]


def test_errata_are_the_contradictions_and_nothing_else(database: Path, catalog: Catalog) -> None:
    with duckdb.connect(str(database), read_only=True) as connection:
        rows = connection.execute(
            "SELECT kind, id, locator FROM errata WHERE source = ? ORDER BY number", [SURVEY]
        ).fetchall()
        remarks = connection.execute(
            "SELECT id FROM errata WHERE weight = 'remark' AND source = ? ORDER BY number", [SURVEY]
        ).fetchall()
        numbers = connection.execute(
            "SELECT list(number ORDER BY number) FROM errata WHERE source = ?", [SURVEY]
        ).fetchone()
    contradicted = [s for s in catalog.sources[SURVEY].statements if s.status == "contradicted"]
    assert [i for kind, i, _ in rows if kind == "sentence"] == [
        s.id for s in sorted(contradicted, key=lambda s: s.remark is not None)
    ]
    assert [locator for kind, _, locator in rows if kind == "figure"] == ["Table 5, T53B, Pfeiffer, params_percent"]
    # One observation is one entry, in however many columns of a row it is seen.
    explained = {
        (e.table, e.row)
        for folder in catalog.sources.values()
        for e in folder.explanations
        if e.cause == "source_inconsistent" and not e.models
    }
    assert len([kind for kind, *_ in rows if kind == "cell"]) == len(explained) > 0
    small = [s.id for s in contradicted if s.remark is not None]
    assert [i for (i,) in remarks] == [*small, "pfeiffer-t5-3b-params-percent", "table-2-far"]
    assert numbers == (list(range(1, len(rows) + 1)),)
    assert len({i for _, i, _ in rows}) == len(rows)


def test_every_contradicted_sentence_has_a_suggestion(catalog: Catalog) -> None:
    for statement in catalog.sources[SURVEY].statements:
        assert (statement.correction is not None) == (statement.status == "contradicted"), statement.id


def test_a_correction_belongs_to_a_contradiction(catalog: Catalog) -> None:
    holds = next(s for s in catalog.sources[SURVEY].statements if s.status == "holds")
    with pytest.raises(ValidationError, match="only a contradicted statement"):
        Statement(**{**holds.model_dump(), "readings": holds.readings, "correction": "Say something else."})


def test_what_is_contradicted_no_longer_leaves_the_errata(tmp_path: Path) -> None:
    """The status that counts is the one that the queries give, not the reviewed one."""
    copy = Path(shutil.copytree(CATALOG, tmp_path / "catalog"))
    path = copy / "sources" / SURVEY / "statements.yaml"
    known = yaml.safe_load(path.read_text(encoding="utf-8"))
    entry = next(s for s in known["statements"] if s["id"] == "rte-three-outcomes")
    entry["readings"] = [{"reading": "always", "sql": "SELECT count(*) > 0 AS holds FROM table2"}]
    path.write_text(yaml.safe_dump(known, allow_unicode=True), encoding="utf-8")
    build_database(load(copy), tmp_path / "x.duckdb")
    with duckdb.connect(str(tmp_path / "x.duckdb"), read_only=True) as connection:
        ids = [i for (i,) in connection.execute("SELECT id FROM errata").fetchall()]
    assert "rte-three-outcomes" not in ids
    assert "all-use-28-gb" in ids


def test_the_page_has_every_entry_with_an_anchor(page: Page, database: Path) -> None:
    text = str(page.content)
    with reading(database) as reader:
        entries = reader.all("SELECT * FROM errata WHERE source = ?", SURVEY)
    assert entries
    for entry in entries:
        assert f"{{ #{entry.id} }}" in text
    errata = [entry for entry in entries if entry.weight == "erratum"]
    assert text.count("Suggestion: ") == text.count("Run it again: ") == len(errata)


def test_the_letter_is_plain_and_complete(database: Path) -> None:
    with reading(database) as reader:
        text = letter(reader)
        entries = reader.all("SELECT * FROM errata WHERE weight = 'erratum' AND source = ? ORDER BY number", SURVEY)
        remarks = reader.all("SELECT * FROM errata WHERE weight = 'remark' OR source <> ?", SURVEY)
        titles = {f.id: f.headline for f in reader.all("SELECT id, headline FROM finding WHERE source = ?", SURVEY)}
    assert entries
    assert len(re.findall(r"^## \d+\. ", text, re.MULTILINE)) == len(entries)
    unfolded = " ".join(text.split())
    for entry in entries:
        assert f"## {entry.number}. {titles[entry.id]}\n" in text
        for said in (entry.finding, entry.innocent, entry.correction or NO_CORRECTION, entry.printed or entry.says):
            assert " ".join(said.split()) in unfolded
        assert f"- to run it again: `{entry.rerun}`\n" in text
    for remark in remarks:
        assert " ".join(remark.finding.split()) not in unfolded
    assert "&#" not in text
    assert all(len(line) <= 100 or "`" in line or line.startswith("## ") for line in text.splitlines())


def test_every_entry_runs_again(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with reading(database) as reader:
        entries = reader.all("SELECT * FROM errata ORDER BY number")
    assert entries
    for entry in entries:
        program, *words = shlex.split(entry.rerun)
        assert program == "surveykit"
        assert main([*words, "--catalog", str(CATALOG), "--format", "csv"]) == 0
        out = capsys.readouterr().out
        assert len(out.splitlines()) > 1
        assert entry.printed is None or entry.printed in out


def test_the_contradicted_figure_stands_as_found(database: Path) -> None:
    """6.34 million of T5-3B is 0.222 percent, not the printed 0.223: the suggestion follows from the count."""
    with reading(database) as reader:
        figure = reader.one("SELECT * FROM errata WHERE kind = 'figure'")
        value = reader.one("SELECT value FROM verdict WHERE locator = ?", figure.locator).value
    assert figure.printed == "0.223"
    assert f"Print {value:.3f} " in figure.correction


def test_the_changes_page_holds_the_changelog(site: Path, pages: dict[str, Page]) -> None:
    changes = (site / "changes" / "index.html").read_text(encoding="utf-8")
    assert re.search(r"<h3[^>]*>Data<", changes)
    assert (site / "CITATION.cff").read_bytes() == (ROOT / "CITATION.cff").read_bytes()
    assert "built without a changelog" in str(pages["changes.md"].content)
    assert "built without the engine" in str(pages["sql.md"].content)
    assert "CITATION.cff" not in pages
