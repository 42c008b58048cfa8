"""Nine things that readers come for, from the first page, in as few clicks as the site promises.

A click is a press of a link or a button that is shown, or a field that is written into. Answers are compared with the
database; where a page explains or draws, with the sentence and the figures that a reader looks for.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import needs
import pytest
import torch
import transformers
from test_fit_code import run

from browser.harness import Browser
from browser.methods_table import names
from browser.test_sql import DIST

PRESSED = ":is(a, button, summary)"
ON_SCREEN = """
return [...document.querySelectorAll("article :is(h1, h2, p, td)")].some((one) => {
    const box = one.getBoundingClientRect();
    return one.innerText.includes(arguments[0]) && one.checkVisibility() && box.top >= 0 && box.bottom <= innerHeight;
})"""


class Reader:
    """Somebody on the first page who was never here."""

    def __init__(self, browser: Browser) -> None:
        self.browser = browser
        self.clicks = 0
        browser.size(1400, 900)
        browser.open("")

    def press(self, words: str, within: str = "") -> None:
        """The first link or button that is shown and says these words; a link is followed."""
        shown = self.browser.wait(
            lambda: [one for one in self.browser.shown(f"{within} {PRESSED}") if " ".join(one.text.split()) == words],
            f"something to press that says {words}",
        )
        before, link = self.browser.driver.current_url, shown[0].get_attribute("href")
        self.browser.script("arguments[0].scrollIntoView({block: 'center'})", shown[0])
        shown[0].click()
        self.clicks += 1
        if link:
            self.browser.wait(lambda: self.browser.driver.current_url != before, f"the page behind {words}")
            self.browser.settled()

    def type(self, words: str, name: str) -> None:
        """Into a field, which is clicked first, with the key for a new line."""
        self.browser.one(f"[aria-label='{name}']").send_keys(f"{words}\n")
        self.clicks += 1

    def sees(self, words: str) -> None:
        """On the screen, without scrolling."""
        self.browser.becomes(lambda: self.browser.script(ON_SCREEN, words), True)


@pytest.fixture
def reader(browser: Browser) -> Reader:
    return Reader(browser)


def asked(database: Path, sql: str) -> list[Any]:
    """The first column of what the database says."""
    with duckdb.connect(str(database), read_only=True) as connection:
        return [row[0] for row in connection.execute(sql).fetchall()]


@pytest.mark.filterwarnings("ignore")
def test_what_fits_llama_8b_on_24_gb_at_2048_tokens_and_costs_nothing_at_inference(
    reader: Reader, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    reader.press("Choose", ".way")
    browser = reader.browser
    browser.wait(lambda: browser.one("#choose-answer").get_attribute("data-ready"), "an answer")
    assert reader.clicks == 1
    asked_for = {name: browser.one(f"[name={name}]").get_attribute("value") for name in ("model", "memory", "length")}
    assert asked_for == {"model": "llama-3.1-8b", "memory": "24", "length": "2048"}
    cards = browser.all(".choose-card")
    assert [card.find_element("css selector", "h2 .outcome").text for card in cards] == ["fits"] * 3
    assert all("At inference, once merged\nnone" in card.text for card in cards)
    assert cards[0].text.startswith("LoRA")
    made = run(cards[0].find_element("css selector", "pre").text, monkeypatch)  # with a small model in its place
    assert made["loaded"]["name"] == "meta-llama/Llama-3.1-8B"
    monkeypatch.chdir(tmp_path)
    made["arguments"].max_steps = 1
    texts = [{"input_ids": torch.arange(9), "labels": torch.arange(9)}]
    trained = transformers.Trainer(made["model"], made["arguments"], train_dataset=texts).train()
    assert trained.global_step == 1
    moved = {name for name, value in made["model"].named_parameters() if "lora_B" in name and value.any()}
    assert moved, "factors that start at zero"


def test_is_the_count_of_lora_on_t5_3b_right(reader: Reader) -> None:
    reader.press("Is a printed count right? Table 5, checked")
    reader.press("fits another setup", "td:has(> [href*='lora-q-and-v-t5-3b'])")
    assert reader.clicks == 2
    reader.sees(
        "trains 5.90 M on T5-3B. The printed 3.93 M matches the count of the same rank on two of the three kinds"
    )


def test_which_methods_train_below_a_thousandth_and_save_memory(reader: Reader, database: Path) -> None:
    reader.press("Methods")
    reader.press("Trains below 0.1 %")
    reader.press("Saves memory (below 90 %)")
    assert reader.clicks == 3
    wanted = asked(database, "SELECT name FROM methods WHERE trainable_percent_measured < 0.1 AND ram_ratio < 0.9")
    assert wanted
    reader.browser.becomes(lambda: set(names(reader.browser)), set(wanted))


def test_four_methods_are_compared_and_saved_as_latex(reader: Reader) -> None:
    reader.press("Compare methods, for LaTeX")
    reader.type("lora, dora, vera, krona", "Add a method")
    reader.press("LaTeX")
    assert reader.clicks == 3
    table = reader.browser.downloaded("comparison.tex").decode()
    assert "\nProperty & LoRA & DoRA & VeRA & KronA \\\\\n" in table


def test_parameters_memory_speed_and_score_on_t5_3b_in_one_picture(reader: Reader) -> None:
    reader.press("Explorer", ".way")
    reader.press("Parameters, memory, speed and score on T5-3B")
    assert reader.clicks == 2
    reader.sees("Score against peak memory on T5-3B")
    told = [mark.get_attribute("aria-label") for mark in reader.browser.all("#explorer .mark")]
    (lora,) = [label for label in told if label.startswith("LoRa (q and v)")]
    for figure in ("peak memory 9.6 GB", "score 75.5", "trainable parameters 3.93 M", "training speed 103"):
        assert figure in lora  # as Table 5 prints them, and as Appendix B gives the mean


def test_the_three_weightiest_findings_are_on_the_first_screen(reader: Reader, database: Path) -> None:
    for headline in asked(database, "SELECT headline FROM finding ORDER BY weight DESC LIMIT 3"):
        reader.sees(headline)
    assert reader.clicks == 0


def test_a_figure_is_cited(reader: Reader, database: Path) -> None:
    (headline,) = asked(database, "SELECT headline FROM finding ORDER BY weight DESC LIMIT 1")
    reader.press(headline)
    place = reader.browser.driver.current_url.partition("#")[2]
    reader.press("Cite", f"#{place} ~ p.foot")
    assert reader.clicks == 2
    entry = reader.browser.one("#cite-page pre").text
    assert entry.startswith("@misc{surveykit-findings-")
    assert f"#{place}}}," in entry.replace("\\", "")


@pytest.mark.skipif(not (DIST / "engine.json").is_file(), reason=needs.SQL_ENGINE)
def test_mean_scores_on_t5_11b_by_an_example_in_sql(reader: Reader, database: Path) -> None:
    reader.press("Ask in SQL")
    reader.press("What is each method's mean score on T5-11B, and which are in doubt?")
    assert reader.clicks == 2
    by_data_set = "SELECT method, avg(score) AS mean FROM appendix_b WHERE backbone = 't5-11b' GROUP BY method, dataset"
    mean = "method || ' ' || round(avg(mean), 1)"
    wanted = asked(database, f"SELECT {mean} FROM ({by_data_set}) GROUP BY method HAVING avg(mean) IS NOT NULL")
    rows = "return [...document.querySelectorAll('#sql-result tbody tr')].map((row) => [row.cells[0], row.cells[1]].map((c) => c.textContent).join(' '))"
    reader.browser.becomes(lambda: sorted(reader.browser.script(rows)), sorted(wanted))


def test_what_is_new_since_the_survey(reader: Reader, database: Path) -> None:
    reader.press("New since the survey")
    assert reader.clicks == 1
    wanted = asked(database, "SELECT name FROM methods WHERE after_survey")
    assert sorted(reader.browser.texts("article td:first-child > strong")) == sorted(wanted)
    reader.sees("The newest come first")
