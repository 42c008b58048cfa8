"""The table of methods in a browser: every thing that a reader can do to it, and the address that remembers it."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from browser.harness import Browser
from browser.methods_table import (
    ROWS,
    TOOLS,
    cells,
    counts,
    data,
    dropdown,
    heads,
    in_order,
    names,
    opened,
    place,
    press,
    query,
    status,
    table,
    tick,
)


def test_all_methods_are_there_and_said_so(browser: Browser) -> None:
    table(browser)
    rows = data(browser)["rows"]
    assert names(browser) == in_order(browser, [row["name"] for row in rows])
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
    wanted = in_order(browser, [row["name"] for row in expected(type="R")])
    browser.becomes(lambda: names(browser), wanted)
    assert counts(browser, "Saves disk") == {kind: len(expected(type="R", disk=kind)) for kind in before}
    assert counts(browser, "Type")["A"] == len(expected(type="A"))  # a facet does not narrow its own counts
    assert status(browser).startswith(f"{len(expected(type='R'))} of {len(rows)} methods.")
    tick(browser, "Type", "A")  # values of one facet add up
    browser.becomes(lambda: len(names(browser)), len(expected(type="R")) + len(expected(type="A")))
    tick(browser, "In PEFT", "yes")  # facets narrow each other
    both = {row["name"] for row in expected(in_peft="yes") if {"A", "R"} & {*row["cells"]["type"]["claimed"]["kinds"]}}
    browser.becomes(lambda: set(names(browser)), both)
    assert query(browser) == {"type": "R,A", "in_peft": "yes"}
    (clear,) = (b for b in browser.shown(f"{TOOLS} button") if b.text == "Clear filters")
    clear.click()
    browser.becomes(lambda: len(names(browser)), len(rows))
    assert not clear.is_displayed()


def test_the_state_in_the_address_comes_back_and_the_back_button_goes_back(browser: Browser) -> None:
    asked = "?type=R&source=measured&sort=-trainable&columns=type,trainable&m=lora,krona"
    table(browser, asked)
    shared = names(browser)
    assert heads(browser) == ["Method", "Type", "Trainable, %"]
    assert browser.one(f"{TOOLS} input[value=measured]").is_selected()
    assert browser.one(f"{TOOLS} .go").text == "Compare 2 methods"
    tick(browser, "Merges", "yes")
    browser.wait(lambda: set(names(browser)) < set(shared), "fewer methods")
    fewer = names(browser)
    browser.driver.back()
    browser.becomes(lambda: names(browser), shared)
    assert query(browser) == {key: values[0] for key, values in parse_qs(asked[1:]).items()}
    browser.driver.forward()
    browser.becomes(lambda: names(browser), fewer)
    table(browser, "?" + urlsplit(browser.driver.current_url).query)
    assert names(browser) == fewer


def test_an_address_with_nonsense_is_read_as_far_as_it_makes_sense(browser: Browser) -> None:
    table(browser, "?type=%3Cscript%3E&source=x&sort=-nothing&columns=type,%22&m=nobody,lora&text=")
    assert names(browser) == []
    assert browser.one(f"{ROWS} .none").text == "No method meets all conditions."
    assert heads(browser) == ["Method", "Type"]
    assert browser.one(f"{TOOLS} .go").get_attribute("href") is None


def test_text_filters_by_names_and_other_names(browser: Browser) -> None:
    table(browser)
    field = browser.one(f"{TOOLS} input[type=search]")
    field.send_keys("Low-Rank Adaptation")
    browser.becomes(lambda: query(browser).get("text"), "Low-Rank Adaptation")
    assert "LoRA" in names(browser)
    assert "BitFit" not in names(browser)
    field.send_keys(" zzz")
    browser.becomes(lambda: names(browser), [])
    assert status(browser).startswith("0 of")


@pytest.mark.parametrize("source", ["claimed", "measured"])
def test_a_head_sorts_by_figures_and_says_so(browser: Browser, source: str) -> None:
    table(browser, f"?source={source}")
    head = f"#methods-table th{place(browser, 'Trainable, %')}"
    button = browser.one(f"{head} button")
    key = {row["name"]: row["cells"]["trainable"][source]["number"] for row in data(browser)["rows"]}
    for turn, state in ((1, "ascending"), (-1, "descending")):
        button.click()
        browser.becomes(lambda: browser.one(head).get_attribute("aria-sort"), state)
        values = [key[name] for name in names(browser)]
        known = [value for value in values if value is not None]
        assert known == sorted(known, key=lambda v: turn * v)
        assert values[len(known) :] == [None] * (len(values) - len(known))  # unknown is last both ways
    browser.becomes(lambda: query(browser).get("sort"), "-trainable")


def test_sorting_by_ticks_puts_yes_before_no_and_unknown_last(browser: Browser) -> None:
    table(browser, "?sort=ram&source=claimed")
    shown = cells(browser, "Saves memory", ".claimed")
    order = ["yes", "no", "not stated", "does not apply"]
    assert [order.index(s) for s in shown] == sorted(order.index(s) for s in shown)
    assert {"yes", "no"} < set(shown)


def test_claimed_or_measured_or_both(browser: Browser) -> None:
    table(browser, "?columns=ram")
    both = browser.texts(f"{ROWS} td{place(browser, 'Saves memory')}")
    assert all("measured" in text for text in both)
    by_claim = counts(browser, "Saves memory")
    browser.click(f"{TOOLS} input[value=measured]")
    browser.becomes(lambda: query(browser).get("source"), "measured")
    assert not browser.shown(f"{ROWS} .claimed")
    assert cells(browser, "Saves memory")[0] == "yes"
    by_measurement = counts(browser, "Saves memory")
    assert by_measurement != by_claim
    assert "Sorted by what is measured" in status(browser)
    browser.click(f"{TOOLS} input[value=claimed]")
    browser.becomes(lambda: browser.shown(f"{ROWS} .measured"), [])
    browser.driver.back()
    browser.wait(lambda: browser.one(f"{TOOLS} input[value=measured]").is_selected())


def test_columns_can_be_chosen(browser: Browser) -> None:
    table(browser)
    assert "Family" not in heads(browser)
    tick(browser, "Columns", "Family")
    browser.becomes(lambda: heads(browser)[-1], "Family")
    with_family = heads(browser)
    tick(browser, "Columns", "Type")
    browser.wait(lambda: "Type" not in heads(browser), "a column less")
    assert "family" in query(browser)["columns"].split(",")
    browser.driver.back()
    browser.becomes(lambda: heads(browser), with_family)
    browser.driver.back()
    browser.wait(lambda: "Type" in heads(browser) and "Family" not in heads(browser), "the columns of before")


def test_choosing_methods_leads_to_their_comparison(browser: Browser) -> None:
    table(browser)
    browser.click("[aria-label='Choose LoRA to compare']")
    go = browser.one(f"{TOOLS} .go")
    assert go.get_attribute("href") is None
    browser.click("[aria-label='Choose KronA to compare']")
    browser.becomes(lambda: query(browser), {"m": "lora,krona"})
    browser.click(f"{TOOLS} .go")
    browser.wait(lambda: browser.all("#comparison[data-ready]"), "the comparison")
    assert urlsplit(browser.driver.current_url).path.endswith("/compare/")
    assert query(browser) == {"m": "lora,krona"}
    browser.driver.back()
    browser.wait(lambda: browser.all("#methods-table[data-ready]"), "the table again")
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
    assert any(head.text.startswith("Inference overhead") for head in browser.shown("#methods-table th"))
    assert not browser.all(f"{TOOLS} *")


def focused(browser: Browser) -> Any:
    return browser.driver.switch_to.active_element


def test_everything_can_be_done_with_the_keyboard(browser: Browser) -> None:
    from selenium.webdriver.common.keys import Keys

    table(browser)
    quick = browser.all(f"{TOOLS} .quick")
    quick[-1].send_keys(Keys.TAB)
    assert focused(browser).text == "All filters"
    focused(browser).send_keys(Keys.ENTER)
    browser.wait(lambda: dropdown(browser, "Type").is_displayed(), "the filters")
    focused(browser).send_keys(Keys.TAB)
    summary = focused(browser)
    assert summary.text == "Type"
    summary.send_keys(Keys.ENTER)
    browser.wait(lambda: dropdown(browser, "Type").get_attribute("open"), "an open panel")
    summary.send_keys(Keys.TAB)
    focused(browser).send_keys(Keys.SPACE)
    browser.becomes(lambda: len(query(browser).get("type", "")), 1)
    focused(browser).send_keys(Keys.ESCAPE)
    browser.wait(lambda: not dropdown(browser, "Type").get_attribute("open"), "a closed panel")
    browser.wait(lambda: focused(browser).text.startswith("Type: "), "the focus on its head")
    first = browser.one("#methods-table th:nth-child(2) button")
    browser.script("arguments[0].focus()", first)
    first.send_keys(Keys.ENTER)
    browser.becomes(lambda: query(browser).get("sort"), "type")
    name = browser.all(f"{ROWS} strong a")[0]
    name.send_keys(Keys.ARROW_LEFT)
    focused(browser).send_keys(Keys.SPACE)
    browser.wait(lambda: "m" in query(browser), "the choice in the address")


def test_a_narrow_screen_scrolls_the_table_and_not_the_page(browser: Browser) -> None:
    browser.size(390)
    table(browser)
    assert browser.script("return document.documentElement.scrollWidth") == 390
    assert browser.script("const t = document.getElementById('methods-table'); return t.scrollWidth > t.clientWidth")
    region = browser.one("#methods-table")
    assert (region.get_attribute("role"), region.get_attribute("tabindex")) == ("region", "0")
    assert not browser.shown(f"{TOOLS} .quick"), "they would fill the screen"
    tick(browser, "Type", "S")
    browser.becomes(lambda: query(browser), {"type": "S"})


def test_each_row_is_one_tab_stop_and_arrows_go_on(browser: Browser) -> None:
    from selenium.webdriver.common.keys import Keys

    table(browser)
    stops = "return [...document.querySelectorAll(arguments[0])].map(row => [...row.querySelectorAll('a, input')]"
    assert set(browser.script(f"{stops}.filter(stop => stop.tabIndex >= 0).length)", ROWS)) == {1}
    first, second = browser.all(f"{ROWS} strong a")[:2]
    first.send_keys(Keys.TAB)
    assert focused(browser) == second
    second.send_keys(Keys.ARROW_UP)
    assert focused(browser) == first
    first.send_keys(Keys.ARROW_RIGHT)
    assert "#" in focused(browser).get_attribute("href")


def test_fifteen_rows_are_seen_at_once(browser: Browser) -> None:
    browser.size(1400, 900)
    table(browser)
    seen = "return [...document.querySelectorAll(arguments[0])].filter(row => row.getBoundingClientRect().bottom <= innerHeight)"
    assert len(browser.script(seen, ROWS)) >= 15


def test_small_and_thrifty_methods_are_two_clicks(browser: Browser) -> None:
    table(browser)
    press(browser, "Trains below 0.1 %")
    press(browser, "Memory below 50 %")
    browser.becomes(lambda: query(browser), {"trainable": "..0.1", "ram_ratio": "..50"})
    cells_of = {row["name"]: row["cells"] for row in data(browser)["rows"]}
    figures = {
        name: (cell["trainable"]["measured"]["number"], cell["ram_ratio"]["measured"]["number"])
        for name, cell in cells_of.items()
    }
    wanted = {n for n, (t, r) in figures.items() if t is not None and t < 0.1 and r is not None and r < 50}
    assert wanted
    browser.becomes(lambda: set(names(browser)), wanted)
    press(browser, "Trains below 0.1 %")
    browser.becomes(lambda: query(browser), {"ram_ratio": "..50"})


def test_a_range_can_be_written_and_comes_back_with_the_address(browser: Browser) -> None:
    table(browser)
    low, high = opened(browser, "Year").find_elements("css selector", "input")
    low.send_keys("2023")
    high.send_keys("2025\t")
    browser.becomes(lambda: query(browser).get("year"), "2023..2025")
    assert {int(year) for year in cells(browser, "Year")} == {2023, 2024}
    table(browser, "?year=2023..2025&trainable=nonsense&ram_gb=..")
    assert {int(year) for year in cells(browser, "Year")} == {2023, 2024}
    assert opened(browser, "Year").text.startswith("Year: at least 2023, below 2025")
    table(browser, "?trainable=..0.1&source=claimed")
    assert "Full Tuning" not in names(browser)


def test_one_picker_changes_the_model_of_every_measured_column(browser: Browser) -> None:
    table(browser, "?columns=trainable,ram_gb,merges")
    row = names(browser).index("LoRA")
    before = (cells(browser, "Trainable, %")[row], cells(browser, "Peak memory, GB")[row])
    browser.script(
        "const s = document.querySelector('#methods-tools .model select'); s.value = 't5-3b'; s.dispatchEvent(new Event('change'))"
    )
    browser.becomes(lambda: query(browser).get("model"), "t5-3b")
    browser.wait(lambda: cells(browser, "Peak memory, GB")[row] != before[1], "other figures")
    said = [text for text in browser.texts("#methods-table thead th .on-model") if text]
    assert said == ["claimed · T5-3B", "T5-3B"]
    assert "0.207" in cells(browser, "Trainable, %")[row]
    link = browser.all(f"{ROWS} .measured a")[0].get_attribute("href")
    assert "/methods/" in link
    assert "#" in link
    browser.driver.back()
    browser.becomes(lambda: (cells(browser, "Trainable, %")[row], cells(browser, "Peak memory, GB")[row]), before)
