"""A method whose texts are markup and script, as a reader meets it in the table and in the comparison."""

from __future__ import annotations

from pathlib import Path

from altered import TAKES_THE_TITLE as NAME

from browser.harness import FOLDER, Browser


def test_a_hostile_name_is_only_a_name(browser: Browser, altered_site: Path) -> None:
    with browser.elsewhere(altered_site, below=FOLDER):
        browser.open("methods/?text=document.title")
        assert browser.texts("#methods-table tbody strong a") == [NAME]
        assert browser.one("#methods-table tbody input").get_attribute("aria-label") == f"Choose {NAME} to compare"
        browser.open("compare/?m=takes-the-title,lora")
        assert NAME in browser.texts("#comparison table:first-of-type th a")
        assert any(NAME.replace('"', '\\"') in text for text in browser.texts("#comparison pre"))
        assert not browser.all("#comparison img")
        assert "taken" not in browser.driver.title
