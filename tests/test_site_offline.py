"""`surveykit site --offline`: every link leads to a file, and nothing on a page waits for a web server."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

import pytest
import small_catalog
from conftest import CATALOG
from shared import built

from surveykit.cli import main
from surveykit.site import build as site_build


@pytest.fixture(
    scope="module", params=["small", pytest.param("whole", marks=pytest.mark.sampled(group="the whole offline site"))]
)
def pages(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[Path, str]:
    if request.param == "whole":
        site: Path = request.getfixturevalue("offline_site")
    else:
        folder = tmp_path_factory.mktemp("small")
        site = built(small_catalog.write(folder / "catalog"), folder, offline=True)
    return {path: path.read_text(encoding="utf-8") for path in site.rglob("*.html")}


def test_links_lead_to_files(pages: dict[Path, str]) -> None:
    followed = 0
    for page, text in pages.items():
        for address in re.findall(r'(?:href|src)="([^"#?]+)', text):
            if not re.match(r"[a-z]+:", address):
                assert (page.parent / unquote(address)).is_file(), (page, address)
                followed += 1
    assert followed > 1000


def test_no_page_asks_for_a_module(pages: dict[Path, str]) -> None:
    """A browser refuses modules to a page that is a file, and would say so in its console."""
    assert {path.name for path in pages} >= {"index.html", "lora.html", "sql.html", "choose.html"}
    for text in pages.values():
        assert 'type="module"' not in text
        assert "assets/offline.css" in text or "This page has moved" in text


def test_the_console_is_not_kept(pages: dict[Path, str]) -> None:
    by_name = {path.name: text for path, text in pages.items()}
    assert 'id="sql-console"' not in by_name["sql.html"]
    assert "not in a page opened as a file" in by_name["sql.html"]


def test_the_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    asked: list[bool] = []

    def build(config: Path, *, catalog: Path, strict: bool, offline: bool) -> Path:
        assert catalog == CATALOG
        asked.append(offline)
        return Path("somewhere")

    monkeypatch.setattr(site_build, "build", build)
    assert main(["site", "--offline"]) == main(["site"]) == 0
    assert asked == [True, False]
    assert "wrote somewhere" in capsys.readouterr().out
