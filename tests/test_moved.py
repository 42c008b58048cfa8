"""Old addresses lead on to the pages that replaced them."""

from __future__ import annotations

from urllib.parse import urljoin

import pytest
from conftest import ROOT
from page_html import Html, internal_links

from surveykit.site.inputs import Surroundings
from surveykit.site.pages import moved
from surveykit.site.pages.moved import MOVED, SCRIPT, address_of, moved_pages
from surveykit.site.rendering import Page


def test_each_old_page_still_exists_or_leads_to_one_that_does(pages: dict[str, Page]) -> None:
    docs = ROOT / "site" / "docs"
    existing = {*pages, *(path.relative_to(docs).as_posix() for path in docs.rglob("*.md"))}
    for old, new in MOVED.items():
        assert old in existing or new.partition("#")[0] in existing, old
    assert (docs / SCRIPT).is_file()


@pytest.mark.parametrize(
    ("offline", "here", "there"),
    [(False, "survey/old/index.html", "../../findings/"), (True, "survey/old.html", "../findings.html")],
)
def test_a_page_leads_on_by_script_by_itself_and_by_hand(
    monkeypatch: pytest.MonkeyPatch, offline: bool, here: str, there: str
) -> None:
    monkeypatch.setattr(moved, "MOVED", {"survey/old.md": "findings.md#lora"})
    ((path, text),) = moved_pages({"findings.md"}, Surroundings(offline=offline))
    page = Html(text)
    assert path == here
    asked = [attributes for _, attributes in page.elements]
    assert {"rel": "canonical", "href": f"{there}#lora"} in asked
    assert {"http-equiv": "refresh", "content": f"0; url={there}#lora"} in asked
    assert {"href": f"{there}#lora"} in asked
    assert set(internal_links(path, page)) == {(address_of("findings.md", offline=offline), "lora"), (SCRIPT, "")}


def test_where_the_address_is_known_the_canonical_one_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moved, "MOVED", {"old.md": "sources/index.md"})
    ((path, text),) = moved_pages({"sources/index.md"}, Surroundings(address="https://example.org/kit/"))
    canonical = next(a["href"] for tag, a in Html(text).elements if a.get("rel") == "canonical")
    shown = next(a["href"] for tag, a in Html(text).elements if tag == "a")
    assert canonical == urljoin(f"https://example.org/kit/{path}", shown) == "https://example.org/kit/sources/"


def test_a_page_that_exists_or_has_no_successor_yet_leads_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moved, "MOVED", {"kept.md": "new.md", "gone.md": "later.md"})
    assert not list(moved_pages({"kept.md", "new.md"}, Surroundings()))
