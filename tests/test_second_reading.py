"""Signatures of a second reader: who has one, and what makes it void."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from conftest import CATALOG
from pydantic import ValidationError

from surveykit.catalog.load import Catalog, load
from surveykit.catalog.second_reading import SecondReading, digest, signable
from surveykit.cli import main
from surveykit.database.reading import reading
from surveykit.errors import CatalogError

SURVEY = "lialin2023scaling"
OF_HOW_RUNS_WERE_MADE = {"boolq-on-202-examples", "seeds-without-effect-on-boolq"}
"""Data checks that speak of the experiments' code, and so of its authors."""


def test_every_weighty_finding_is_signed(catalog: Catalog, database: Path) -> None:
    """Every erratum of any source, every explanation of Table 5, and what is said of the experiments."""
    survey = catalog.sources[SURVEY]
    statements = {s.id for folder in catalog.sources.values() for s in folder.statements}
    explained = {name for name in signable(survey) if " on t5-" in name}
    assert len(explained) == sum(e.table == "table5" for e in survey.explanations) >= 8
    with reading(database) as reader:
        errata = {e.id for e in reader.all("SELECT id FROM errata WHERE weight = 'erratum'")}
        signed = {r.finding for r in reader.all("SELECT finding FROM second_reading WHERE stands")}
        unsigned = reader.all("SELECT id FROM errata WHERE weight = 'erratum' AND signed IS NULL")
    assert errata <= statements  # a figure or cell is named otherwise, and none is an erratum
    assert (errata | explained | OF_HOW_RUNS_WERE_MADE) - signed == set()
    assert unsigned == []


def test_a_changed_word_asks_for_another_reading(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copy = Path(shutil.copytree(CATALOG, tmp_path / "catalog"))
    path = copy / "sources" / SURVEY / "statements.yaml"
    text = path.read_text(encoding="utf-8")
    assert text.count("Say four datasets") == 1
    path.write_text(text.replace("Say four datasets", "Say 4 datasets"), encoding="utf-8")
    assert main(["audit", "--catalog", str(copy), "--format", "csv"]) == 1
    said = capsys.readouterr().err
    assert "intro-five-datasets: it has changed since a second reader signed it" in said
    now = digest(signable(load(copy, measured=False).sources[SURVEY])["intro-five-datasets"])
    assert f"write {now} in sources/{SURVEY}/second_reading.csv" in said
    assert said.count("second reader") == 1


def test_a_signature_names_a_finding(tmp_path: Path) -> None:
    copy = Path(shutil.copytree(CATALOG, tmp_path / "catalog", ignore=shutil.ignore_patterns("measured")))
    path = copy / "sources" / SURVEY / "second_reading.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("MAM on t5-3b", "MAM on t5-3"), encoding="utf-8")
    with pytest.raises(
        CatalogError, match=r"second_reading\.csv:\d+:1: there is no finding 'MAM on t5-3'; did you mean"
    ):
        load(copy, measured=False)


def test_a_signature_has_a_day() -> None:
    with pytest.raises(ValidationError, match="no day"):
        SecondReading(finding="x", date="2026-13-45", digest="0" * 12, outcome="as_it_was")


def test_a_field_that_is_not_used_changes_no_signature(catalog: Catalog) -> None:
    statement = catalog.sources[SURVEY].statements[0]
    assert digest(statement) == digest(statement.model_copy(update={"remark": None}))
    assert digest(statement) != digest(statement.model_copy(update={"says": statement.says + " Or so."}))
