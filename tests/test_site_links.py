"""The built site: every link, anchor, image and style leads to something, and nothing to another host."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

from conftest import SURVEY
from page_html import REFERRING, Html, internal_links, read

from surveykit.catalog.load import Catalog
from surveykit.site.pages.moved import MOVED, address_of

LOADING = {
    ("script", "src"),
    ("link", "href"),
    ("img", "src"),
    ("source", "srcset"),
    ("iframe", "src"),
    ("object", "data"),
}


def test_every_page_is_reached_from_the_first(html: dict[str, Html]) -> None:
    reached, waiting = {"index.html"}, ["index.html"]
    while waiting:
        here = waiting.pop()
        for target in (file for file, _ in internal_links(here, html[here])):
            if target in html and target not in reached:
                reached.add(target)
                waiting.append(target)
    assert reached == set(html) - {"404.html"} - {address_of(old, offline=False) for old in MOVED}


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


def test_every_verdict_has_an_anchor_of_its_own(html: dict[str, Html], catalog: Catalog) -> None:
    judged = [c for c in catalog.claims if c.source == SURVEY and c.printed]
    verdicts = sum(c.table in ("table1", "table2") or (c.table, c.quantity) == ("table5", "trainable") for c in judged)
    found = [
        (path, cell["id"])
        for path, page in html.items()
        if path.startswith("methods/")
        for (_, cell), (_, shown) in pairwise(page.elements)
        if cell.get("class") == "cell"
        and "outcome" in shown.get("class", "")
        and not cell["id"].startswith(("table5-", "verdict-"))
    ]
    assert len(found) == len(set(found)) == verdicts


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


def test_edit_links_lead_to_the_yaml(altered_site: Path) -> None:
    """Edit links need the catalog below mkdocs.yml, as it is in the repository and there."""
    base = "https://github.com/surveykit/surveykit/edit/main/"
    for page, file in (
        ("methods/lora", "catalog/methods/lora.yaml"),
        ("table5", f"catalog/sources/{SURVEY}/tables/table5.csv"),
        ("about", "site/docs/about.md"),
    ):
        found = read(altered_site / page / "index.html")
        assert [a["href"] for tag, a in found.elements if a.get("rel") == "edit"] == [base + file]
