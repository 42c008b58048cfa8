"""The site: built strictly from the real catalog, every link and anchor looked up, and hostile text kept harmless."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import pytest
import yaml
from conftest import CATALOG, ROOT
from site_builds import built, shared_site

from surveykit.catalog.load import Catalog, load
from surveykit.database.build import build as build_database
from surveykit.errors import CatalogError, MissingExtra, SurveyError
from surveykit.site import markdown, numbers
from surveykit.site.build import build
from surveykit.site.method_columns import COLUMNS
from surveykit.site.pages import Page, fill, live_texts, render, write
from surveykit.site.plugin import MOST_IN_NAVIGATION, _navigation

VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr", "path"}
LOADING = {
    ("script", "src"),
    ("link", "href"),
    ("img", "src"),
    ("source", "srcset"),
    ("iframe", "src"),
    ("object", "data"),
}


class Html(HTMLParser):
    """What the tests ask of one page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.scripts: list[str] = []
        self.headings: list[str] = []
        self.rows: list[list[str]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self._open.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th") and self.rows:
            self.rows[-1].append("")
        elif tag == "h1":
            self.headings.append("")

    def handle_endtag(self, tag: str) -> None:
        if tag in self._open:
            while self._open.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        if "script" in self._open or "style" in self._open:
            self.scripts.append(data)
            return
        self.words.append(data)
        if "td" in self._open or "th" in self._open:
            self.rows[-1][-1] += data
        if self._open and "h1" in self._open and "a" not in self._open:
            self.headings[-1] += data

    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def identifiers(self) -> list[str]:
        return [attributes["id"] for _, attributes in self.elements if "id" in attributes]


BuildSite = Callable[[Path], Path]


@pytest.fixture(scope="session")
def build_site(tmp_path_factory: pytest.TempPathFactory) -> BuildSite:
    """Build the site of a catalog with our own mkdocs.yml, into a folder of its own."""
    return lambda catalog: built(catalog, tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shared_site(tmp_path_factory)


@pytest.fixture(scope="session")
def html(site: Path) -> dict[str, Html]:
    """Every page by its address below the root."""
    return {
        path.relative_to(site).as_posix(): Html(path.read_text(encoding="utf-8"))
        for path in sorted(site.rglob("*.html"))
    }


@pytest.fixture(scope="session")
def database(catalog: Catalog, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("database") / "site.duckdb"
    build_database(catalog, path)
    return path


@pytest.fixture(scope="session")
def pages(database: Path) -> dict[str, Page]:
    return {page.path: page for page in render(database)}


def copied(tmp_path: Path) -> Path:
    return Path(shutil.copytree(CATALOG, tmp_path / "catalog"))


def new_method(catalog: Path, identifier: str, **changes: object) -> None:
    """Drop a file for a new method: LoRA with other texts, without its rows of Table 5."""
    method = yaml.safe_load((CATALOG / "methods" / "lora.yaml").read_text(encoding="utf-8"))
    method |= {"id": identifier, "explanations": [], **changes}
    for configuration in method["configurations"]:
        configuration.pop("survey_rows", None)
    (catalog / "methods" / f"{identifier}.yaml").write_text(
        yaml.safe_dump(method, allow_unicode=True), encoding="utf-8"
    )


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
    for m in catalog.measurements:
        if m.trainable is not None:
            text = html[f"methods/{m.configuration.split('/')[0]}/index.html"].text()
            assert f"{m.trainable:,}" in text, m.configuration


def test_table5_holds_every_printed_figure(html: dict[str, Html], catalog: Catalog) -> None:
    rows = html["table5/index.html"].rows
    for cell in catalog.table5:
        if cell.printed is not None and cell.column != "score":
            assert any(row[0] == cell.row and cell.printed in row for row in rows), cell


def test_every_verdict_has_an_anchor_of_its_own(html: dict[str, Html], catalog: Catalog) -> None:
    cells = [c for c in catalog.table5 if c.column.startswith("params") and c.printed is not None]
    verdicts = len(cells) + 28 * 5 + 23 * 5  # figures of Table 5, and all cells of Tables 1 and 2
    found = [
        (path, cell["id"])
        for path, page in html.items()
        if path.startswith("methods/")
        for (_, cell), (_, shown) in pairwise(page.elements)
        if cell.get("class") == "cell" and "outcome" in shown.get("class", "") and not cell["id"].startswith("table5-")
    ]
    assert len(found) == len(set(found)) == verdicts


def test_discrepancies_hold_every_difference(html: dict[str, Html], database: Path) -> None:
    import duckdb

    page = html["discrepancies/index.html"]
    with duckdb.connect(str(database), read_only=True) as connection:
        differing = connection.execute("SELECT printed, explanation FROM verdict WHERE verdict = 'differs'").fetchall()
        tried = connection.execute(
            "SELECT c.name FROM explanation_tried t JOIN configuration c ON c.id = t.configuration"
        )
        names = [name for (name,) in tried.fetchall()]
    assert differing
    for printed, explanation in differing:
        assert any(printed in row for row in page.rows)
        assert explanation is None or " ".join(explanation.split()) in page.text()
    for name in names:
        assert name in page.text()


def test_the_first_page_says_what_was_found(html: dict[str, Html], database: Path) -> None:
    import duckdb

    with duckdb.connect(str(database), read_only=True) as connection:
        found = connection.execute("SELECT figures, match, reproduced, unresolved FROM summary").fetchone()
    assert found is not None
    text = html["index.html"].text()
    assert f"Of {found[0]} parameter figures in the survey's Table 5, {found[1]} match our counts." in text
    assert f"{found[2]} differ and match the count of another configuration" in text
    assert f"{found[3]} remain" in text


def test_every_page_is_reached_from_the_first(html: dict[str, Html]) -> None:
    reached, waiting = {"index.html"}, ["index.html"]
    while waiting:
        here = waiting.pop()
        for target in (file for file, _ in internal_links(here, html[here])):
            if target in html and target not in reached:
                reached.add(target)
                waiting.append(target)
    assert reached == set(html) - {"404.html"}


REFERRING = ("href", "src", "data", "poster", "action", "xlink:href")


def internal_links(path: str, page: Html) -> Iterator[tuple[str, str]]:
    """Files and fragments that a page refers to, below the root."""
    base = f"http://site/{path}"
    for _, attributes in page.elements:
        for name in REFERRING:
            if name not in attributes:
                continue
            parts = urlsplit(urljoin(base, attributes[name]))
            if parts.netloc == "site":
                file = unquote(parts.path.lstrip("/"))
                fragment = (
                    "" if parts.fragment.startswith("q=") else unquote(parts.fragment)
                )  # a query for the SQL page
                yield (f"{file}index.html" if file == "" or file.endswith("/") else file), fragment


def broken_links(site: Path, html: dict[str, Html]) -> list[str]:
    """Links, anchors, images, scripts, styles and downloads that lead to nothing."""
    anchors = {path: {"__top", *page.identifiers()} for path, page in html.items()}
    return [
        f"{path}: {file}#{fragment}"
        for path, page in html.items()
        if path != "404.html"  # served at addresses of any depth, so its links are absolute
        for file, fragment in internal_links(path, page)
        if not (site / file).is_file() or (fragment and file in anchors and fragment not in anchors[file])
    ]


def test_every_link_anchor_and_image_resolves(site: Path, html: dict[str, Html]) -> None:
    assert sum(len(list(internal_links(path, page))) for path, page in html.items()) > 5_000
    assert broken_links(site, html) == []


def test_a_broken_link_would_be_seen(site: Path, html: dict[str, Html]) -> None:
    page = Html('<a href="../lora/"></a><a href="../lora/#nothing"></a><img src="no.svg"><script src="/x.js"></script>')
    known = {"methods/lora/index.html": html["methods/lora/index.html"], "methods/new/index.html": page}
    found = [link for link in broken_links(site, known) if link.startswith("methods/new")]
    assert [link.split(": ")[1] for link in found] == [
        "methods/lora/index.html#nothing",
        "methods/new/no.svg#",
        "x.js#",
    ]


def test_pages_work_below_any_folder(html: dict[str, Html]) -> None:
    """No page but that of a wrong address says where on a host the site lies."""
    for path, page in html.items():
        if path != "404.html":
            for _, attributes in page.elements:
                assert not any(attributes.get(name, "").startswith("/") for name in REFERRING), path


def test_what_styles_and_data_refer_to_exists(site: Path, html: dict[str, Html]) -> None:
    for path in site.rglob("*.css"):
        for found in re.findall(r"url\(\s*['\"]?([^'\")]+)", path.read_text(encoding="utf-8")):
            if not found.startswith(("data:", "#")):
                assert (path.parent / found).is_file(), (path, found)
    for path in (site / "assets" / "data" / "compare").glob("*.json"):
        known = {"", *html[f"methods/{path.stem}/index.html"].identifiers()}
        found = set(re.findall(r'"anchor":\s*"([^"]*)"', path.read_text(encoding="utf-8")))
        assert len(found) > 1, path
        assert found <= known, path


def test_identifiers_are_unique(html: dict[str, Html]) -> None:
    for path, page in html.items():
        content = [i for i in page.identifiers() if not i.startswith("__")]
        assert len(content) == len(set(content)), path


def test_nothing_is_loaded_from_another_host(site: Path, html: dict[str, Html]) -> None:
    for path, page in html.items():
        for tag, attributes in page.elements:
            for name, value in attributes.items():
                if (tag, name) in LOADING and attributes.get("rel") != "canonical":
                    assert not urlsplit(value).netloc, f"{path}: {tag} {value}"
    for path in (p for p in site.rglob("*") if p.suffix in (".css", ".svg")):
        text = path.read_text(encoding="utf-8")
        assert not re.findall(r"url\(\s*['\"]?(?:https?:)?//", text), path
        assert not re.findall(r"@import", text), path


def test_repository_facts_are_not_fetched(html: dict[str, Html]) -> None:
    """Material asks api.github.com for stars where a page shows its repository component."""
    for page in html.values():
        assert not any(attributes.get("data-md-component") == "source" for _, attributes in page.elements)


def test_images_have_a_text(html: dict[str, Html]) -> None:
    figures = [a for page in html.values() for tag, a in page.elements if tag == "img" and "figures/" in a["src"]]
    drawn = [
        a for page in html.values() for tag, a in page.elements if tag == "svg" and "picture" in a.get("class", "")
    ]
    assert len(drawn) > 40
    assert all(len(words) > 60 for words in [*(a["alt"] for a in figures), *(a["aria-label"] for a in drawn)])


def test_edit_links_lead_to_the_yaml(build_site: BuildSite, tmp_path: Path, html: dict[str, Html]) -> None:
    """Edit links need the catalog below mkdocs.yml, as it is in the repository."""
    shutil.copytree(ROOT / "site", tmp_path / "site")
    shutil.copytree(CATALOG, tmp_path / "catalog")
    shutil.copy(ROOT / "mkdocs.yml", tmp_path)
    site = build(tmp_path / "mkdocs.yml", strict=True)
    base = "https://github.com/surveykit/surveykit/edit/main/"
    for page, file in (
        ("methods/lora", "catalog/methods/lora.yaml"),
        ("table5", "catalog/survey/table5.csv"),
        ("about", "site/docs/about.md"),
    ):
        found = Html((site / page / "index.html").read_text(encoding="utf-8"))
        assert [a["href"] for tag, a in found.elements if a.get("rel") == "edit"] == [base + file]


def test_two_renders_are_equal_in_every_byte(database: Path, pages: dict[str, Page]) -> None:
    again = {page.path: page for page in render(database)}
    assert set(again) == set(pages)
    different = {path for path in pages if again[path] != pages[path]}
    assert different <= {"downloads/surveykit.duckdb", "downloads/surveykit.duckdb.gz"}  # DuckDB's own order varies


def test_pages_are_plain_markdown_for_any_generator(database: Path, pages: dict[str, Page], tmp_path: Path) -> None:
    write(database, tmp_path, ROOT / "site" / "docs")
    written = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    by_hand = {
        p.relative_to(ROOT / "site" / "docs").as_posix() for p in (ROOT / "site" / "docs").rglob("*") if p.is_file()
    }
    assert written == set(pages) | by_hand
    assert "<!-- live" not in (tmp_path / "how-we-measure.md").read_text(encoding="utf-8")


def test_pages_import_no_generator() -> None:
    for path in sorted((ROOT / "surveykit" / "site").glob("*.py")):
        if path.name not in ("plugin.py", "build.py"):
            assert "import mkdocs" not in path.read_text(encoding="utf-8").replace("from mkdocs", "import mkdocs"), path


def test_templates_join_no_text_around_the_escapes() -> None:
    """`~` and these filters would escape for HTML only."""
    for path in sorted((ROOT / "surveykit" / "site" / "templates").glob("*.j2")):
        for expression in re.findall(r"{{(.*?)}}", path.read_text(encoding="utf-8"), re.DOTALL):
            assert not re.search(r"\|\s*(safe|join|format|replace|e|escape)\b", expression), (path.name, expression)


HOSTILE = "</title><script>alert(1)</script> [x](javascript:alert(1)) | a | {: onclick=alert(1) } `c` *b* &lt;i&gt; \" ' ![y](z)"


def test_a_hostile_method_is_only_a_name(build_site: BuildSite, tmp_path: Path) -> None:
    catalog = copied(tmp_path)
    text = f"# not a heading\n\n    {HOSTILE} {HOSTILE}"
    code = f"```\n{HOSTILE}\n````\n</code></pre>{HOSTILE}"
    method = yaml.safe_load((CATALOG / "methods" / "lora.yaml").read_text(encoding="utf-8"))
    configurations = [
        {**c, "survey_rows": [], "name": HOSTILE, "basis_note": text, "oracles": []} for c in method["configurations"]
    ]
    implementation = {"library": "repository", "name": f"a/b) {HOSTILE}", "snippet": code, "note": text}
    new_method(
        catalog, "hostile", name=HOSTILE, also_called=[HOSTILE], idea=text, tradeoff=text, pseudocode=code,
        configurations=configurations, implementations=[implementation], reconstruction=text,
    )  # fmt: skip
    site = build_site(catalog)
    for path in sorted(site.rglob("*.html")):
        page = Html(path.read_text(encoding="utf-8"))
        assert not any("alert" in script for script in page.scripts), path
        for tag, attributes in page.elements:
            assert not any(name.startswith("on") for name in attributes), (path, tag, attributes)
            for name in ("href", "src", "action"):
                assert not attributes.get(name, "").lower().startswith("javascript"), path
    page = Html((site / "methods" / "hostile" / "index.html").read_text(encoding="utf-8"))
    assert page.headings == [HOSTILE]
    index = Html((site / "methods" / "index.html").read_text(encoding="utf-8"))
    assert HOSTILE in [row[0] for row in index.rows]
    assert {len(row) for row in index.rows} == {len(COLUMNS)}
    compare = Html((site / "compare" / "index.html").read_text(encoding="utf-8"))
    assert HOSTILE in compare.text()
    data = json.loads((site / "assets" / "data" / "methods-table.json").read_text(encoding="utf-8"))
    assert [row["name"] for row in data["rows"] if row["id"] == "hostile"] == [HOSTILE]
    for entry in json.loads((site / "search" / "search_index.json").read_text(encoding="utf-8"))["docs"]:
        for shown in (entry["title"], entry["text"]):
            assert "<script" not in shown.lower()
            assert "<img" not in shown.lower()


def test_a_new_method_reaches_its_page(build_site: BuildSite, tmp_path: Path) -> None:
    catalog = copied(tmp_path)
    new_method(catalog, "brand-new", name="Brand-new tuning")
    site = build_site(catalog)
    page = Html((site / "methods" / "brand-new" / "index.html").read_text(encoding="utf-8"))
    assert page.headings == ["Brand-new tuning"]
    assert "not measured" in page.text()
    assert "Brand-new tuning" in (site / "methods" / "index.html").read_text(encoding="utf-8")


def test_an_invalid_catalog_gives_all_its_problems_and_keeps_the_old_site(
    build_site: BuildSite, tmp_path: Path
) -> None:
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
    config.plugins["surveykit"].config["catalog"] = str(catalog)
    with pytest.raises(PluginError, match=r"lora\.yaml"):
        config.plugins.on_config(config)


def test_serving_watches_the_catalog() -> None:
    from mkdocs.config import load_config

    class Server:
        watched: list[str] = []  # noqa: RUF012

        def watch(self, path: str) -> None:
            self.watched.append(path)

    config = load_config(str(ROOT / "mkdocs.yml"))
    config.plugins.on_config(config)
    config.plugins["surveykit"].on_serve(Server(), config=config, builder=None)
    assert Server.watched == [str(CATALOG)]


def test_without_mkdocs_yml_the_user_learns_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SurveyError, match="--config"):
        build(tmp_path / "mkdocs.yml", strict=True)


def test_a_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from surveykit.site import build as module

    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"surveykit\[site\]"):
        build(ROOT / "mkdocs.yml", strict=True)


def test_a_live_text_that_does_not_exist_is_an_error(database: Path) -> None:
    with pytest.raises(SurveyError, match="did you mean 'causes'"):
        fill("<!-- live: cause -->", live_texts(database), "page.md")


@pytest.mark.parametrize(
    "text",
    ["# a", "- a", "+ a", "1. a", "1) a", "    a", "> a", "a | b", "a_b_c", "**a**", "`a`", "<b>", "&amp;", "[a](b)",
     "![a](b)", "{: .x }", "a\n\n# b", "---", "===", "\\*a\\*", "!!! note", "http://a.b", "~~a~~", "^a^", "a\x02b\x03"],
)  # fmt: skip
def test_escaped_text_shows_itself(text: str) -> None:
    import markdown as python_markdown

    made = python_markdown.markdown(
        str(markdown.escape(text)), extensions=["tables", "attr_list", "admonition", "toc", "pymdownx.superfences"]
    )
    page = Html(made)
    assert [tag for tag, _ in page.elements] == ["p"]
    wanted = " ".join("".join(c for c in text if c.isprintable() or c.isspace()).split())
    assert page.text() == wanted


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "JAVASCRIPT:x", "data:text/html,x", "//a.b", "", None, "http:x"]
)
def test_only_addresses_of_the_web_become_links(url: str | None) -> None:
    assert "](" not in markdown.external("a", url)


@pytest.mark.parametrize(
    ("value", "shown"),
    [(100.0, "100"), (23.1912, "23.191"), (1.72, "1.720"), (0.0206, "0.021"), (0.00135, "0.0014"), (0.0, "0.000"),
     (None, "–")],
)  # fmt: skip
def test_percentages(value: float | None, shown: str) -> None:
    assert numbers.percent(value) == shown


def test_a_catalog_without_measurements_still_has_a_site(tmp_path: Path, build_site: BuildSite) -> None:
    catalog = copied(tmp_path)
    shutil.rmtree(catalog / "measured")
    assert not load(catalog).measurements
    text = Html((build_site(catalog) / "index.html").read_text(encoding="utf-8")).text()
    assert "90 are not measured." in text


@pytest.mark.parametrize("more", [0, 1])
def test_navigation_names_the_pages_of_a_folder_unless_they_are_very_many(more: int) -> None:
    index = Page(path="methods/index.md", content="", title="All methods")
    methods = [Page(path=f"methods/m{i}.md", content="", title=f"M{i}") for i in range(MOST_IN_NAVIGATION - 1 + more)]
    nav, apart = _navigation([{"Methods": index.path}, {"About": "about.md"}], [index, *methods])
    if more:
        assert nav == [{"Methods": index.path}, {"About": "about.md"}]
        assert apart == {page.path for page in methods}
    else:
        assert nav[0]["Methods"] == [index.path, *({page.title: page.path} for page in methods)]
        assert not apart
