"""The page that helps to choose: an answer to what is asked, and none to what makes no sense."""

from __future__ import annotations

import json

import pytest

from browser.harness import Browser

LLAMA = {
    "model_type": "llama", "hidden_size": 2560, "intermediate_size": 7000, "num_attention_heads": 20, "num_key_value_heads": 4,
    "num_hidden_layers": 30, "vocab_size": 50000, "tie_word_embeddings": False,
}  # fmt: skip


def ask(browser: Browser, name: str, value: str) -> None:
    """Change a field of the form, as typing does."""
    browser.script(
        "const all = [...document.querySelectorAll(`#choose-form [name=${arguments[0]}]`)];"
        "const field = all.find((one) => one.value === arguments[1]) ?? all[0];"
        "if (field.type === 'radio') field.checked = true; else field.value = arguments[1];"
        "field.dispatchEvent(new Event('input', { bubbles: true }));",
        name,
        value,
    )


def opened(browser: Browser, address: str = "") -> None:
    browser.open(f"choose/{address}")
    browser.wait(lambda: browser.one("#choose-answer").get_attribute("data-ready"), "an answer")


def said(browser: Browser, words: str) -> None:
    browser.wait(lambda: words in browser.one("#choose-answer").text, words)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("memory", "0", "GPU memory must be a number from 1 to 10,000."),
        ("memory", "", "GPU memory must be a number from 1 to 10,000."),
        ("batch", "2.5", "Batch must be a whole number from 1 to 1,024."),
        ("length", "7", "Length must be a whole number from 16 to 131,072."),
    ],
)
def test_input_that_makes_no_sense_clears_the_answer(browser: Browser, name: str, value: str, words: str) -> None:
    opened(browser)
    right = browser.one(f"[name={name}]").get_attribute("value")
    before = browser.one("#choose-answer").text
    ask(browser, name, value)
    said(browser, words)
    assert not browser.all(".choose-card")
    ask(browser, name, right)
    browser.wait(lambda: browser.one("#choose-answer").text == before, "the answer again")


def test_a_pasted_configuration_is_answered_or_refused(browser: Browser) -> None:
    opened(browser)
    ask(browser, "model", "own")
    said(browser, "Paste the content")
    ask(browser, "config", "{nonsense")
    said(browser, "not valid JSON")
    assert not browser.all(".choose-card")
    ask(browser, "config", json.dumps({**LLAMA, "model_type": "mixtral"}))
    said(browser, "Models of type mixtral have no formulas here")
    said(browser, "surveykit fit --model path/to/config.json")
    ask(browser, "config", json.dumps(LLAMA))
    said(browser, "Your model on 24 GB")
    assert len(browser.all(".choose-card")) == 3


def test_the_address_keeps_the_answers(browser: Browser) -> None:
    opened(browser, "#model=llama-3.1-8b&memory=80&batch=2&length=1024&precision=4&overhead=some&matters=memory")
    said(browser, "on 80 GB, batch 2, 1,024 tokens")
    assert browser.one("[name=gpu]").get_attribute("value") == "80"
    ask(browser, "matters", "disk")
    browser.wait(lambda: "matters=disk" in browser.driver.current_url, "the address")


def test_the_answer_is_one_sentence_and_its_code_one_click_away(browser: Browser) -> None:
    opened(browser, "#model=llama-3.1-8b&memory=24&batch=1&length=2048&matters=memory")
    short = browser.one(".choose-short").text
    name = browser.all(".choose-card h2 a")[0].text
    assert short.startswith(f"Start with {name}: ")
    assert short.endswith("No other needs less memory in the same setting.")
    browser.script("navigator.clipboard.writeText = async (text) => { window.copied = text; };")
    browser.all(".choose-card .copy")[0].click()
    browser.wait(lambda: browser.all(".choose-card .copy")[0].text == "Copied", "the button's word")
    assert browser.script("return window.copied") == browser.script(
        "return document.querySelector('.choose-card pre').textContent"
    )
    browser.script("navigator.clipboard.writeText = async () => { throw new Error(); };")
    browser.all(".choose-card .copy")[1].click()
    browser.wait(lambda: "select the text" in browser.all(".choose-card .copy")[1].text, "the reason")
