"""The calculator "Will it fit?": an answer to what is asked, and none to what makes no sense."""

from __future__ import annotations

import pytest

from browser.harness import Browser


def typed(browser: Browser, name: str, value: str) -> None:
    """Change a field of the form, as typing does."""
    browser.script(
        "const field = document.querySelector(`#fit-form [name=${arguments[0]}]`);"
        "field.value = arguments[1]; field.dispatchEvent(new Event('input', { bubbles: true }));",
        name,
        value,
    )


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("memory", "0", "GPU memory must be a number from 1 to 10,000."),
        ("memory", "", "GPU memory must be a number from 1 to 10,000."),
        ("batch", "-3", "Batch must be a whole number from 1 to 1,024."),
        ("batch", "2.5", "Batch must be a whole number from 1 to 1,024."),
        ("length", "7", "Input length must be a whole number from 8 to 4,096."),
    ],
)
def test_input_that_makes_no_sense_clears_the_answer(browser: Browser, name: str, value: str, said: str) -> None:
    browser.open("fit/")
    right = browser.one(f"#fit-form [name={name}]").get_attribute("value")
    answer, rows = browser.one("#fit-answer").text, len(browser.all("#fit-rows tr"))
    assert rows
    typed(browser, name, value)
    assert browser.one("#fit-answer").text == f"No answer. {said}"
    assert not browser.all("#fit-rows tr")
    typed(browser, name, right)
    assert browser.one("#fit-answer").text == answer
    assert len(browser.all("#fit-rows tr")) == rows


def test_an_address_that_makes_no_sense_gets_no_answer(browser: Browser) -> None:
    browser.open("fit/#model=t5-3b&memory=24&batch=-3&length=512")
    assert browser.one("#fit-answer").text == "No answer. Batch must be a whole number from 1 to 1,024."
    assert browser.one("#fit-form [name=batch]").get_attribute("value") == "-3"
    assert not browser.all("#fit-rows tr")


def test_no_row_fits_beside_a_printed_figure_above_the_memory(browser: Browser) -> None:
    browser.open("fit/#model=t5-11b&memory=30&batch=1&length=256&dtype=bfloat16&merge=0")
    rows = [[cell.text for cell in row.find_elements("css selector", "td")] for row in browser.all("#fit-rows tr")]
    printed = {cells[0].split("\n")[1]: (cells[1], float(cells[8])) for cells in rows if cells[8] != "–"}
    assert printed["krona/qv"] == ("tight", 33.2)
    assert not {name for name, (standing, gb) in printed.items() if standing == "fits" and gb > 30}
    assert "krona/qv 26.21 GB predicted, 33.2 GB printed at batch 1" in browser.one("#fit-answer").text


def test_a_doubtful_score_says_so_beside_it(browser: Browser) -> None:
    browser.open("fit/#model=t5-3b&memory=80&batch=1&length=256&dtype=bfloat16&merge=0")
    (ia3,) = [row for row in browser.all("#fit-rows tr") if "ia3/kv-ff" in row.text]
    score = ia3.find_elements("css selector", "td")[7].text
    assert score.startswith("41.8")
    assert "doubtful: not above a constant prediction on COPA, RTE" in score
    assert "the mean is 66.5" in score
