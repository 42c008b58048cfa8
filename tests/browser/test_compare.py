"""The comparison in a browser: the picker, the address, and the same content as without a script."""

from __future__ import annotations

import re

import pytest

from browser.harness import Browser

TOOLS = "#compare-tools"


def compare(browser: Browser, query: str = "") -> None:
    browser.open(f"compare/{query}")
    assert browser.all("#comparison[data-ready]")


def ready(browser: Browser, chosen: str) -> None:
    browser.becomes(lambda: browser.one("#comparison").get_attribute("data-ready"), chosen)


def heads(browser: Browser) -> list[str]:
    return browser.texts("#comparison table:first-of-type thead th")[1:][: len(chips(browser))]


def chips(browser: Browser) -> list[str]:
    return [text.removesuffix(" ×") for text in browser.texts(f"{TOOLS} .chips button")]


def content(browser: Browser) -> list[list[str]]:
    """The cells of all rows, as text."""
    script = """return [...document.querySelectorAll('#comparison tr')].map(
        row => [...row.cells].map(cell => cell.innerText.trim().replace(/\\s+/g, ' ')))"""
    return list(browser.script(script))


def test_the_first_comparison_needs_no_script(browser: Browser) -> None:
    browser.javascript(False)
    browser.open("compare/")
    shown = content(browser)
    assert shown[0] == ["Property", "LoRA", "(IA)³", "Adapters (Houlsby)", "Prompt Tuning"]
    assert any(row[0] == "Saves memory" and "measured" in row[1] and "match" in row[1] for row in shown)
    assert browser.shown("#compare-all a")
    assert not browser.all(f"{TOOLS} *")


def test_the_script_writes_what_the_page_says(browser: Browser) -> None:
    compare(browser)
    by_page = content(browser)
    code = browser.texts("#comparison pre")
    compare(browser, "?m=ia3,lora,adapters,prompt-tuning")
    by_script = [[row[0], row[2], row[1], *row[3:]] for row in content(browser)]
    assert by_script == by_page
    assert sorted(browser.texts("#comparison pre")) == sorted(code)


def test_links_of_cells_lead_to_their_evidence(browser: Browser) -> None:
    compare(browser, "?m=lora,qlora")
    links = {a.get_attribute("href") for a in browser.all("#comparison td a")}
    assert f"{browser.address}methods/lora/#table1-ram" in links
    for link in sorted(links)[::7]:
        browser.driver.get(link)
        anchor = link.partition("#")[2]
        assert browser.script("return document.getElementById(arguments[0]) !== null", anchor), link


def test_methods_are_added_and_removed_and_the_address_follows(browser: Browser) -> None:
    compare(browser, "?m=lora,krona")
    assert chips(browser) == ["LoRA", "KronA"]
    browser.one(f"{TOOLS} [aria-label='Add a method']").send_keys("dora\n")
    ready(browser, "lora,krona,dora")
    assert heads(browser) == ["LoRA", "KronA", "DoRA"]
    assert browser.driver.current_url.endswith("?m=lora,krona,dora")
    browser.click(f"{TOOLS} [aria-label='Remove KronA']")
    ready(browser, "lora,dora")
    browser.becomes(lambda: browser.driver.switch_to.active_element.text, "LoRA ×")
    browser.driver.back()
    ready(browser, "lora,krona,dora")
    assert heads(browser) == ["LoRA", "KronA", "DoRA"]


def test_several_that_are_named_take_the_place_of_the_others(browser: Browser) -> None:
    compare(browser)
    field = browser.one(f"{TOOLS} [aria-label='Add a method']")
    field.send_keys("VeRA, dora , (IA)³, nobody, krona\n")
    ready(browser, "vera,dora,ia3,krona")
    assert heads(browser) == ["VeRA", "DoRA", "(IA)³", "KronA"]
    assert "There is no method nobody." in browser.one(f"{TOOLS} [role=status]").text
    assert field.get_attribute("value") == ""


def test_what_is_the_same_can_be_left_out(browser: Browser) -> None:
    compare(browser, "?m=lora,dora")
    everything = content(browser)
    browser.click(f"{TOOLS} input[type=checkbox]")
    browser.wait(lambda: len(content(browser)) < len(everything))
    rows = [row for row in content(browser) if row[0] != "Property"]
    assert rows
    assert all(len(set(row[1:])) > 1 for row in rows)
    assert browser.driver.current_url.endswith("&differing=yes")


@pytest.mark.parametrize("query", ["?m=", "?m=lora", "?m=nobody,lora,%3Cscript%3E"])
def test_too_few_are_shown_with_what_to_do(browser: Browser, query: str) -> None:
    compare(browser, query)
    status = browser.one(f"{TOOLS} [role=status]").text
    assert "to compare" in status
    assert len(chips(browser)) < 2


def test_at_most_five(browser: Browser) -> None:
    compare(browser, "?m=lora,ia3,krona,bitfit,dora,qlora,lora")
    assert len(chips(browser)) == 5
    assert "QLoRA is one too many." in browser.one(f"{TOOLS} [role=status]").text
    assert browser.script("return document.documentElement.scrollWidth") == 1400


def test_a_method_that_is_not_there_is_named(browser: Browser) -> None:
    compare(browser, "?m=lora,lorra,ia3")
    assert len(chips(browser)) == 2
    assert "There is no method lorra." in browser.one(f"{TOOLS} [role=status]").text


def test_a_narrow_screen_scrolls_the_tables_and_not_the_page(browser: Browser) -> None:
    browser.size(390)
    compare(browser, "?m=lora,ia3,krona")
    assert browser.script("return document.documentElement.scrollWidth") == 390


def test_the_search_of_the_first_page_opens_the_sites_own(browser: Browser) -> None:
    browser.open("")
    browser.click("#home-search button")
    field = browser.one("[data-md-component=search-query]")
    browser.becomes(lambda: browser.driver.switch_to.active_element, field)
    field.send_keys("KronA")
    browser.wait(lambda: any("KronA" in text for text in browser.texts(".md-search-result__item h1")))


def test_four_ways_in_lead_to_pages(browser: Browser) -> None:
    browser.open("")
    assert len(browser.shown(".way")) == 4
    links = [a.get_attribute("href") for a in browser.all(".way a:not(.headerlink)")]
    assert len(links) == 4
    for link in links:
        browser.open(link.removeprefix(browser.address))
        assert browser.texts("h1")[0]


def test_the_model_is_picked_once_for_every_measured_row(browser: Browser) -> None:
    compare(browser, "?m=lora,ia3&model=t5-3b")
    assert "Claims and measurements on T5-3B" in browser.texts("#comparison h2")
    rows = {row[0]: row[1:] for row in content(browser)}
    assert rows["Trainable, %"][0].endswith("measured 0.207")
    compare(browser, "?m=lora,ia3&model=nothing")
    assert "Claims and measurements on T5-Large" in browser.texts("#comparison h2")


@pytest.mark.parametrize(("kind", "end"), [("LaTeX", "tex"), ("Markdown", "md"), ("CSV", "csv"), ("PNG", "png")])
def test_the_comparison_as_a_file_names_its_models(browser: Browser, kind: str, end: str) -> None:
    compare(browser, "?m=lora,krona&model=t5-3b")
    (button,) = (b for b in browser.all(f"{TOOLS} .save button") if b.text == kind)
    button.click()
    content = browser.downloaded(f"comparison.{end}")
    if end == "png":
        assert content.startswith(b"\x89PNG")
        return
    text = content.decode()
    assert all(name in text for name in ("LoRA", "KronA", "Peak memory, GB", "experiment on T5-11B"))
    assert end == "csv" or "configuration on T5-3B" in text.replace("\\", "")
    if end == "tex":
        assert not re.search(r"(?<!\\)[%#_]", "\n".join(text.splitlines()[1:]))
