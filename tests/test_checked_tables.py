"""The page of each table of each source: every printed cell, and beside each judged one our figure and the verdict."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

from surveykit.database.reading import reading
from surveykit.site.pages.checked_tables import JUDGED, path_of
from surveykit.site.pages.new_methods import NEW
from surveykit.site.rendering import Page
from surveykit.site.text.markdown import slug


def rows_under(page: str, heading: str) -> list[list[str]]:
    """The cells of the table under a heading, as text."""
    section = page.partition(f"{{ #{heading} }}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [[text(part) for part in line.strip("|").split("|")] for line in lines[2:]]


def text(cell: str) -> str:
    return unescape(re.sub(r"<[^>]*>|\[|\]\([^)]*\)", "", cell)).strip()


def test_every_printed_cell_of_every_table_is_there(database: Path, pages: dict[str, Page]) -> None:
    with reading(database) as reader:
        for t in reader.all("SELECT * FROM source_table"):
            names, rows = reader.listing(f"SELECT * FROM {t.as_printed} ORDER BY position")
            shown = rows_under(str(pages[path_of(t.source, t.table_name)].content), "printed")
            assert len(shown) == len(rows), t
            used = [i for i in range(1, len(names)) if any(row[i] is not None for row in rows)]
            for printed, cells in zip(rows, shown, strict=True):
                for i, cell in zip(used, cells, strict=True):
                    wanted = " ".join(str("–" if printed[i] is None else printed[i]).split())
                    assert cell.startswith(wanted), (t, names[i], printed[0])


def test_each_judged_cell_has_its_figure_verdict_and_address(database: Path, pages: dict[str, Page]) -> None:
    with reading(database) as reader:
        judged = reader.all("SELECT * FROM verdict WHERE list_contains(?, verdict)", list(JUDGED))
    assert len(judged) > 500
    for v in judged:
        page = str(pages[path_of(v.source, v.table_name)].content)
        anchor = "-".join(map(slug, ("claim", v.table_name, str(v.position), v.column_name)))
        assert page.count(f'id="{anchor}"') == 1
        assert page.count(f"](#{anchor})") == 1
    sources = {v.source for v in judged}
    for source in sources:
        assert f"{source}/" in str(pages[f"sources/{source}.md"].content)


def test_what_is_new_is_what_the_survey_lacks_newest_first(database: Path, pages: dict[str, Page]) -> None:
    page = str(pages[NEW].content)
    with reading(database) as reader:
        wanted = {m.id: m.year for m in reader.all("SELECT id, year FROM methods WHERE after_survey")}
    shown = re.findall(r"\(methods/([a-z0-9-]+)\.md\)\*\*", page)
    assert set(shown) == set(wanted)
    assert [wanted[id] for id in shown] == sorted(wanted.values(), reverse=True)
    assert '<span class="badge">new</span>' in page
    assert "(methods.xml)" in page
