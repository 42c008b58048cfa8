"""The table of methods, the comparison and the first page, as they are generated; no browser needed."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT

from surveykit.catalog.load import Catalog
from surveykit.database.reading import Reader, reading
from surveykit.site.data.comparison import DEFAULT, Row, comparison_rows
from surveykit.site.data.method_columns import COLUMNS, FACET_ORDER, QUICK
from surveykit.site.data.method_table import markdown_table, measured_on, method_rows, model_files, table_data, widest
from surveykit.site.pages.home import home_context
from surveykit.site.rendering import Page

ASSETS = ROOT / "site" / "docs" / "assets"
VENDOR = ROOT / "site" / "vendor"
VENDORED = json.loads((VENDOR / "vendored.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def data(database: Path) -> Any:
    with reading(database) as reader:
        return json.loads(table_data(method_rows(reader), measured_on(reader)))


def row(data: Any, method: str) -> Any:
    return next(row["cells"] for row in data["rows"] if row["id"] == method)


def test_the_data_say_what_the_database_says(database: Path, data: Any) -> None:
    with reading(database) as reader:
        methods = reader.all("SELECT * FROM methods")
    assert {m.id for m in methods} == {r["id"] for r in data["rows"]}
    for m in methods:
        cells = row(data, m.id)
        for key in ("disk", "ram"):
            for source, value in (("claimed", getattr(m, key)), ("measured", getattr(m, f"{key}_measured"))):
                word = {True: "yes", False: "no"}.get(value)
                assert cells[key][source]["text"] == word if word else cells[key][source]["kinds"][0] in data["absent"]
        word = {"none": "yes", "partial": "partly", "full": "no"}.get(m.bp_measured)
        backward = cells["bp"]["measured"]
        assert backward["text"] == word if word else backward["kinds"][0] in data["absent"]
        assert cells["trainable"]["measured"]["number"] == pytest.approx(m.trainable_percent_measured)
        overheads = (m.overhead_merged or "not measured").split("+")
        assert len(cells["overhead_merged"]["measured"]["kinds"]) == len(overheads)


def test_unknown_is_not_zero_and_not_no(data: Any) -> None:
    unprinted = [r for r in data["rows"] if r["cells"]["trainable"]["claimed"]["number"] is None]
    assert unprinted
    assert all(r["cells"]["trainable"]["claimed"]["text"] == "not printed" for r in unprinted)
    assert row(data, "adalora")["ram"]["claimed"]["text"] == "not stated"


def test_every_value_of_a_facet_has_its_place(data: Any) -> None:
    for column in (c for c in COLUMNS if c.facet):
        kinds = {
            kind for r in data["rows"] for source in r["cells"][column.key].values() for kind in source["kinds"]
        }  # fmt: skip
        assert kinds, column.key
        assert kinds <= set(FACET_ORDER), column.key
        assert not any("," in kind for kind in kinds), "values are separated by commas in the address"


def test_the_facets_of_the_issue_are_there() -> None:
    wanted = {"type", "disk", "ram", "bp", "overhead", "merges", "evaluated", "in_peft", "in_adapters"}
    wanted |= {"family", "families", "after_survey"}
    assert wanted <= {column.key for column in COLUMNS if column.facet}
    assert {"trainable", "ram_ratio", "ram_gb", "year"} <= {column.key for column in COLUMNS if column.ranges}
    assert not [column.key for column in COLUMNS if column.facet and column.ranges], "one word of the address for each"
    assert {key for _, key, _ in QUICK} <= {column.key for column in COLUMNS if column.facet or column.ranges}
    keys = [column.key for column in COLUMNS]
    assert len(keys) == len(set(keys))
    assert not {"text", "source", "sort", "columns", "model", "m", "q", "h"} & set(keys), (
        "names of the address, and the theme's"
    )


def test_every_other_model_has_the_figures_of_the_database(database: Path, data: Any) -> None:
    with reading(database) as reader:
        files = {path: json.loads(content) for path, content in model_files(reader, measured_on(reader))}
        for model in data["models"][1:]:
            cells = files[f"assets/data/methods-on/{model['id']}.json"]
            found = reader.all("SELECT * FROM methods_on(?)", model["id"])
            assert {m.id for m in found} == set(cells)
            for m in found:
                assert cells[m.id]["trainable"]["number"] == pytest.approx(m.trainable_percent_measured)
                assert cells[m.id]["ram_gb"]["number"] == pytest.approx(m.ram_gb_predicted)
    assert len(files) == len(data["models"]) - 1 >= 2
    changing = {column["key"] for column in data["columns"] if column["onModel"]}
    assert all(set(cells) == changing for file in files.values() for cells in file.values())


def test_a_measured_column_names_its_model(pages: dict[str, Page]) -> None:
    head = str(pages["methods/index.md"].content).partition("| Method |")[2].partition("\n")[0]
    assert head.count("T5-Large") == sum(c.measured is not None and c.on_model for c in COLUMNS)


def test_rows_and_data_are_in_one_order(database: Path, data: Any) -> None:
    with reading(database) as reader:
        lines = str(markdown_table(method_rows(reader), "T5-Large")).splitlines()[2:]
    assert len(lines) == len(data["rows"])
    for line, record in zip(lines, data["rows"], strict=True):
        assert f"({record['id']}.md)" in line.split(" | ")[0]


def test_the_rows_that_make_columns_wide_are_known(database: Path) -> None:
    """They are laid out before the others are seen, so that no column grows later."""
    with reading(database) as reader:
        rows = method_rows(reader)
    names, found = [m.name for m in rows], widest(rows)
    assert names.index(max(names, key=len)) + 1 in found
    shown = [column for column in COLUMNS if column.shown]
    assert 1 <= len(found) <= len(shown) < len(rows)
    assert widest([]) == []


def test_a_measurement_that_is_not_what_is_printed_is_marked(database: Path, pages: dict[str, Page]) -> None:
    with reading(database) as reader:
        different = reader.all(
            "SELECT * FROM cell_verdict WHERE verdict IN ('differs', 'partly', 'outside_range') AND column_name IN"
            " ('disk', 'ram', 'bp', 'overhead', 'trainable_percent', 'changed_percent')"
        )
    table = str(pages["methods/index.md"].content)
    assert len(re.findall(r'class="outcome (?:differs|partly|outside_range)"', table)) == len(different) > 0


def cell(rows: list[Row], section: str, head: str, method: str) -> str:
    (found,) = (r for r in rows if r.section.startswith(section) and r.head == head)
    return "\n".join("".join(piece.text for piece in line) for line in found.cells.get(method, ()))


def test_the_comparison_has_claims_formulas_memory_and_the_experiment(database: Path) -> None:
    with reading(database) as reader:
        rows = comparison_rows(reader, method_rows(reader), measured_on(reader))
        lora = reader.one("SELECT * FROM methods WHERE id = 'lora'")
        score = reader.one(
            "SELECT score_mean FROM table4_recomputed WHERE backbone = 't5-3b' AND method_id = 'krona'"
        ).score_mean  # fmt: skip
    assert cell(rows, "Claims", "Saves memory", "lora") == "claimed yes\nmeasured yes match"
    assert f"= {lora.trainable_measured:,}" in cell(rows, "Formula", "With the numbers of T5-Large", "lora")
    assert cell(rows, "Claims", "Peak memory, GB", "lora") == f"{lora.ram_gb_predicted:.2f}"
    assert f"{score:.2f}" in cell(
        rows, "The survey's experiment on T5-3B", "Score, recomputed from Appendix B", "krona"
    )
    printed = cell(rows, "The survey's experiment on T5-3B", "Trainable parameters, printed", "lora")
    assert "LoRa (q and v): 3.93 M, counted 5.90 fits another setup" in printed
    assert "LoRA (all): " in printed
    assert not any(piece.text == "" for r in rows for c in r.cells.values() for line in c for piece in line)


def test_every_method_can_be_compared(pages: dict[str, Page], catalog: Catalog) -> None:
    index = json.loads(pages["assets/data/compare.json"].content)
    assert {m["id"] for m in index["methods"]} == set(catalog.methods)
    for method in catalog.methods:
        file = json.loads(pages[f"assets/data/compare/{method}.json"].content)
        assert len(file["cells"]) == len(index["rows"])
        assert all(set(block) == {"code", "title", "notes"} for block in file["code"])
    page = str(pages["compare.md"].content)
    assert all(f"(methods/{name}.md)" in page for name in catalog.methods)
    assert set(DEFAULT) <= set(catalog.methods)


def test_links_of_the_methods_page_are_in_the_order_of_the_data(pages: dict[str, Page]) -> None:
    """The script finds a method's page by its place in this list."""
    index = json.loads(pages["assets/data/compare.json"].content)
    text = str(pages["compare.md"].content).partition('id="compare-all"')[2]
    assert re.findall(r"\(methods/([a-z0-9-]+)\.md\)", text) == [m["id"] for m in index["methods"]]


@pytest.mark.parametrize("existing", [{"methods/index.md"}, {"methods/index.md", "choose.md", "findings/index.md"}])
def test_the_ways_in_lead_only_to_pages_that_exist(database: Path, existing: set[str]) -> None:
    with reading(database) as reader:
        ways = home_context(reader, existing)["ways"]
    assert {str(link).partition("](")[2].rstrip(")") for link, _ in ways} == existing


def test_the_numbers_of_the_first_page_are_live(database: Path, pages: dict[str, Page]) -> None:
    def one(reader: Reader, sql: str) -> Any:
        return reader.one(sql).n

    text = str(pages["index.md"].content)
    with reading(database) as reader:
        judged = one(
            reader, "SELECT count(*) AS n FROM cell_verdict WHERE verdict NOT IN ('not_comparable', 'not_measured')"
        )
        methods = one(reader, "SELECT count(*) AS n FROM method")
        claims = one(reader, "SELECT count(*) AS n FROM claim WHERE status = 'printed'")
    for number, page in (
        (methods, "methods/index.md"),
        (f"{claims:,}", "sources/index.md"),
        (judged, "survey/tables-1-2.md"),
    ):
        assert re.search(rf"\[\*\*{number}\*\* [^\]]+\]\({re.escape(page)}\)", text), page


@pytest.mark.parametrize("entry", VENDORED, ids=[entry["to"] for entry in VENDORED])
def test_a_vendored_file_is_the_one_that_was_taken_from_the_registry(entry: dict[str, str]) -> None:
    content = (ROOT / entry["to"]).read_bytes()
    assert hashlib.sha256(content).hexdigest() == entry["sha256"]
    lock = json.loads((VENDOR / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    locked = lock[f"node_modules/{entry['package']}"]
    assert locked["integrity"].startswith("sha512-")
    asked = json.loads((VENDOR / "package.json").read_text(encoding="utf-8"))["dependencies"]
    assert asked[entry["package"]] == locked["version"], "exact versions only"
    if entry["to"].endswith(".min.js"):
        assert locked["version"].encode() in content[:400]


def test_every_vendored_file_is_recorded_and_has_its_licence() -> None:
    libraries = [path for path in (ROOT / "tests" / "browser" / "vendor").iterdir() if path.is_dir()]
    recorded = {entry["to"] for entry in VENDORED}
    assert libraries
    for library in libraries:
        assert {path.relative_to(ROOT).as_posix() for path in library.rglob("*")} <= recorded
        text = " ".join((library / "LICENSE.txt").read_text(encoding="utf-8").split())
        assert "Permission is hereby granted" in text or "Mozilla Public License" in text


SCRIPTS = sorted((ASSETS / "js").rglob("*.js"))


SVG = "http://www.w3.org/2000/svg"
"""The name of a namespace, from which nothing is loaded."""


def test_own_scripts_are_small_and_load_nothing_from_elsewhere() -> None:
    table = [
        p
        for p in SCRIPTS
        if p.parent.name in ("table", "compare")
        or p.name in ("start.js", "theme.js", "dom.js", "home.js", "sheet.js", "png.js")
    ]
    assert sum(path.stat().st_size for path in table) < 51_000
    for path in SCRIPTS:
        text = path.read_text(encoding="utf-8").replace(SVG, "")
        assert not re.search(r"https?://|innerHTML|insertAdjacentHTML|document\.write|\beval\(", text), path
        for name in re.findall(r'(?:from|import\()\s*"([^"]+)"', text):
            assert (path.parent / name).resolve().is_file(), (path, name)


def test_what_is_loaded_by_the_first_script_exists() -> None:
    text = (ASSETS / "js" / "start.js").read_text(encoding="utf-8")
    found = re.findall(r'"(\./[^"]+\.js)"', text)
    assert len(found) >= 4
    assert all((ASSETS / "js" / name).is_file() for name in found)
