"""Pages of methods: two of them kept as files, the card and its proofs, addresses of cells, and where corrections go.

After a wanted change of the pages, write the kept ones anew and read the difference before it is committed:

    SURVEYKIT_UPDATE_GOLDEN=1 python -m pytest tests/test_method_pages.py -k golden
"""

from __future__ import annotations

import ast
import os
import re
import shlex
from collections.abc import Iterable
from html import unescape
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import duckdb
import pytest
import small_catalog
from real_catalog import REAL

from surveykit.catalog.load import load
from surveykit.database.build import build
from surveykit.site.inputs import Surroundings
from surveykit.site.rendering import Page, render
from surveykit.site.text import numbers
from surveykit.site.text.bars import share
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
        "idea", "block", "implementations", "pseudo-code", "claims", "costs", "configurations", "taxonomy", "citation",
    ]  # fmt: skip


def card(page: str) -> dict[str, str]:
    """The lines of a page's card as text, by their first words; proofs and small print included."""
    inside = page.partition('<div class="answers" markdown>')[2].partition("</div>")[0]
    rows = [line.strip("| ").split(" | ") for line in inside.splitlines() if line.startswith("| ")]
    return {plain(question): plain(answer) for question, answer in rows}


def plain(text: str) -> str:
    return unescape(re.sub(r"<[^>]*>|\*\*|\[|\]\([^)]*\)", "", text)).strip()


def test_every_page_begins_with_its_answers(pages: dict[str, str]) -> None:
    asked = ["What it trains", "Score and place", "Libraries", "Since", "Claims checked"]
    counted = ["Trainable parameters", "Memory in training", "Merges, cost at inference"]
    for method in REAL.methods.values():
        found = card(pages[f"methods/{method.id}.md"])
        assert [question for question in asked if question not in found] == [], method.id
        assert [question in found for question in counted] == [bool(method.configurations)] * 3, method.id


def test_answers_are_what_the_database_says(pages: dict[str, str], database: Path) -> None:
    with duckdb.connect(str(database), read_only=True) as connection:
        for method, trainable, percent, ratio, merges in connection.execute(
            "SELECT id, trainable_measured, trainable_percent_measured, ram_ratio, overhead_merged = 'none'"
            " FROM method_on_backbone JOIN judging ON judged_on = backbone WHERE trainable_measured IS NOT NULL"
        ).fetchall():
            found = card(pages[f"methods/{method}.md"])
            assert f"{trainable:,} of " in found["Trainable parameters"]
            assert f", {numbers.percent(percent)} % of " in found["Trainable parameters"]
            assert f"{numbers.percent(100 * ratio)} % of full tuning's: " in found["Memory in training"]
            free = ("Yes: no extra cost", "No extra cost at inference")
            assert found["Merges, cost at inference"].startswith(free) == merges, method
        for method, agree, differ in connection.execute(
            "SELECT method, count(*) FILTER (verdict IN ('match', 'within_range')),"
            " count(*) FILTER (verdict IN ('differs', 'partly', 'outside_range')) FROM verdict WHERE method IS NOT NULL"
            " GROUP BY method"
        ).fetchall():
            said = f"{agree} match, {differ} differ" if agree + differ else "None can be compared"
            assert card(pages[f"methods/{method}.md"])["Claims checked"].startswith(said), method


def test_a_bar_has_the_share_as_its_width() -> None:
    assert 'viewBox="0 0 100.0 6"' in share(1, 4, of="it")
    assert 'class="part" width="25.0"' in share(1, 4, of="it")
    beyond = share(3, 2, of="it")  # the whole stays 100 wide, and the picture is as wide as the part
    assert 'viewBox="0 0 150.0 6"' in beyond
    assert 'class="whole" width="100"' in beyond


@pytest.mark.parametrize("method", ["lora", "vera", "prefix-tuning", "s4", "full-tuning"])
def test_a_proof_names_a_query_that_gives_its_rows(pages: dict[str, str], database: Path, method: str) -> None:
    found = re.findall(r'<code class="query">(.*?)</code>', pages[f"methods/{method}.md"])
    assert len(found) > 20
    with duckdb.connect(str(database), read_only=True) as connection:
        for command in map(unescape, found):
            program, query, flag, sql = shlex.split(command)
            assert (program, query, flag) == ("surveykit", "query", "--sql")
            assert connection.execute(sql).fetchall(), sql


def test_the_query_of_a_count_gives_the_count_beside_it(pages: dict[str, str], database: Path) -> None:
    rows = re.findall(
        r'id="count-qv-r8-([a-z0-9-]+)-trainable"[^>]*>([\d,]+)<.*?class="query">(.*?)<', pages["methods/lora.md"]
    )
    assert len(rows) > 5
    with duckdb.connect(str(database), read_only=True) as connection:
        for backbone, shown, command in rows:
            ((trainable, *_),) = connection.execute(shlex.split(unescape(command))[-1]).fetchall()
            assert shown == f"{trainable:,}", backbone


def test_a_formula_is_proved_with_its_numbers(pages: dict[str, str]) -> None:
    proved = "trainable = A*r*(2*d + I + Kv) = 72 × 8 × (2 × 1,024 + 1,024 + 1,024) = 2,359,296"
    assert proved in card(pages["methods/lora.md"])["Trainable parameters"]


def test_claims_stand_by_source_with_differences_first(pages: dict[str, str]) -> None:
    page = pages["methods/lora.md"]
    sources = re.findall(r'^ +\?\?\? group "([^,]*), ', page, re.MULTILINE)
    assert unescape(sources[0]) == "Scaling Down to Scale Up"
    assert "The LoRA paper" in map(unescape, sources)
    verdicts = re.findall(r'id="verdict-lora-paper-[^"]*" [^>]*><span class="outcome (\w+)"', page)
    assert verdicts == sorted(verdicts, key=["differs", "predicted", "match"].index)
    assert {"differs", "match"} <= set(verdicts)


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
