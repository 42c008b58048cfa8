"""What somebody comes with who was never here: a question, and as few clicks as it takes."""

from __future__ import annotations

from typing import Any

from browser.harness import Browser

ROW = "#fit-rows tr:has(td:first-child code)"


def click(browser: Browser, link: Any) -> None:
    before = browser.driver.current_url
    browser.script("arguments[0].scrollIntoView({block: 'center'})", link)
    link.click()
    browser.wait(lambda: browser.driver.current_url != before, "the page behind a link")
    browser.settled()


def row(browser: Browser) -> Any:
    """The row of LoRA's default in the answer."""
    (found,) = [one for one in browser.all(ROW) if one.find_element("css selector", "code").text == "lora/qv-r8"]
    return found


def test_a_gpu_of_24_gb_a_t5_of_3b_and_no_inference_overhead(browser: Browser) -> None:
    """What do I use, and why? One click to the answer, and one from each of its figures to the evidence."""
    browser.open("")
    (way,) = [link for link in browser.shown(".way a") if link.text == "Choose"]
    click(browser, way)
    assert browser.one("#fit-form [name=model]").get_attribute("value") == "t5-3b"
    assert browser.one("#fit-form [name=memory]").get_attribute("value") == "24"
    assert browser.one("#fit-form [name=merge]").is_selected()
    answer = browser.one("#fit-answer").text
    for word in ("T5-3B", "LoRA", "24.00 GB", "no inference overhead once merged", "score"):
        assert word in answer

    cells = [cell.text for cell in row(browser).find_elements("css selector", "td")]
    assert int(cells[3]) >= 1  # the largest batch that fits
    for column, place, shown in (
        (1, "methods/lora/", "Hugging Face PEFT"),
        (5, "methods/lora/#configurations", "5,898,240"),
        (7, "methods/lora/#costs", "What it costs"),
        (8, "survey/table-4/", "75.49"),
        (9, "survey/memory/", cells[8]),
        (10, "survey/tables-1-2/", "LoRa"),
    ):
        (link,) = row(browser).find_elements("css selector", f"td:nth-child({column}) a")
        click(browser, link)
        assert browser.driver.current_url == browser.address + place
        assert shown in browser.one("article").text, place
        browser.driver.back()
        browser.wait(lambda: browser.all(ROW), "the answer again")
        browser.settled()
