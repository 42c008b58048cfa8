"""What somebody comes with who was never here: a question, and as few clicks as it takes."""

from __future__ import annotations

from typing import Any

from browser.harness import Browser


def click(browser: Browser, link: Any) -> None:
    before = browser.driver.current_url
    browser.script("arguments[0].scrollIntoView({block: 'center'})", link)
    link.click()
    browser.wait(lambda: browser.driver.current_url != before, "the page behind a link")
    browser.settled()


def test_a_gpu_of_24_gb_llama_8b_and_no_inference_overhead(browser: Browser) -> None:
    """What do I use, and why? One click to the answer, which is that to this very question."""
    browser.open("")
    (way,) = [link for link in browser.shown(".way a") if link.text == "Choose"]
    click(browser, way)
    browser.wait(lambda: browser.one("#choose-answer").get_attribute("data-ready"), "an answer")
    assert browser.one("[name=model]").get_attribute("value") == "llama-3.1-8b"
    assert browser.one("[name=memory]").get_attribute("value") == "24"
    cards = browser.all(".choose-card")
    assert len(cards) == 3
    first = cards[0].text
    for word in (
        "LoRA",
        "fits",
        "gradient checkpointing",
        "nothing" if "nothing" in first else "none",
        "LoraConfig",
        "CAUSAL_LM",
        "q_proj",
    ):
        assert word in first, word
    click(browser, cards[0].find_element("css selector", "h2 a"))
    assert browser.driver.current_url.startswith(browser.address + "methods/")
