"""The table of methods as it stands, saved as a file of each kind."""

from __future__ import annotations

import csv
import io
import json
import re

from browser.harness import Browser
from browser.methods_table import names, press, query, table


def save(browser: Browser, name: str) -> None:
    press(browser, name)


VIEW = "?type=R&source=both&sort=-trainable&columns=type,ram,trainable"


def test_the_view_as_csv_and_json(browser: Browser) -> None:
    table(browser, VIEW)
    shown = names(browser)
    save(browser, "CSV")
    head, *rows = csv.reader(io.StringIO(browser.downloaded("methods.csv").decode()))
    assert head == ["Method", "Type", "Trainable, %, claimed", "Trainable, %, measured on T5-Large", "Saves memory, claimed",
                    "Saves memory, measured on T5-Large"]  # fmt: skip
    assert [row[0] for row in rows] == shown
    save(browser, "JSON")
    records = json.loads(browser.downloaded("methods.json"))
    assert [record["name"] for record in records] == shown
    assert {record["type"] for record in records} == {"R"}
    lora = next(record for record in records if record["name"] == "LoRA")
    assert lora["trainable_claimed"] == 0.5
    assert 0.31 < lora["trainable_measured"] < 0.33


def test_the_view_as_markdown_and_latex(browser: Browser) -> None:
    table(browser, VIEW)
    shown = names(browser)
    save(browser, "Markdown")
    lines = browser.downloaded("methods.md").decode().splitlines()
    assert lines[0].count("|") == 7
    assert lines[1] == "| :--- | :--- | ---: | ---: | :--- | :--- |"
    assert [line.split(" | ")[0].removeprefix("| ") for line in lines[2:-2]] == shown
    assert "T5-Large" in lines[-1]
    save(browser, "LaTeX")
    tex = browser.downloaded("methods.tex").decode().splitlines()
    assert "T5-Large" in tex[3]
    assert tex[4] == r"\begin{tabular}{llrrll}"
    body = tex[tex.index(r"\midrule") + 1 : tex.index(r"\bottomrule")]
    assert [line.split(" & ")[0] for line in body] == shown
    assert all(line.endswith(r" \\") for line in body)
    assert not re.search(r"(?<!\\)[%#_$]", "\n".join(tex[1:]))


def test_what_is_ticked_is_what_is_saved_and_on_the_model_that_is_picked(browser: Browser) -> None:
    table(browser, "?columns=trainable&model=t5-3b")
    for name in ("LoRA", "KronA"):
        browser.click(f"[aria-label='Choose {name} to compare']")
    browser.becomes(lambda: query(browser).get("m"), "lora,krona")
    save(browser, "CSV")
    head, *rows = csv.reader(io.StringIO(browser.downloaded("methods.csv").decode()))
    assert head == ["Method", "Trainable, %, claimed", "Trainable, %, measured on T5-3B"]
    assert {row[0] for row in rows} == {"LoRA", "KronA"}
    assert {row[0]: row[2] for row in rows}["LoRA"] == "0.207"


def test_four_methods_and_their_table_in_latex_are_five_clicks(browser: Browser) -> None:
    table(browser)
    for name in ("LoRA", "KronA", "(IA)³", "BitFit"):
        browser.click(f"[aria-label='Choose {name} to compare']")
    save(browser, "LaTeX")
    tex = browser.downloaded("methods.tex").decode().splitlines()
    body = tex[tex.index(r"\midrule") + 1 : tex.index(r"\bottomrule")]
    assert {line.split(" & ")[0] for line in body} == {"LoRA", "KronA", "(IA)$^3$", "BitFit"}


def test_a_picture_of_the_view(browser: Browser) -> None:
    table(browser, "?columns=trainable&m=lora,krona")
    save(browser, "PNG")
    picture = browser.downloaded("methods.png")
    assert picture.startswith(b"\x89PNG")
    width, height = (int.from_bytes(picture[at : at + 4]) for at in (16, 20))
    assert width > 500
    assert height > 100
