"""The descriptions of the data for search engines: Croissant, read by its own library, and schema.org on the page."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import needs
import pytest

from surveykit.database.reading import reading
from surveykit.site.data.croissant import CROISSANT, _type, croissant, dataset
from surveykit.site.rendering import Page


@pytest.fixture(scope="module")
def described(pages: dict[str, Page]) -> Any:
    content = pages[CROISSANT].content
    assert isinstance(content, bytes)
    return json.loads(content)


def test_every_parquet_file_is_described_with_its_checksum(pages: dict[str, Page], described: Any) -> None:
    files = {path for path in pages if path.endswith(".parquet")}
    assert {file["contentUrl"] for file in described["distribution"]} == files
    for file in described["distribution"]:
        content = pages[file["contentUrl"]].content
        assert isinstance(content, bytes)
        assert file["sha256"] == hashlib.sha256(content).hexdigest()
        assert file["contentSize"] == f"{len(content)} B"


def test_every_column_is_described_as_the_database_describes_it(database: Path, described: Any) -> None:
    with reading(database) as reader:
        for record in described["recordSet"]:
            columns = reader.listing(f"SELECT * FROM {record['name']} LIMIT 0")[0]
            assert [field["name"] for field in record["field"]] == columns
    said = {field["@id"]: field for record in described["recordSet"] for field in record["field"]}
    assert said["methods/year"]["dataType"] == "sc:Integer"
    assert said["methods/families"]["repeated"]
    assert "percent of the base model" in said["methods/trainable_percent_measured"]["description"]


@pytest.mark.parametrize(
    ("kind", "name"),
    [("DECIMAL(24,6)", "sc:Float"), ("DOUBLE", "sc:Float"), ("BIGINT", "sc:Integer"), ("HUGEINT", "sc:Integer"),
     ("INTEGER", "sc:Integer"), ("BOOLEAN", "sc:Boolean"), ("DATE", "sc:Date"), ("VARCHAR", "sc:Text"), ("JSON", "sc:Text")],
)  # fmt: skip
def test_types_have_croissants_names(kind: str, name: str) -> None:
    assert _type(kind) == name


def test_with_an_address_the_files_have_theirs(database: Path) -> None:
    with reading(database) as reader:
        names = [row.name for row in reader.all("SELECT table_name AS name FROM duckdb_tables() WHERE NOT internal")]
        names += [row.name for row in reader.all("SELECT view_name AS name FROM duckdb_views() WHERE NOT internal")]
        files = {f"downloads/{name}.parquet": b"" for name in names}
        made = json.loads(croissant(reader, files, "downloads", date(2026, 1, 2), "https://example.org/survey/"))
    assert all(file["contentUrl"].startswith("https://example.org/survey/downloads/") for file in made["distribution"])
    assert made["url"] == "https://example.org/survey/data/"
    assert made["datePublished"] == "2026-01-02"
    page = dataset(date(2026, 1, 2), "https://example.org/survey/")
    assert all(file["contentUrl"].startswith("https://example.org/survey/") for file in page["distribution"])


def test_the_page_has_what_search_engines_ask_for(pages: dict[str, Page]) -> None:
    (script,) = re.findall(r'<script type="application/ld\+json">(.*?)</script>', str(pages["data.md"].content))
    found = json.loads(script)
    assert found["@type"] == "Dataset"
    assert 50 <= len(found["description"]) <= 5000
    assert {"name", "license", "creator", "version", "datePublished", "url"} <= set(found)
    assert {file["contentUrl"].removeprefix("../") for file in found["distribution"]} <= set(pages)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of rdflib, which mlcroissant reads JSON-LD with
def test_croissants_own_library_validates_it_and_reads_the_rows(
    pages: dict[str, Page], described: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mlcroissant = pytest.importorskip("mlcroissant", reason=needs.CROISSANT)
    for path, page in pages.items():
        if path == CROISSANT or path.endswith("methods.parquet"):
            assert isinstance(page.content, bytes)
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_bytes(page.content)
    monkeypatch.setenv("CROISSANT_CACHE", str(tmp_path / "cache"))
    read = mlcroissant.Dataset(jsonld=str(tmp_path / CROISSANT))
    assert not read.metadata.ctx.issues.errors
    assert not read.metadata.ctx.issues.warnings
    assert {record.id for record in read.metadata.record_sets} == {record["@id"] for record in described["recordSet"]}
    rows = [row["methods/id"] for row in read.records("methods")]
    assert b"lora" in rows or "lora" in rows
