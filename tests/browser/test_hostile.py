"""A method whose texts are markup and script, as a reader meets it in the table and in the comparison."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml
from conftest import CATALOG
from site_builds import built

from browser.harness import Browser, served

NAME = "<script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\">"


@pytest.fixture(scope="module")
def hostile_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    catalog = Path(shutil.copytree(CATALOG, folder / "catalog"))
    method = yaml.safe_load((CATALOG / "methods" / "lora.yaml").read_text(encoding="utf-8"))
    method |= {"id": "hostile", "name": NAME, "also_called": [], "idea": NAME, "tradeoff": NAME, "explanations": []}
    for configuration in method["configurations"]:
        configuration |= {"survey_rows": [], "name": NAME}
        for oracle in configuration.get("oracles", []):
            oracle["arguments"] = {"text": NAME}
    (catalog / "methods" / "hostile.yaml").write_text(yaml.safe_dump(method, allow_unicode=True), encoding="utf-8")
    return built(catalog, folder)


def test_a_hostile_name_is_only_a_name(browser: Browser, hostile_site: Path) -> None:
    with served(hostile_site) as address:
        browser.address = address
        browser.open("methods/?text=document.title")
        browser.wait(lambda: browser.all("#methods-table[data-ready]"))
        assert browser.texts("#methods-table tbody strong a") == [NAME]
        assert browser.one("#methods-table tbody input").get_attribute("aria-label") == f"Choose {NAME} to compare"
        browser.open("compare/?m=hostile,lora")
        browser.wait(lambda: browser.one("#comparison").get_attribute("data-ready") == "hostile,lora")
        shown = browser.texts("#comparison table:first-of-type th a")
        assert NAME in shown
        assert any(NAME.replace('"', '\\"') in text for text in browser.texts("#comparison pre"))
        assert not browser.all("#comparison img")
        assert "taken" not in browser.driver.title
        browser.drain()  # while the server is up: what was asked is its own
        assert not browser.foreign()
        browser.requested = []
