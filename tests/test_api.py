"""Data for programs: the JSON API against its schemas, downloads, feed, llms.txt, sitemap and citation."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import shlex
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import duckdb
import pytest
import yaml
from conftest import CATALOG, ROOT

import surveykit
from surveykit.catalog.load import Catalog
from surveykit.cli import main
from surveykit.database.questions import QUESTIONS
from surveykit.database.reading import reading
from surveykit.site.data.api import RESOURCES, api_files
from surveykit.site.inputs import Surroundings, found
from surveykit.site.pages.changes import feed, releases
from surveykit.site.pages.downloads import CHECKSUMS, data_files
from surveykit.site.pages.llms import llms
from surveykit.site.pages.new_methods import methods_feed

API = "api/v1/"
METHODS = sorted(path.stem for path in (CATALOG / "methods").glob("*.yaml"))
Json = dict[str, Any]


@pytest.fixture(scope="module")
def api(database: Path) -> Json:
    """Every file of the API, parsed, by its path below `api/v1`."""
    with reading(database) as reader:
        return {path.removeprefix(API): json.loads(text) for path, text in api_files(reader)}


@pytest.fixture(scope="module")
def files(database: Path) -> dict[str, bytes]:
    return data_files(database)


def faults(value: Any, schema: Json, place: str = "$") -> Iterator[str]:
    """What in a value its schema does not allow. Knows the keywords that our schemas use, and refuses any other."""
    unknown = set(schema) - {
        "$schema", "title", "description", "type", "format", "const", "items", "properties", "required",
        "additionalProperties",
    }  # fmt: skip
    assert not unknown, f"{place}: keywords {unknown}"
    if "const" in schema and (value != schema["const"] or type(value) is not type(schema["const"])):
        yield f"{place}: {value!r} is not {schema['const']!r}"
    if "type" in schema:
        allowed = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
        if not any(is_of(value, kind) for kind in allowed):
            yield f"{place}: {value!r} is not {allowed}"
            return
    if schema.get("format") == "date" and value is not None:
        date.fromisoformat(value)
    if isinstance(value, list):
        for i, item in enumerate(value):
            yield from faults(item, schema.get("items", {}), f"{place}[{i}]")
    if isinstance(value, dict) and "properties" in schema:
        yield from (f"{place}: {name} is missing" for name in schema["required"] if name not in value)
        for name, inner in value.items():
            if name in schema["properties"]:
                yield from faults(inner, schema["properties"][name], f"{place}.{name}")
            elif schema.get("additionalProperties") is False:
                yield f"{place}: {name} is not known"


def is_of(value: Any, kind: str) -> bool:
    classes: dict[str, tuple[type, ...]] = {
        "string": (str,), "integer": (int,), "number": (int, float), "boolean": (bool,), "object": (dict,),
        "array": (list,), "null": (type(None),),
    }  # fmt: skip
    return isinstance(value, classes[kind]) and (kind == "boolean" or not isinstance(value, bool))


def schema_of(path: str, api: Json) -> Json:
    name = "index" if path == "index.json" else "method" if path.startswith("methods/") else path.removesuffix(".json")
    return dict(api[f"schema/{name}.schema.json"])


def test_every_file_conforms_to_its_schema(api: Json) -> None:
    checked = [path for path in api if not path.startswith("schema/")]
    assert {path for path in checked if path.startswith("methods/")} == {f"methods/{name}.json" for name in METHODS}
    assert len(checked) == len(RESOURCES) + 1 + len(METHODS)
    for path in checked:
        assert not list(faults(api[path], schema_of(path, api))), path
        if "$schema" in api[path]:
            assert (Path(path).parent / api[path]["$schema"]).as_posix().replace("methods/../", "") in api


def test_a_file_that_does_not_conform_is_found(api: Json) -> None:
    lora = json.loads(json.dumps(api["methods/lora.json"]))
    schema = schema_of("methods/lora.json", api)
    lora["method"]["name"] = None
    lora["attributes"][0]["surprise"] = 1
    del lora["configurations"][0]["recipe"]
    lora["measurements"][0]["trainable"] = "many"
    assert len(list(faults(lora, schema))) == 4


def fields(schema: Json) -> Iterator[Json]:
    yield schema
    for inner in (*schema.get("properties", {}).values(), *([schema["items"]] if "items" in schema else [])):
        yield from fields(inner)


def test_no_field_has_two_types(api: Json) -> None:
    for path, schema in api.items():
        if path.startswith("schema/"):
            for field in fields(schema):
                kinds = field.get("type", [])
                assert isinstance(kinds, str) or len([k for k in kinds if k != "null"]) <= 1, (path, field)
                assert "anyOf" not in field
                assert "oneOf" not in field


def test_rows_are_those_of_the_database(api: Json, database: Path) -> None:
    with duckdb.connect(str(database), read_only=True) as connection:
        for resource in RESOURCES:
            rows = api[f"{resource.name}.json"]["rows"]
            counted = connection.execute(f"SELECT count(*) FROM {resource.table}").fetchone()
            assert counted == (len(rows),), resource.name
            keys = [tuple(row[name] for name in resource.key) for row in rows]
            assert len(keys) == len(set(keys)), resource.name
        lora = connection.execute("SELECT trainable_measured FROM methods WHERE id = 'lora'").fetchone()
    assert lora == (next(row for row in api["methods.json"]["rows"] if row["id"] == "lora")["trainable_measured"],)


def test_a_method_has_its_document(api: Json, catalog: Catalog) -> None:
    assert api["index.json"]["method"]["ids"] == sorted(catalog.methods)
    for method in catalog.methods.values():
        document = api[f"methods/{method.id}.json"]
        assert document["method"]["name"] == method.name
        own = {f"{method.id}/{configuration.id}" for configuration in method.configurations}
        own |= {name for name in catalog.variations if name.startswith(f"{method.id}/")}
        assert {configuration["id"] for configuration in document["configurations"]} == own
        assert document["paper"]["key"] == method.paper
        assert all(a["value"] is not None or a["status"] != "known" for a in document["attributes"])


def test_the_index_names_every_file(api: Json) -> None:
    named = {"index.json", "schema/index.schema.json", "schema/method.schema.json"}
    for entry in api["index.json"]["resources"]:
        named |= {entry["path"], entry["schema"]}
        assert entry["rows"] == len(api[entry["path"]]["rows"])
    named |= {f"methods/{name}.json" for name in api["index.json"]["method"]["ids"]}
    assert named == set(api)


def test_downloads_are_every_table_with_checksums(files: dict[str, bytes], database: Path) -> None:
    with duckdb.connect(str(database), read_only=True) as connection:
        names = {
            name
            for (name,) in connection.execute(
                "SELECT table_name FROM duckdb_tables() WHERE NOT internal UNION SELECT view_name FROM duckdb_views() WHERE NOT internal"
            ).fetchall()
        }
    sums = dict(reversed(line.split("  ")) for line in files[CHECKSUMS].decode().splitlines())
    assert set(sums) == {f"{name}.{kind}" for name in names for kind in ("csv", "parquet")}
    for name, digest in sums.items():
        assert hashlib.sha256(files[f"downloads/{name}"]).hexdigest() == digest


def test_downloads_are_equal_in_every_byte_but_for_the_database(files: dict[str, bytes], database: Path) -> None:
    again = data_files(database)
    assert {name for name in files if files[name] != again[name]} <= {
        "downloads/surveykit.duckdb",
        "downloads/surveykit.duckdb.gz",
    }


def test_the_database_has_all_rows_comments_and_macros(files: dict[str, bytes], database: Path, tmp_path: Path) -> None:
    path = tmp_path / "surveykit.duckdb"
    path.write_bytes(gzip.decompress(files["downloads/surveykit.duckdb.gz"]))
    assert path.read_bytes() == files["downloads/surveykit.duckdb"]
    ask = (
        "FROM methods_on('t5-3b') ORDER BY id",
        "FROM errata ORDER BY ALL",
        "SELECT table_name, column_name, comment FROM duckdb_columns() WHERE NOT internal ORDER BY ALL",
    )
    with (
        duckdb.connect(str(path), read_only=True) as copy,
        duckdb.connect(str(database), read_only=True) as ours,
    ):
        for sql in ask:
            assert copy.execute(sql).fetchall() == ours.execute(sql).fetchall()
        storage = copy.execute("SELECT tags FROM duckdb_databases() WHERE database_name = 'surveykit'").fetchone()
    assert storage is not None
    assert "v1.0.0" in str(storage[0])  # what engines in browsers can read


CHANGELOG = """# Changelog

## 1.1.0 (unreleased)

### Data
- A new `figure` & <b>more</b>,
  on two lines.
- Another.

### Code
- Not of the data.

## 1.0.0 (2025-02-03)

### Data
- The first.

## 0.9.0 (2024-01-01)

### Code
- Nothing of the data.
"""


def test_releases_and_their_data() -> None:
    newest, first, before = releases(CHANGELOG)
    assert (newest.version, newest.date, newest.anchor) == ("1.1.0", None, "v1-1-0")
    assert newest.data == ["A new `figure` & <b>more</b>, on two lines.", "Another."]
    assert (first.date, first.data) == (date(2025, 2, 3), ["The first."])
    assert not before.data
    assert "Not of the data." in newest.text


def test_the_feed_has_stable_names_and_dates(database: Path) -> None:
    atom = "{http://www.w3.org/2005/Atom}"
    with reading(database) as reader:
        measured = reader.one("SELECT max(date) AS newest FROM run").newest
        text = feed(reader, Surroundings(changelog=CHANGELOG, address="https://example.org/site/"))
        own = feed(reader, Surroundings(changelog=(ROOT / "CHANGELOG.md").read_text(encoding="utf-8")))
    root = ElementTree.fromstring(text)
    entries = root.findall(f"{atom}entry")
    assert [e.findtext(f"{atom}id") for e in entries] == [
        "https://github.com/surveykit/surveykit#data-1.1.0",
        "https://github.com/surveykit/surveykit#data-1.0.0",
    ]
    assert [e.findtext(f"{atom}updated") for e in entries] == [f"{measured}T00:00:00Z", "2025-02-03T00:00:00Z"]
    assert "& <b>more</b>" in (entries[0].findtext(f"{atom}content") or "")
    assert entries[1].find(f"{atom}link").attrib["href"] == "https://example.org/site/changes/#v1-0-0"  # type: ignore[union-attr]
    for needed in ("id", "title", "updated"):
        assert root.findtext(f"{atom}{needed}")
    assert "http" not in ElementTree.fromstring(own).find(f"{atom}link").attrib["href"]  # type: ignore[union-attr]


def test_new_methods_are_a_feed_with_the_day_on_which_each_was_added(database: Path) -> None:
    atom = "{http://www.w3.org/2005/Atom}"
    with reading(database) as reader:
        added = reader.all("SELECT id, added FROM method WHERE added IS NOT NULL")
        text = methods_feed(reader, Surroundings(address="https://example.org/site/"))
    root = ElementTree.fromstring(text)
    found = {e.findtext(f"{atom}id"): e for e in root.findall(f"{atom}entry")}
    assert found.keys() == {f"https://github.com/surveykit/surveykit#method-{m.id}" for m in added}
    assert found
    days = [e.findtext(f"{atom}updated") for e in found.values()]
    assert days == sorted(days, key=str, reverse=True)
    assert root.findtext(f"{atom}updated") == days[0]
    for m in added:
        entry = found[f"https://github.com/surveykit/surveykit#method-{m.id}"]
        assert entry.findtext(f"{atom}updated") == f"{m.added.isoformat()}T00:00:00Z"
        assert entry.find(f"{atom}link").attrib["href"] == f"https://example.org/site/methods/{m.id}/"  # type: ignore[union-attr]


def test_llms_txt_maps_the_site(database: Path) -> None:
    with reading(database) as reader:
        text = llms(reader, Surroundings())
        absolute = llms(reader, Surroundings(address="https://example.org/a/"))
    lines = text.splitlines()
    assert lines[0] == "# surveykit"
    assert lines[2].startswith("> ")
    assert [line for line in lines if line.startswith("## ")] == ["## Pages", "## Data", "## Methods", "## Optional"]
    assert "65 of 90 printed figures match" in text
    links = re.findall(r"^- \[[^\]]+\]\(([^)]+)\): .", text, re.MULTILINE)
    assert len(links) == len([line for line in lines if line.startswith("- ")]) > len(METHODS)
    assert re.findall(r"^- \[[^\]]+\]\(([^)]+)\): .", absolute, re.MULTILINE) == [
        f"https://example.org/a/{link}" for link in links
    ]


def test_the_citation_is_of_this_version_and_names_the_survey() -> None:
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert cited["cff-version"] == "1.2.0"
    assert str(cited["version"]) == surveykit.__version__
    assert {"message", "title", "authors"} <= set(cited)
    (survey,) = cited["references"]
    assert survey["url"].endswith("2303.15647v2")
    assert [author["family-names"] for author in survey["authors"]] == ["Lialin", "Deshpande", "Yao", "Rumshisky"]


def test_surroundings_may_be_missing(tmp_path: Path) -> None:
    assert found(tmp_path) == Surroundings()
    engine = tmp_path / "site" / "sql" / "dist"
    engine.mkdir(parents=True)
    (engine / "engine.json").write_text('{"duckdb": "1.4.3", "duckdb_wasm": "1.32.0"}')
    (engine / "engine.js").write_text("x" * 10)
    here = found(tmp_path, address="https://example.org/a").engine
    assert here is not None
    assert (here.duckdb, here.download_bytes, [file.name for file in here.files]) == ("1.4.3", 10, ["engine.js"])


@pytest.mark.parametrize("question", QUESTIONS, ids=[question.asks for question in QUESTIONS])
def test_a_question_is_the_same_as_a_command_and_as_a_select(question: Any, capsys: pytest.CaptureFixture[str]) -> None:
    program, *words = shlex.split(question.command)
    assert program == "surveykit"
    answers = []
    for arguments in (words, ["query", "--sql", question.sql]):
        assert main([*arguments, "--format", "csv", "--catalog", str(CATALOG)]) == 0
        answers.append(capsys.readouterr().out)
    assert answers[0] == answers[1]
    assert len(answers[0].splitlines()) > 1


def test_the_readme_has_the_commands_of_the_first_questions() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for question in QUESTIONS[:3]:
        assert question.arguments[0] in text
