"""The table of methods in a browser: every thing that a reader can do to it, and the address that remembers it."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from browser.harness import Browser

TOOLS = "#methods-tools"
ROWS = "#methods-table tbody tr"


def table(browser: Browser, query: str = "") -> None:
    browser.open(f"methods/{query}")
    browser.wait(lambda: browser.all("#methods-table[data-ready]"), "the script of the table")


def names(browser: Browser) -> list[str]:
    return list(
        browser.script("return [...document.querySelectorAll('#methods-table tbody strong a')].map(a => a.text)")
    )


def heads(browser: Browser) -> list[str]:
    text = "return [...document.querySelectorAll('#methods-table th')].map(th => th.querySelector('.dt-column-title').textContent)"
    return list(browser.script(text))


def cells(browser: Browser, head: str, source: str = "") -> list[str]:
    """The texts of a column, as shown, from above."""
    place = heads(browser).index(head) + 1
    return [t.removeprefix("measured ") for t in browser.texts(f"{ROWS} td:nth-child({place}) {source}")]


def dropdown(browser: Browser, title: str) -> Any:
    (found,) = (d for d in browser.all(f"{TOOLS} details.dropdown") if d.text.split("\n")[0].split(":")[0] == title)
    return found


def opened(browser: Browser, title: str) -> Any:
    found = dropdown(browser, title)
    if not found.get_attribute("open"):
        found.find_element("css selector", "summary").click()
    return found


def tick(browser: Browser, title: str, value: str) -> None:
    options = opened(browser, title).find_elements("css selector", "label:not([hidden])")
    (label,) = (o for o in options if o.find_element("css selector", "span").text == value)
    label.click()


def counts(browser: Browser, title: str) -> dict[str, int]:
    lines = opened(browser, title).find_elements("css selector", "label:not([hidden])")
    pairs = [[part.text for part in line.find_elements("css selector", "span")] for line in lines]
    return {value: int(count) for value, count in pairs}


def query(browser: Browser) -> dict[str, str]:
    return {key: values[0] for key, values in parse_qs(urlsplit(browser.driver.current_url).query).items()}


def status(browser: Browser) -> str:
    return str(browser.one(f"{TOOLS} [role=status]").text)


def data(browser: Browser) -> Any:
    return browser.script(
        "return fetch(new URL('../assets/data/methods-table.json', location.href.split('?')[0])).then(r => r.json())"
    )


def test_all_methods_are_there_and_said_so(browser: Browser) -> None:
    table(browser)
    rows = data(browser)["rows"]
    assert names(browser) == [row["name"] for row in rows]
    assert status(browser).startswith(f"{len(rows)} of {len(rows)} methods.")
    assert not query(browser)


def test_a_facet_filters_and_the_counts_of_the_others_follow(browser: Browser) -> None:
    table(browser)
    rows = data(browser)["rows"]

    def expected(**chosen: str) -> list[Any]:
        return [r for r in rows if all(v in r["cells"][k]["claimed"]["kinds"] for k, v in chosen.items())]

    before = counts(browser, "Saves disk")
    assert before == {kind: len(expected(disk=kind)) for kind in before}
    tick(browser, "Type", "R")
    assert names(browser) == [row["name"] for row in expected(type="R")]
    assert counts(browser, "Saves disk") == {kind: len(expected(type="R", disk=kind)) for kind in before}
    assert counts(browser, "Type")["A"] == len(expected(type="A"))  # a facet does not narrow its own counts
    assert status(browser).startswith(f"{len(expected(type='R'))} of {len(rows)} methods.")
    tick(browser, "Type", "A")  # values of one facet add up
    assert len(names(browser)) == len(expected(type="R")) + len(expected(type="A"))
    tick(browser, "In PEFT", "yes")  # facets narrow each other
    assert set(names(browser)) == {
        row["name"] for row in expected(in_peft="yes") if {"A", "R"} & set(row["cells"]["type"]["claimed"]["kinds"])
    }
    assert query(browser) == {"type": "R,A", "in_peft": "yes"}
    (clear,) = (b for b in browser.all(f"{TOOLS} button") if b.text == "Clear filters")
    clear.click()
    assert len(names(browser)) == len(rows)
    assert not clear.is_displayed()


def test_the_state_in_the_address_comes_back_and_the_back_button_goes_back(browser: Browser) -> None:
    asked = "?type=R&source=measured&sort=-trainable&columns=type,trainable&m=lora,krona"
    table(browser, asked)
    shared = names(browser)
    assert heads(browser) == ["Method", "Type", "Trainable, %"]
    assert browser.one(f"{TOOLS} input[value=measured]").is_selected()
    assert browser.one(f"{TOOLS} .go").text == "Compare 2 methods"
    tick(browser, "Merges", "yes")
    fewer = names(browser)
    assert fewer != shared
    assert set(fewer) < set(shared)
    browser.driver.back()
    browser.wait(lambda: names(browser) == shared)
    assert query(browser) == {key: values[0] for key, values in parse_qs(asked[1:]).items()}
    browser.driver.forward()
    browser.wait(lambda: names(browser) == fewer)
    table(browser, "?" + urlsplit(browser.driver.current_url).query)
    assert names(browser) == fewer


def test_an_address_with_nonsense_is_read_as_far_as_it_makes_sense(browser: Browser) -> None:
    table(browser, "?type=%3Cscript%3E&source=x&sort=-nothing&columns=type,%22&m=nobody,lora&text=")
    assert names(browser) == []
    assert browser.one(f"{ROWS} .dt-empty").text == "No method fits all of this."
    assert heads(browser) == ["Method", "Type"]
    assert browser.one(f"{TOOLS} .go").get_attribute("href") is None


def test_text_filters_by_names_and_other_names(browser: Browser) -> None:
    table(browser)
    field = browser.one(f"{TOOLS} input[type=search]")
    field.send_keys("Low-Rank Adaptation")
    assert "LoRA" in names(browser)
    assert "BitFit" not in names(browser)
    assert query(browser)["text"] == "Low-Rank Adaptation"
    field.send_keys(" zzz")
    assert names(browser) == []
    assert status(browser).startswith("0 of")


@pytest.mark.parametrize("source", ["claimed", "measured"])
def test_a_head_sorts_by_figures_and_says_so(browser: Browser, source: str) -> None:
    table(browser, f"?source={source}")
    place = heads(browser).index("Trainable, %") + 1
    button = browser.one(f"#methods-table th:nth-child({place}) [role=button]")
    key = {row["name"]: row["cells"]["trainable"][source]["number"] for row in data(browser)["rows"]}
    for turn, state in ((1, "ascending"), (-1, "descending")):
        button.click()
        assert browser.one(f"#methods-table th:nth-child({place})").get_attribute("aria-sort") == state
        values = [key[name] for name in names(browser)]
        known = [value for value in values if value is not None]
        assert known == sorted(known, key=lambda v: turn * v)
        assert values[len(known) :] == [None] * (len(values) - len(known))  # unknown is last both ways
    assert query(browser)["sort"] == "-trainable"


def test_sorting_by_ticks_puts_yes_before_no_and_unknown_last(browser: Browser) -> None:
    table(browser, "?sort=ram&source=claimed")
    shown = cells(browser, "Saves RAM", ".claimed")
    order = ["yes", "no", "not stated", "does not apply"]
    assert [order.index(s) for s in shown] == sorted(order.index(s) for s in shown)
    assert {"yes", "no"} < set(shown)


def test_claimed_or_measured_or_both(browser: Browser) -> None:
    table(browser, "?columns=ram")
    both = browser.texts(f"{ROWS} td:nth-child(2)")
    assert all("measured" in text for text in both)
    by_claim = counts(browser, "Saves RAM")
    browser.click(f"{TOOLS} input[value=measured]")
    assert query(browser)["source"] == "measured"
    assert not browser.shown(f"{ROWS} .claimed")
    assert cells(browser, "Saves RAM")[0] == "yes"
    by_measurement = counts(browser, "Saves RAM")
    assert by_measurement != by_claim
    assert "follow the measurements" in status(browser)
    browser.click(f"{TOOLS} input[value=claimed]")
    assert not browser.shown(f"{ROWS} .measured")
    browser.driver.back()
    browser.wait(lambda: browser.one(f"{TOOLS} input[value=measured]").is_selected())


def test_columns_can_be_chosen(browser: Browser) -> None:
    table(browser)
    assert "Year" not in heads(browser)
    tick(browser, "Columns", "Year")
    assert heads(browser)[-2] == "Year"
    tick(browser, "Columns", "Type")
    assert "Type" not in heads(browser)
    assert "year" in query(browser)["columns"].split(",")
    browser.driver.back()
    browser.driver.back()
    browser.wait(lambda: "Type" in heads(browser) and "Year" not in heads(browser))


def save(browser: Browser, name: str) -> None:
    opened(browser, "Save this view")
    (button,) = (b for b in browser.all(f"{TOOLS} .panel button") if b.text == name)
    button.click()


VIEW = "?type=R&source=both&sort=-trainable&columns=type,ram,trainable"


def test_the_view_as_csv_and_json(browser: Browser) -> None:
    table(browser, VIEW)
    shown = names(browser)
    save(browser, "CSV")
    head, *rows = csv.reader(io.StringIO(browser.downloaded("methods.csv").decode()))
    assert head == ["Method", "Type", "Saves RAM, claimed", "Saves RAM, measured", "Trainable, %, claimed",
                    "Trainable, %, measured"]  # fmt: skip
    assert [row[0] for row in rows] == shown
    save(browser, "JSON")
    records = json.loads(browser.downloaded("methods.json"))
    assert [record["name"] for record in records] == shown
    assert {record["type"] for record in records} == {"R"}
    lora = next(record for record in records if record["id"] == "lora")
    assert lora["trainable_claimed"] == 0.5
    assert 0.31 < lora["trainable_measured"] < 0.33


def test_the_view_as_markdown_and_latex(browser: Browser) -> None:
    table(browser, VIEW)
    shown = names(browser)
    save(browser, "Markdown")
    lines = browser.downloaded("methods.md").decode().splitlines()
    assert lines[0].count("|") == 7
    assert lines[1] == "| :--- | :--- | :--- | :--- | ---: | ---: |"
    assert [line.split(" | ")[0].removeprefix("| ") for line in lines[2:]] == shown
    save(browser, "LaTeX")
    tex = browser.downloaded("methods.tex").decode().splitlines()
    assert tex[1] == r"\begin{tabular}{llllrr}"
    body = tex[tex.index(r"\midrule") + 1 : tex.index(r"\bottomrule")]
    assert [line.split(" & ")[0] for line in body] == shown
    assert all(line.endswith(r" \\") for line in body)
    assert not re.search(r"(?<!\\)[%#_$]", "\n".join(tex[1:]))


def test_choosing_methods_leads_to_their_comparison(browser: Browser) -> None:
    table(browser)
    browser.click("[aria-label='Choose LoRA to compare']")
    go = browser.one(f"{TOOLS} .go")
    assert go.get_attribute("href") is None
    browser.click("[aria-label='Choose KronA to compare']")
    assert query(browser) == {"m": "lora,krona"}
    browser.click(f"{TOOLS} .go")
    browser.wait(lambda: browser.all("#comparison[data-ready]"))
    assert urlsplit(browser.driver.current_url).path.endswith("/compare/")
    assert query(browser) == {"m": "lora,krona"}
    browser.driver.back()
    browser.wait(lambda: browser.all("#methods-table[data-ready]"))
    assert browser.one("[aria-label='Choose LoRA to compare']").is_selected()


def test_no_more_than_five_are_chosen(browser: Browser) -> None:
    table(browser, "?m=lora,ia3,krona,bitfit,dora,qlora")
    assert query(browser)["m"].count(",") == 5
    boxes = browser.all(f"{ROWS} input.choose")
    assert sum(box.is_selected() for box in boxes) == 5
    assert all(box.is_selected() != (not box.is_enabled()) for box in boxes)


def test_without_scripts_every_row_and_both_sources_are_there(browser: Browser) -> None:
    browser.javascript(False)
    browser.open("methods/")
    rows = browser.all(ROWS)
    assert len(rows) > 40
    assert all("measured" in row.text for row in rows)
    assert browser.shown("#methods-table th")[5].text == "Inference overhead"
    assert not browser.all(f"{TOOLS} *")


def focused(browser: Browser) -> Any:
    return browser.driver.switch_to.active_element


def test_everything_can_be_done_with_the_keyboard(browser: Browser) -> None:
    from selenium.webdriver.common.keys import Keys

    table(browser)
    field = browser.one(f"{TOOLS} input[type=search]")
    field.send_keys(Keys.TAB)
    summary = focused(browser)
    assert summary.text == "Type"
    summary.send_keys(Keys.ENTER)
    summary.send_keys(Keys.TAB)
    focused(browser).send_keys(Keys.SPACE)
    assert len(query(browser)["type"]) == 1
    focused(browser).send_keys(Keys.ESCAPE)
    assert not dropdown(browser, "Type").get_attribute("open")
    assert focused(browser).text.startswith("Type: ")
    first = browser.one("#methods-table th:nth-child(2) [role=button]")
    browser.script("arguments[0].focus()", first)
    assert first.get_attribute("tabindex") == "0"
    first.send_keys(Keys.ENTER)
    assert query(browser)["sort"] == "type"
    box = browser.all(f"{ROWS} input.choose")[0]
    box.send_keys(Keys.SPACE)
    assert "m" in query(browser)


def test_a_narrow_screen_scrolls_the_table_and_not_the_page(browser: Browser) -> None:
    browser.size(390)
    table(browser)
    assert browser.script("return document.documentElement.scrollWidth") == 390
    assert browser.script("const t = document.getElementById('methods-table'); return t.scrollWidth > t.clientWidth")
    region = browser.one("#methods-table")
    assert (region.get_attribute("role"), region.get_attribute("tabindex")) == ("region", "0")
    browser.click(f"{TOOLS} .filters > summary")
    tick(browser, "Type", "S")
    assert query(browser) == {"type": "S"}
