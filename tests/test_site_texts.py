"""The built site says what the catalog and its database say: methods, counts, figures, differences."""

from __future__ import annotations

from pathlib import Path

import duckdb
from conftest import SURVEY
from page_html import Html

from surveykit.catalog.load import Catalog


def test_every_method_has_its_page(html: dict[str, Html], catalog: Catalog) -> None:
    for method in catalog.methods.values():
        page = html[f"methods/{method.id}/index.html"]
        assert page.headings == [method.name]
        assert method.paper in " ".join(page.words)
        for configuration in method.configurations:
            assert f"configuration-{configuration.id}" in page.identifiers()
            assert configuration.name in page.text()


def test_a_method_without_a_recipe_says_so(html: dict[str, Html], catalog: Catalog) -> None:
    for method in catalog.methods.values():
        text = html[f"methods/{method.id}/index.html"].text()
        assert ("Not instantiated yet." in text) == (not method.configurations), method.id


def test_the_index_lists_every_method(html: dict[str, Html], catalog: Catalog) -> None:
    names = [row[0] for row in html["methods/index.html"].rows[1:]]
    assert sorted(names) == sorted(method.name for method in catalog.methods.values())


def test_method_pages_hold_their_counts(html: dict[str, Html], catalog: Catalog) -> None:
    """Of the method's own configurations; what sources vary stands on their pages."""
    for m in catalog.measurements:
        if m.trainable is not None and m.configuration not in catalog.variations:
            text = html[f"methods/{m.configuration.split('/')[0]}/index.html"].text()
            assert f"{m.trainable:,}" in text, m.configuration


def test_table5_holds_every_printed_figure(html: dict[str, Html], catalog: Catalog) -> None:
    rows = html["table5/index.html"].rows
    for cell in catalog.claims:
        if (cell.source, cell.table) == (SURVEY, "table5") and cell.printed is not None and cell.column != "score":
            # Printed memory has our prediction's error below it.
            shown = f"{cell.printed}predicted " if cell.column == "ram_gb" else cell.printed
            found = (value for row in rows if row[0] == cell.row for value in row)
            assert any(value == cell.printed or value.startswith(shown) for value in found), cell


def test_findings_hold_every_difference_of_table_5(html: dict[str, Html], database: Path) -> None:
    page = html[f"findings/{SURVEY}/index.html"]
    with duckdb.connect(str(database), read_only=True) as connection:
        differing = connection.execute(
            "SELECT printed, explained FROM verdict WHERE verdict = 'differs' AND source = ? AND table_name = 'table5'",
            [SURVEY],
        ).fetchall()
        tried = connection.execute(
            "SELECT c.name FROM explanation_tried t JOIN configuration c ON c.id = t.configuration WHERE t.source = ?",
            [SURVEY],
        )
        names = [name for (name,) in tried.fetchall()]
    assert differing
    for printed, explanation in differing:
        assert any(printed in row for row in page.rows)
        assert explanation is None or " ".join(explanation.split()) in page.text()
    for name in names:
        assert name in page.text()


def test_the_first_page_says_what_was_found(html: dict[str, Html], database: Path) -> None:
    with duckdb.connect(str(database), read_only=True) as connection:
        found = connection.execute(
            "SELECT figures, match, fits_another_setup, unresolved, rows, rows_match FROM table5_summary"
        ).fetchone()
    assert found is not None
    text = html["index.html"].text()
    assert f"{found[5]} match our counts in both parameter figures" in text
    assert f"Of {found[4]} rows" in text
    assert f"of {found[0]} figures, {found[1]} match." in text
    assert f"{found[2]} differ and match the count of another configuration" in text
    assert f"{found[3]} remain" in text


def test_only_models_on_which_something_was_measured_are_shown(html: dict[str, Html], catalog: Catalog) -> None:
    measured = {m.backbone for m in catalog.measurements}
    lacking = {model.name for model in catalog.models.values() if model.id not in measured}
    assert lacking
    for path, page in html.items():
        if not path.startswith(
            ("sources/", "choose/")
        ):  # every label that is printed; every model that formulas answer for
            assert not lacking & {cell for row in page.rows for cell in row}, path
            assert not lacking & set(page.words), path
    listed = {row[0] for row in html["how-we-measure/index.html"].rows if len(row) == 10}
    assert listed == {"Backbone", *(catalog.models[name].name for name in measured)}
