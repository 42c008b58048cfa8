"""The pages about the survey's own tables and sentences, with none and with hostile ones."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from altered import HOSTILE
from conftest import ROOT, SURVEY
from page_html import Html, internal_links, read
from real_catalog import rows_of

from surveykit.catalog.load import Catalog
from surveykit.database.reading import reading
from surveykit.site.pages.survey_index import SURVEY_PAGES
from surveykit.site.rendering import Page
from surveykit.site.text import markdown, numbers
from surveykit.site.text.markdown import escape, slug


@pytest.fixture(scope="module")
def audited(altered_site: Path) -> dict[str, Html]:
    """Pages of a site whose statements, one of each status, and data checks are all hostile."""
    found = {
        path: read(path) for path in [altered_site / "index.html", *sorted((altered_site / "survey").rglob("*.html"))]
    }
    return {path.relative_to(altered_site).as_posix(): page for path, page in found.items()}


def test_every_survey_page_exists(html: dict[str, Html]) -> None:
    for page in SURVEY_PAGES:
        found = html[page.path.removesuffix(".md") + "/index.html"]
        assert found.headings == [page.title]
        for other in SURVEY_PAGES:
            assert other.title in found.text(), (page.path, other.path)


def test_tables_1_and_2_have_all_rows(html: dict[str, Html]) -> None:
    page = html["survey/tables-1-2/index.html"]
    for number, count, width in ((1, 28, 6), (2, 23, 7)):
        anchors = [i for i in page.identifiers() if i.startswith(f"table{number}-")]
        assert len(anchors) == count
        assert len([row for row in page.rows if len(row) == width]) == count + 1
    disk = {row[2] for row in page.rows if len(row) == 6 and row[0] != "Row"}
    assert disk == {
        "yesmeasured yes match",
        "yesmeasured yes not comparable",
    }  # the printed word, and the verdict below it
    assert "✓" not in page.text()


def test_every_verdict_stands_in_its_cell_with_a_link(database: Path, pages: dict[str, Page]) -> None:
    """Tables 1, 2 and 5: the verdict that the database has is in the cell of its row, and leads to its evidence."""

    def rows(page: str) -> list[list[str]]:
        text = str(pages[page].content)
        return [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]

    columns = {
        1: ("type", "disk", "ram", "bp", "overhead"),
        2: ("", "trainable_percent", "changed_percent", "under_1b", "under_20b", "over_20b"),
    }
    twelve = {
        found[1]: row for row in rows("survey/tables-1-2.md") if (found := re.search(r'id="(table[^"]+)"', row[0]))
    }
    five: dict[tuple[str, str], list[str]] = {}
    backbone = ""
    for line in str(pages["table5.md"].content).splitlines():
        backbone = found[1] if (found := re.match(r"## .* \{ #(.+) \}", line)) else backbone
        if line.startswith("| [") and line.count(" | ") == 9:
            cells = line.strip("| ").split(" | ")
            five[backbone, cells[0][1:].partition("]")[0]] = cells
    with reading(database) as reader:
        judged, figures = reader.all("SELECT * FROM cell_verdict"), reader.all("SELECT * FROM table5_verdict")
    for v in judged:
        shown = twelve[f"table{v.table_number}-{v.method}"][1 + columns[v.table_number].index(v.column_name)]
        assert f'class="outcome {v.verdict}"' in shown, v
        assert f"](../methods/{v.method}.md#table{v.table_number}-{slug(v.column_name)})" in shown, v
    for v in figures:
        shown = five[v.backbone, str(escape(v.row_label))][3 if v.column_name == "params_millions" else 6]
        assert f'class="outcome {v.outcome}"' in shown, v
        assert f"](methods/{v.method}.md#{slug(v.row_label)}-{v.backbone}-" in shown, v
    assert (len(figures), len(five)) == (2 * rows_of("table5"), rows_of("table5"))
    assert len(judged) > rows_of("table1") + rows_of("table2")
    assert all("](survey/memory.md#" in cells[7] for cells in five.values())


def test_table_3_and_6_and_what_is_missing(html: dict[str, Html], pages: dict[str, Page]) -> None:
    page = html["survey/table-3-and-6/index.html"]
    assert ["T5-Large", "16", "4", "32", "32"] in page.rows
    matrix = [row for row in page.rows if len(row) == 8]
    assert len(matrix) == 1 + 6
    assert sum(cell == "missing in the text we used" for row in matrix for cell in row) == 5
    assert "Take-away list of section 11.3" in page.text()
    assert 'identify if the answer is "yes" or "no"' in page.text()


def test_appendix_b_has_every_row(html: dict[str, Html]) -> None:
    rows = [row for row in html["survey/appendix-b/index.html"].rows if row[0] != "Method" and len(row) > 1]
    figure = re.compile(r"blank|-?\d+(\.\d+)?")
    cells = [cell for row in rows for cell in row[1:] if cell != numbers.ABSENT]
    scores = [part for cell in cells for part in cell.split(", ") if figure.fullmatch(part)]
    assert len(scores) == rows_of("appendix_b")
    assert "blank" in scores


def test_table_4_says_what_it_is(html: dict[str, Html], pages: dict[str, Page]) -> None:
    page = html["survey/table-4/index.html"]
    assert "Recomputed from Appendix B" in page.text()
    assert "The text we used lacks the scores of Table 4" in page.text()
    ours = {row[0]: row[1:] for row in reversed(page.rows) if len(row) == 4 and "(" in "".join(row[1:])}
    assert ours["LoRa (q and v)"][0] == "67.43 ± 1.16 (4)"
    assert ours["IA3 (min steps 500)"] == ["no rows", "– (3 of 4)", "no rows"]
    assert ["IA3 (min steps 500)", "T5-3B", "CNN (cell is blank)"] in page.rows
    for name in ("repeats_once", "first_run_of_seed", "any_datasets", "usual_seeds"):
        assert name in page.text()
    assert "table4_readings.csv" in str(pages["survey/table-4.md"].content)


def test_the_bibliography_names_methods_and_sections(html: dict[str, Html]) -> None:
    rows = {row[0]: row for row in html["survey/papers/index.html"].rows}
    row = next(row for title, row in rows.items() if title.startswith("Intrinsic Dimensionality Explains"))
    assert row[1:4] == ["Aghajanyan, Zettlemoyer and Gupta", "2020", "3.3, 3.4, 9.1, 11, 12 (2)"]
    assert len(rows) >= 100


def test_downloads_hold_the_new_views(pages: dict[str, Page]) -> None:
    for name, lines in (("table1", 28), ("table2", 23), ("appendix_b", 491), ("table6", 42)):
        content = pages[f"downloads/{name}.csv"].content
        assert isinstance(content, bytes)
        assert len(content.decode().splitlines()) == lines + 1


def test_hostile_statements_are_harmless(audited: dict[str, Html], altered_site: Path) -> None:
    for path, page in audited.items():
        assert page.harmless(), path
        for file, fragment in internal_links(path, page):
            assert (altered_site / file).is_file(), (path, file)
            if file == path and fragment and fragment != "__top":
                assert fragment in page.identifiers(), (path, fragment)


def test_statements_stand_with_their_readings(audited: dict[str, Html]) -> None:
    page = audited["survey/statements/index.html"]
    anchors = [i for i in page.identifiers() if i.startswith("statement-")]
    assert anchors == [f"statement-{i}" for i in ("none-holds", "some-hold", "all-hold", "open")]
    assert [row[1] for row in page.rows if row[0].startswith(HOSTILE)] == [
        "does not hold", "holds", "does not hold", "holds", "holds",
    ]  # fmt: skip
    assert page.text().count("mean = 1.25") == 5
    assert "surveykit audit --id none-holds" in page.text()
    assert page.text().count(f"??? note {HOSTILE}") == 4
    assert sum(tag == "details" for tag, _ in page.elements) == 4, "three, and the citation under the page"


def test_a_statement_is_headed_by_what_was_found(pages: dict[str, Page], catalog: Catalog) -> None:
    """The heading is the finding, where the sentence stands comes after it, and a contradiction is explained fairly."""
    text = str(pages["survey/statements.md"].content)
    for statement in catalog.sources[SURVEY].statements:
        assert f"### {escape(statement.headline)} {{ #statement-{statement.id} }}" in text
        assert f" {escape(statement.locator)}: {escape(statement.says)}" in text
        assert statement.innocent is None or f"An innocent explanation: {escape(statement.innocent)}" in text


def test_no_text_says_by_hand_how_many_statements_there_are() -> None:
    """Their numbers are counted where they are shown."""
    texts = [
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        *(ROOT / "site").rglob("*.md"),
        *ROOT.glob("surveykit/site/**/*.j2"),
    ]
    counted = re.compile(r"\b\d+ (of \d+ )?(checked |contradicted )?(statements|sentences of the survey)")
    assert len(texts) > 20
    assert [path.name for path in texts if counted.search(path.read_text(encoding="utf-8"))] == []


def test_a_data_check_shows_its_first_rows(audited: dict[str, Html]) -> None:
    page = audited["survey/data-audit/index.html"]
    assert "1 of 2 checks finds something." in page.text()
    assert "and 479 more." in page.text()
    assert "No rows were found." in page.text()
    assert len([row for row in page.rows if HOSTILE in row]) == 12


def test_the_first_page_counts_statements(audited: dict[str, Html]) -> None:
    text = audited["index.html"].text()
    assert "We checked 3 sentences of the survey against its own figures; 1 is contradicted." in text


@pytest.mark.parametrize("text", ["??? note", '???+ note "a"', "? a", "a??? b"])
def test_text_opens_no_block(text: str) -> None:
    import markdown as python_markdown

    made = python_markdown.markdown(str(markdown.escape(text)), extensions=["pymdownx.details"])
    page = Html(made)
    assert [tag for tag, _ in page.elements] == ["p"]
    assert page.text() == text


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "–"), (True, "yes"), (0.0, "0"), (67.425, "67.425"), (0.00123, "0.0012"), (3, "3"), (1234567, "1,234,567"),
     ([1, 0.5], "1, 0.5"), ("a", "a")],
)  # fmt: skip
def test_figures_of_queries(value: object, shown: str) -> None:
    assert numbers.figure(value) == shown
