"""Pages of methods: two of them kept as files, addresses of cells, parameters by location, and where corrections go.

After a wanted change of the pages, write the kept ones anew and read the difference before it is committed:

    SURVEYKIT_UPDATE_GOLDEN=1 python -m pytest tests/test_method_pages.py -k golden
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import small_catalog
from real_catalog import REAL

from surveykit.catalog.load import load
from surveykit.database.build import build
from surveykit.site.inputs import Surroundings
from surveykit.site.rendering import Page, render
from surveykit.site.text.corrections import Sources

GOLDEN = Path(__file__).parent / "golden"
REPOSITORY = "https://example.org/surveykit"
SOURCES = Sources(repository=REPOSITORY, catalog="catalog")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("small")
    build(load(small_catalog.write(folder / "catalog")), folder / "site.duckdb")
    return texts(render(folder / "site.duckdb", around=Surroundings(sources=SOURCES)))


@pytest.fixture(scope="module")
def pages(pages: dict[str, Page]) -> dict[str, str]:
    return texts(pages.values())


def texts(pages: Iterable[Page]) -> dict[str, str]:
    return {page.path: page.content for page in pages if isinstance(page.content, str)}


@pytest.mark.parametrize("method", ["lora", "prefix-tuning"])
def test_golden_pages(small: dict[str, str], method: str) -> None:
    """The small catalog's pages, whose figures do not move when the real one is measured again."""
    kept, page = GOLDEN / f"{method}.md", small[f"methods/{method}.md"]
    if os.environ.get("SURVEYKIT_UPDATE_GOLDEN"):
        kept.write_text(page, encoding="utf-8")
    assert page == kept.read_text(encoding="utf-8"), "see the head of this file"


def test_sections_stand_in_the_order_that_a_reader_needs(pages: dict[str, str]) -> None:
    found = re.findall(r"^## .*\{ #([a-z-]+) \}$", pages["methods/lora.md"], re.MULTILINE)
    assert found == [
        "idea", "block", "pseudo-code", "implementations", "claims", "experiment", "configurations", "taxonomy",
        "relations", "citation",
    ]  # fmt: skip


def test_cells_are_links_to_themselves(pages: dict[str, str]) -> None:
    for path, page in pages.items():
        cells = re.findall(r'<a class="cell" id="([^"]*)" href="#([^"]*)">', page)
        assert all(own == link and re.fullmatch(r"[a-z0-9-]+", own) for own, link in cells), path
        assert len({own for own, _ in cells}) == len(cells), path
        assert path.startswith(("methods/", "sources/")) or not cells


def test_addresses_of_cells_stay(pages: dict[str, str]) -> None:
    """Others link to these; do not rename them lightly."""
    for anchor in (
        "claim-table1-disk", "measured-table1-disk", "table1-disk", "claim-table2-trainable-percent",
        "lora-q-and-v-t5-3b-millions", "claim-lora-q-and-v-t5-3b-millions", "cost-t5-large-memory",
        "count-qv-r8-t5-large-trainable", "split-qv-r8-t5-large-decoder-cross", "table5-lora-q-and-v-t5-large-ram",
        "score-lora-q-and-v-t5-11b-mean",
    ):  # fmt: skip
        assert f'id="{anchor}"' in pages["methods/lora.md"], anchor


def test_parts_are_shown_with_their_sum(pages: dict[str, str]) -> None:
    page = pages["methods/lora.md"]
    assert "| Backbone | Encoder self-attention | Decoder self-attention | Cross-attention | Sum |" in page.replace(
        "&#45;", "-"
    )
    assert re.search(
        r'T5-Large \| <a class="cell" id="split-qv-r8-t5-large-encoder-self"[^>]*>786,432</a>.*\*\*2,359,296\*\*', page
    )


def test_every_page_has_its_picture_and_the_same_in_words(pages: dict[str, str]) -> None:
    for method in REAL.methods.values():
        page = pages[f"methods/{method.id}.md"]
        assert page.count('<svg class="picture"') == bool(method.configurations), method.id


def test_pseudo_code_is_python() -> None:
    for method in REAL.methods.values():
        tree = ast.parse(method.pseudocode)
        assert any(isinstance(node, ast.Assign | ast.Return) for node in ast.walk(tree)), method.id


def test_tensors_of_the_default_are_listed_with_their_shapes(pages: dict[str, str]) -> None:
    assert re.search(r"<code>down</code> \| 8 &#215; 1,024|<code>down</code> \| 8 × 1,024", pages["methods/lora.md"])
    assert "one for several places" in pages["methods/compacter.md"]


def test_corrections_have_a_place_to_go(small: dict[str, str]) -> None:
    page = small["methods/lora.md"]
    assert f"({REPOSITORY}/edit/main/catalog/methods/lora.yaml)" in page
    (report,) = re.findall(r"\[Report an error\]\(([^)]*)\)", page)
    asked = parse_qs(urlsplit(report.replace("&#38;", "&")).query)
    assert asked["title"] == ["LoRA: "]
    assert "methods/lora/" in asked["body"][0]


def test_without_a_repository_there_are_no_dead_links(pages: dict[str, str]) -> None:
    assert "Report an error" not in pages["methods/lora.md"]
    assert "Edit this entry" not in pages["methods/lora.md"]


def test_a_catalog_elsewhere_is_not_edited_in_the_repository() -> None:
    assert Sources(repository=REPOSITORY).edit("methods/lora.yaml") is None
    assert Sources().report("LoRA", "methods/lora.md") is None


def test_a_hostile_name_stays_a_title() -> None:
    address = Sources(repository=REPOSITORY).report("<script>) [x](y) &", "methods/x.md") or ""
    assert parse_qs(urlsplit(address).query)["title"] == ["<script>) [x](y) &: "]
    assert not set("<>()[] ") & set(address)
