"""Building the site: equal each time, for any generator, of any valid catalog; and what is said where it fails."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import site_config
import small_catalog
from altered import copied
from conftest import ROOT
from page_html import read
from shared import built

from surveykit.catalog.load import load
from surveykit.errors import CatalogError, MissingExtra, SurveyError
from surveykit.site.build import build, catalog_named_by
from surveykit.site.plugin import MOST_IN_NAVIGATION, _navigation
from surveykit.site.rendering import Page, fill, live_texts, render
from surveykit.site.text import numbers
from surveykit.site.writing import write


def test_two_renders_are_equal_in_every_byte_and_plain_files_for_any_generator(
    database: Path, pages: dict[str, Page], tmp_path: Path
) -> None:
    docs = ROOT / "site" / "docs"
    by_hand = {path.relative_to(docs).as_posix() for path in docs.rglob("*") if path.is_file()}
    again = list(render(database, by_hand))
    write(again, docs, live_texts(database), tmp_path)
    written = {path.relative_to(tmp_path).as_posix(): path for path in tmp_path.rglob("*") if path.is_file()}
    assert set(written) == set(pages) | by_hand
    assert "<!-- live" not in written["how-we-measure.md"].read_text(encoding="utf-8")
    linking = {"index.md", "glossary.md", "which-should-i-use.md"}  # which link to pages by hand where there are some
    different = {
        page.path for page in again
        if page.path not in linking and as_bytes(page.content) != as_bytes(pages[page.path].content)
    }  # fmt: skip
    assert different <= {"downloads/surveykit.duckdb", "downloads/surveykit.duckdb.gz"}  # DuckDB's own order varies


def as_bytes(content: str | bytes | Path) -> bytes:
    return (
        content.encode()
        if isinstance(content, str)
        else content
        if isinstance(content, bytes)
        else content.read_bytes()
    )


def test_pages_import_no_generator() -> None:
    for path in sorted((ROOT / "surveykit" / "site").rglob("*.py")):
        if path.name not in ("plugin.py", "build.py"):
            assert "import mkdocs" not in path.read_text(encoding="utf-8").replace("from mkdocs", "import mkdocs"), path


def test_a_new_method_reaches_its_page(altered_site: Path) -> None:
    page = read(altered_site / "methods" / "brand-new" / "index.html")
    assert page.headings == ["Brand-new tuning"]
    assert "not measured" in page.text()
    assert "Brand-new tuning" in (altered_site / "methods" / "index.html").read_text(encoding="utf-8")


def test_a_catalog_without_measurements_still_has_a_site(tmp_path: Path) -> None:
    root = small_catalog.write(tmp_path / "catalog")
    shutil.rmtree(root / "measured")
    catalog = load(root)
    assert not catalog.measurements
    figures = [c for c in catalog.claims if (c.table, c.quantity) == ("table5", "trainable") and c.printed]
    assert f"{len(figures)} are not measured." in read(built(root, tmp_path) / "index.html").text()


def test_an_invalid_catalog_gives_all_its_problems_and_keeps_the_old_site(tmp_path: Path) -> None:
    catalog = copied(tmp_path)
    broken = catalog / "methods" / "lora.yaml"
    broken.write_text(broken.read_text(encoding="utf-8").replace("type: R", "type: Q").replace("rank: 8", "rnk: 8", 1))
    kept = tmp_path / "html" / "index.html"
    kept.parent.mkdir()
    kept.write_text("old")
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    text = text.replace("site/docs", str(ROOT / "site" / "docs")).replace("site_dir: build/site", "site_dir: html")
    (tmp_path / "mkdocs.yml").write_text(text)
    with pytest.raises(CatalogError) as caught:
        build(tmp_path / "mkdocs.yml", strict=True)
    assert len(caught.value.problems) >= 2
    assert "lora.yaml" in str(caught.value)
    assert kept.read_text() == "old"


def test_mkdocs_itself_says_what_is_wrong(tmp_path: Path) -> None:
    from mkdocs.config import load_config
    from mkdocs.exceptions import PluginError

    catalog = copied(tmp_path)
    (catalog / "methods" / "lora.yaml").write_text("id: lora\n")
    config = load_config(str(ROOT / "mkdocs.yml"), site_dir=str(tmp_path / "html"))
    config.plugins["surveykit"].config.update({"catalog": str(catalog), "pages": str(tmp_path / "docs")})
    with pytest.raises(PluginError, match=r"lora\.yaml"):
        config.plugins.on_config(config)


def test_the_catalog_that_is_passed_comes_first_then_the_variable_then_mkdocs_yml(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mkdocs.config import load_config

    written, chosen, passed = (
        small_catalog.write(tmp_path / name / "catalog") for name in ("written", "chosen", "passed")
    )
    file = site_config.write(tmp_path, written)
    config = load_config(str(file))
    plugin = config.plugins["surveykit"]
    for location in (plugin.location(config), catalog_named_by(file)):
        assert (location.root, location.chosen_by) == (written, str(file))
    monkeypatch.setenv("SURVEYKIT_CATALOG", str(chosen))
    for location in (plugin.location(config), catalog_named_by(file)):
        assert (location.root, location.chosen_by) == (chosen, "SURVEYKIT_CATALOG")
    plugin.given = passed
    assert plugin.location(config).root == passed


def test_a_wrong_mkdocs_yml_is_named(tmp_path: Path) -> None:
    file = site_config.write(tmp_path, tmp_path / "nothing")
    with pytest.raises(SurveyError, match=f"^{file}: '.*nothing' is not a catalog"):
        build(file, strict=True)
    (tmp_path / "docs").mkdir()
    file.write_text("site_name: none\n", encoding="utf-8")
    with pytest.raises(SurveyError, match=f"{file} does not list the plugin 'surveykit'"):
        catalog_named_by(file)


def test_what_mkdocs_warns_of_is_said_and_not_only_counted(tmp_path: Path) -> None:
    catalog = small_catalog.write(tmp_path / "catalog")
    (tmp_path / "docs").mkdir()
    file = tmp_path / "mkdocs.yml"
    file.write_text("site_name: small\nplugins: [surveykit: {catalog: catalog}]\n", encoding="utf-8")
    with pytest.raises(SurveyError) as caught:
        build(file, catalog=catalog, strict=True)
    assert "Doc file 'index.md' contains a link 'how-we-measure.md#verdicts'" in str(caught.value)


def test_serving_watches_the_catalog(tmp_path: Path) -> None:
    from mkdocs.config import load_config

    class Server:
        watched: list[str] = []  # noqa: RUF012

        def watch(self, path: str) -> None:
            self.watched.append(path)

        def unwatch(self, path: str) -> None:
            self.watched.append(f"not {path}")

    root = small_catalog.write(tmp_path / "catalog")
    config = load_config(str(ROOT / "mkdocs.yml"))
    config.plugins["surveykit"].config.update({"catalog": str(root), "pages": str(tmp_path / "docs")})
    config.plugins.on_config(config)
    config.plugins["surveykit"].on_serve(Server(), config=config, builder=None)
    assert Server.watched[:3] == [f"not {tmp_path / 'docs'}", str(root), str(ROOT / "site" / "docs")]


def test_without_mkdocs_yml_the_user_learns_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SurveyError, match="--config"):
        build(tmp_path / "mkdocs.yml", strict=True)


def test_a_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from surveykit.site import build as module

    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"pip install '\.\[site\]'"):
        build(ROOT / "mkdocs.yml", strict=True)


def test_a_live_text_that_does_not_exist_is_an_error(database: Path) -> None:
    with pytest.raises(SurveyError, match="did you mean 'causes'"):
        fill("<!-- live: cause -->", live_texts(database), "page.md")


@pytest.mark.parametrize(
    ("value", "shown"),
    [(100.0, "100"), (23.1912, "23.2"), (1.72, "1.72"), (0.0206, "0.0206"), (0.00135, "0.00135"), (0.0, "0"),
     (None, "–")],
)  # fmt: skip
def test_percentages(value: float | None, shown: str) -> None:
    assert numbers.percent(value) == shown


@pytest.mark.parametrize("more", [0, 1])
def test_navigation_names_the_pages_of_a_folder_unless_they_are_very_many(more: int) -> None:
    index = Page(path="methods/index.md", content="", title="All methods")
    methods = [Page(path=f"methods/m{i}.md", content="", title=f"M{i}") for i in range(MOST_IN_NAVIGATION + more)]
    given = [{"Methods": [{"All": index.path}, {"Compare": "compare.md"}]}, {"About": "about.md"}]
    nav, apart = _navigation(given, [index, *methods])
    if more:
        assert nav == given
        assert apart == {page.path for page in methods}
    else:
        among = [{page.title: page.path} for page in methods]
        assert nav == [{"Methods": [{"All": index.path}, *among, {"Compare": "compare.md"}]}, {"About": "about.md"}]
        assert not apart
