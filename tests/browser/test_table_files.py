"""The table of methods as it stands, saved as a file of each kind."""

from __future__ import annotations

import csv
import io
import json
import re

from browser.harness import Browser
from browser.methods_table import TOOLS, names, opened, table


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
