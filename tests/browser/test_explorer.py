"""The explorer in a browser: what is chosen, drawn, named, linked, remembered by the address, and saved."""

from __future__ import annotations

import csv
import io
import json
import random
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from browser.harness import Browser
from browser.methods_table import query

TOOLS = "#explorer-tools"
MARKS = "#explorer .mark"
STATES = ("", "?colour=speed", "?source=peft-metamathqa&model=llama-3.2-3b", "?source=ours&model=t5-3b",
          "?source=survey&model=t5-11b&x=year&y=score-rte")  # fmt: skip


@pytest.fixture(scope="module")
def data(site: Path) -> Any:
    return json.loads((site / "assets" / "data" / "explorer.json").read_text(encoding="utf-8"))


def explore(browser: Browser, address: str = "") -> None:
    browser.open(f"explorer/{address}")
    assert browser.one("#explorer").get_attribute("data-ready")


def view_of(data: Any, source: str, model: str) -> Any:
    return next(view for view in data["views"] if (view["source"], view["model"]) == (source, model))


def values(view: Any, key: str) -> list[float | None]:
    index = [q["key"] for q in view["quantities"]].index(key)
    return [point["values"][index] for point in view["points"]]


def choose(browser: Browser, label: str, value: str) -> None:
    from selenium.webdriver.support.ui import Select

    labels = browser.script("return [...document.querySelectorAll(arguments[0])].map((one) => one.firstChild.textContent.trim())",
                            f"{TOOLS} label:has(select)")  # fmt: skip
    Select(browser.all(f"{TOOLS} label select")[labels.index(label)]).select_by_value(value)


def heading(browser: Browser) -> str:
    return str(browser.script("return document.getElementById('explorer-title').firstChild.textContent"))


def test_the_first_picture_is_score_against_memory(browser: Browser, data: Any) -> None:
    explore(browser)
    view = view_of(data, **data["first"])
    assert heading(browser) == f"Score against peak memory on {view['modelName']}, as the survey prints them"
    both = [pair for pair in zip(values(view, "score"), values(view, "memory"), strict=True) if None not in pair]
    assert len(browser.all(MARKS)) in (len(both), len(both) - 1)
    if len(browser.all(MARKS)) < len(both):
        assert "Full tuning is left out: score" in browser.one(f"{TOOLS} .status").text
        browser.script("document.querySelector(arguments[0]).scrollIntoView()", TOOLS)
        (box,) = [one for one in browser.all(f"{TOOLS} .check") if one.text.strip() == "Full tuning"]
        box.click()
        browser.becomes(lambda: len(browser.all(MARKS)), len(both))
        assert query(browser) == {"baseline": "yes"}
    assert len(browser.all("#explorer-points tbody tr")) == len(view["points"])


def test_four_figures_in_one_picture_are_one_click_away(browser: Browser) -> None:
    explore(browser)
    browser.driver.find_element("partial link text", "Parameters, memory, speed and score").click()
    browser.settled()
    browser.becomes(
        lambda: query(browser), {"colour": "speed"} | {k: v for k, v in query(browser).items() if k != "colour"}
    )
    notes = browser.one("#explorer-notes").text
    for name in ("Score", "Peak memory", "Trainable parameters", "Training speed"):
        assert f"{name} (printed)" in notes
    told = browser.one(MARKS + ":first-of-type").get_attribute("aria-label")
    assert all(word in told for word in ("score", "peak memory", "trainable parameters", "training speed"))


def test_axes_are_chosen_and_the_address_follows_and_brings_them_back(browser: Browser, data: Any) -> None:
    explore(browser)
    first = heading(browser)
    choose(browser, "Across", "trainable")
    browser.becomes(lambda: heading(browser).partition(" on ")[0], "Score against trainable parameters")
    choose(browser, "Up", "speed")
    browser.becomes(lambda: heading(browser).partition(" on ")[0], "Training speed against trainable parameters")
    choose(browser, "Size", "none")
    choose(browser, "Colour", "type")
    chosen = {"x": "trainable", "y": "speed", "size": "none", "colour": "type"}
    browser.becomes(lambda: query(browser), chosen)
    marks, there = browser.texts("#explorer .labels text"), heading(browser)
    explore(browser, "?" + "&".join(f"{key}={value}" for key, value in chosen.items()))
    assert (heading(browser), browser.texts("#explorer .labels text")) == (there, marks)
    explore(browser)
    choose(browser, "Across", "year")
    browser.becomes(lambda: query(browser), {"x": "year"})
    browser.driver.back()
    browser.becomes(lambda: heading(browser), first)


def test_a_model_without_the_source_changes_the_source(browser: Browser) -> None:
    explore(browser)
    choose(browser, "Model", "llama-3.2-3b")
    browser.becomes(lambda: query(browser), {"source": "peft-metamathqa", "model": "llama-3.2-3b"})
    assert "as PEFT's benchmark measured them" in heading(browser)
    choose(browser, "Source", "survey")
    browser.becomes(lambda: query(browser), {})


def test_what_an_address_names_and_nobody_has_is_ignored(browser: Browser) -> None:
    explore(browser, "?source=nobody&model=%3Cscript%3E&x=y&size=1&logx=perhaps")
    first = heading(browser)
    explore(browser)
    assert heading(browser) == first


BOXES = """
const within = (selector) => [...document.querySelectorAll(selector)].map((one) => {
    const box = one.getBoundingClientRect();
    return [one.textContent, box.left, box.top, box.right, box.bottom];
});
return [within("#explorer .labels text"), within("#explorer .mark path")];
"""


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("width", [1400, 390])
def test_labels_cover_neither_each_other_nor_marks(browser: Browser, state: str, width: int) -> None:
    browser.size(width)
    explore(browser, state)
    labels, marks = browser.script(BOXES)
    assert labels
    edge = browser.script("return document.documentElement.clientWidth")

    def apart(one: list[Any], other: list[Any], slack: float) -> bool:
        return bool(one[3] <= other[1] + slack or other[3] <= one[1] + slack
                    or one[4] <= other[2] + slack or other[4] <= one[2] + slack)  # fmt: skip

    for i, label in enumerate(labels):
        assert label[1] >= 0
        assert label[3] <= edge
        assert all(apart(label, other, 2) for other in labels[i + 1 :]), label[0]
        assert all(apart(label, mark, 5) for mark in marks), label[0]


def test_every_mark_is_a_link_to_its_method(browser: Browser, data: Any, site: Path) -> None:
    explore(browser, "?source=ours&model=t5-3b")
    found = [mark.get_dom_attribute("href") for mark in browser.all(MARKS)]
    methods = {point["method"] for point in view_of(data, "ours", "t5-3b")["points"]}
    addresses = {f"{browser.address}methods/{method}/" for method in methods}
    assert set(found) <= addresses
    assert len(found) > 0.9 * len(methods)
    assert all((site / address.removeprefix(browser.address) / "index.html").is_file() for address in found)


def test_marks_by_keyboard(browser: Browser) -> None:
    from selenium.webdriver.common.keys import Keys

    explore(browser)
    (reached,) = browser.all(f"{MARKS}[tabindex='0']")
    browser.script("arguments[0].focus()", reached)
    first = reached.get_attribute("aria-label")
    tip = browser.one(".explorer-tip")
    assert first.startswith(tip.text.splitlines()[0])
    reached.send_keys(Keys.ARROW_RIGHT)
    now = browser.driver.switch_to.active_element
    assert now.get_attribute("aria-label") != first
    assert len(browser.all(f"{MARKS}[tabindex='0']")) == 1
    now.send_keys(Keys.ESCAPE)
    assert not tip.is_displayed()
    now.send_keys(Keys.HOME)
    last = browser.driver.switch_to.active_element
    assert last.get_attribute("aria-label") == first
    wanted = last.get_dom_attribute("href")
    last.send_keys(Keys.ENTER)
    browser.becomes(lambda: browser.driver.current_url, wanted)


def test_scores_in_doubt_are_hollow(browser: Browser, data: Any) -> None:
    explore(browser, "?x=memory&y=score&baseline=yes")
    view = view_of(data, **data["first"])
    doubted = {p["label"] for p, memory in zip(view["points"], values(view, "memory"), strict=True)
               if "score" in p.get("doubts", {}) and memory is not None}  # fmt: skip
    hollow = {mark.get_attribute("aria-label").partition(":")[0] for mark in browser.all(f"{MARKS}.hollow")}
    assert hollow == doubted != set()
    explore(browser, "?x=memory&y=speed")
    assert not browser.all(f"{MARKS}.hollow")


def test_the_picture_and_its_figures_are_saved(browser: Browser, data: Any) -> None:
    explore(browser, "?source=peft-metamathqa&model=llama-3.2-3b&colour=speed")
    title, view = heading(browser), view_of(data, "peft-metamathqa", "llama-3.2-3b")
    name = "explorer-peft-metamathqa-llama-3_2-3b-score-memory"
    for format in ("SVG", "PNG", "CSV"):
        browser.click(f"{TOOLS} .dropdown summary") if format == "SVG" else None
        (button,) = [one for one in browser.all(f"{TOOLS} .dropdown button") if one.text == format]
        button.click()
        content = browser.downloaded(f"{name}.{format.lower()}")
        if format == "SVG":
            root = ET.fromstring(content)
            texts = [one.text or "" for one in root.iter("{http://www.w3.org/2000/svg}text")]
            assert " ".join(texts).startswith(title)
            assert any("explorer/?" in text for text in texts)
            assert b"var(" not in content
            assert not list(root.iter("{http://www.w3.org/2000/svg}a"))
        elif format == "PNG":
            assert content.startswith(b"\x89PNG")
        else:
            rows = list(csv.DictReader(io.StringIO(content.decode(), newline="")))
            assert len(rows) == len(view["points"])
            head = "Peak memory, GB reserved (measured elsewhere)"
            assert sorted(float(row[head]) for row in rows) == sorted(
                v for v in values(view, "memory") if v is not None
            )
            assert any(row["Accuracy on GSM8K, %, low"] for row in rows)


def test_the_frontier_and_the_places_of_labels_by_themselves(browser: Browser) -> None:
    explore(browser)
    drawn = random.Random(3)
    for better_x, better_y in (("less", "more"), ("more", "more"), ("less", "less"), ("more", "less")):
        points = [[drawn.randrange(9), drawn.randrange(9)] for _ in range(25)]
        found = browser.driver.execute_async_script(
            "const [points, x, y, done] = arguments;"
            "import(new URL('../assets/js/explorer/frontier.js', location.href)).then((m) => done(m.frontier(points, x, y)))",
            points, better_x, better_y,
        )  # fmt: skip
        signs = [1 if better == "more" else -1 for better in (better_x, better_y)]
        beaten = [
            any(o != p and all(s * a >= s * b for s, a, b in zip(signs, o, p, strict=True)) for o in points)
            for p in points
        ]
        assert sorted(found) == [i for i, is_beaten in enumerate(beaten) if not is_beaten]
    ticks = browser.driver.execute_async_script(
        "const done = arguments[0];"
        "import(new URL('../assets/js/explorer/scales.js', location.href)).then(({scale, ticks, written}) => done(["
        "ticks(scale([9.3, 14.2], false, 0, 100)), ticks(scale([100, 1e9], true, 0, 100)), ticks(scale([5, 5], false, 0, 1)).length,"
        "written(5898240, 'count'), written(23592960, 'bytes'), written(999999, 'count'), written(0, 'number'), written(2021, 'year')]))"
    )
    assert ticks[0] == [10, 11, 12, 13, 14]
    assert ticks[1][0] >= 10
    assert all(value > 0 for value in ticks[1])
    assert ticks[2] >= 1
    assert ticks[3:] == ["5.9 M", "23.6 MB", "1 M", "0", "2021"]


def test_without_scripts_the_first_picture_and_all_figures_are_there(browser: Browser, data: Any) -> None:
    browser.javascript(False)
    browser.open("explorer/")
    view = view_of(data, **data["first"])
    assert browser.texts("h2")[0].startswith("Score against peak memory")
    assert browser.shown("#explorer svg.picture")
    assert len(browser.all("#explorer-points tbody tr")) == len(view["points"])
    assert not browser.shown(f"{TOOLS} select, .explorer-starts")


def test_the_picture_follows_the_width_and_keeps_the_focus(browser: Browser) -> None:
    explore(browser)
    browser.script("document.querySelector(arguments[0]).focus()", f"{MARKS}[tabindex='0']")
    named = browser.driver.switch_to.active_element.get_attribute("aria-label")
    before = browser.script("return document.querySelector('#explorer svg').clientWidth")
    browser.size(700)
    browser.wait(lambda: browser.script("return document.querySelector('#explorer svg').clientWidth") < before)
    browser.becomes(lambda: browser.driver.switch_to.active_element.get_attribute("aria-label"), named)
