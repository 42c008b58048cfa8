"""The page "Will it fit?": its figures, its words, and its script, which says what Python says."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import needs
import pytest
from conftest import ROOT

from surveykit.catalog.load import Catalog
from surveykit.database.reading import Reader, reading
from surveykit.fit import words
from surveykit.fit.accuracy import Accuracy, At
from surveykit.fit.evidence import table5_error
from surveykit.fit.predict import chosen
from surveykit.fit.ranking import rank
from surveykit.fit.recorded import recorded
from surveykit.site.inputs import found
from surveykit.site.pages.fit import fit_context, question_of, row_html
from surveykit.site.rendering import _page


@pytest.fixture(scope="module")
def reader(database: Path) -> Iterator[Reader]:
    with reading(database) as opened:
        yield opened


ACCURACY = Accuracy(
    date=date(2020, 2, 2), torch="9.8", transformers="7.6", least_gb=1.0,
    settings=(
        At.of("t5-small", 1, 64, [("ipt/x", -17.04), ("lora/qv-r8", 0.5)]),
        At.of("t5-3b", 20, 1024, [("lora/qv-r8", 6.26), ("ia3/kv-ff", -0.1), ("ipt/x", 0.24), ("spot/x", 4.99)]),
    ),
)  # fmt: skip


def test_errors_are_summed_up_by_setting_and_over_all() -> None:
    small, large = ACCURACY.settings
    assert (small.figures, small.mean_percent, small.below_limit) == (2, 8.77, 1)
    assert (large.largest_percent, large.largest_of, large.below_limit) == (6.26, "lora/qv-r8", 3)
    assert ACCURACY.figures == 6
    assert ACCURACY.mean_percent == pytest.approx((17.04 + 0.5 + 6.26 + 0.1 + 0.24 + 4.99) / 6, abs=0.001)
    assert ACCURACY.below_limit_percent == pytest.approx(100 * 4 / 6)
    assert ACCURACY.largest(range(1, 2)) == small
    assert ACCURACY.largest(range(2, 100)) == large
    assert ACCURACY.largest(range(2, 10)) is None


def test_the_page_says_what_the_file_of_errors_says(reader: Reader) -> None:
    def section(accuracy: Accuracy | None) -> str:
        page = _page("fit.md", "fit", fit_context(reader, accuracy), "Will it fit?")
        return " ".join(str(page.content).partition("{ #scaling }")[2].split())

    said = section(ACCURACY)
    assert "6 peaks of the default configurations were traced on T5-Small and T5-3B at 2 settings" in said
    assert "(batches of 1 to 20, lengths of 64 to 1024)" in said
    assert "off by 4.9 % in the mean, and by less than 5 % in 67 % of them" in said
    assert "The largest error from batch 2 on is 6.3 % (lora/qv-r8 on T5-3B)." in said
    assert "At batch 1 it is 17.0 % (ipt/x on T5-Small)." in said
    assert "Measured on 2020-02-02 with torch 9.8 and transformers 7.6" in said
    assert "has not been measured" in section(None)


def test_the_errors_at_hand_are_of_this_catalog(catalog: Catalog) -> None:
    at_hand = found(ROOT).accuracy
    assert at_hand is not None
    assert {at.backbone for at in at_hand.settings} <= set(catalog.models)
    defaults = set(chosen(catalog, None, every=False))
    assert {at.largest_of for at in at_hand.settings} <= defaults
    for at in at_hand.settings:
        assert at.figures <= 2 * len(defaults)
        assert at.mean_percent <= at.largest_percent
    from_two = at_hand.largest(range(2, 10**6))
    assert from_two is not None
    assert from_two.largest_percent < 17
    assert at_hand.mean_percent < 1


NODE = shutil.which("node")
COMPARE = """
const fit = require(process.argv[1]);
const { data, settings } = JSON.parse(require("fs").readFileSync(0, "utf8"));
console.log(JSON.stringify(settings.map((setting) => {
  const answer = fit.rank(data, setting);
  return { rows: fit.rows(answer, data), sentences: fit.sentences(answer), again: fit.read(fit.written(setting), data) };
})));
"""


@pytest.mark.skipif(NODE is None, reason=needs.NODE)
def test_the_script_says_what_python_says(reader: Reader) -> None:
    settings = [
        {"model": model, "memory": memory, "batch": batch, "length": length, "dtype": dtype, "merge": merge}
        for model, memory, batch, length in [("t5-3b", 24, 8, 512), ("t5-small", 1, 64, 128), ("t5-11b", 80, 1, 1000), ("t5-11b", 30, 1, 256), ("t5-large", 2, 1, 64)]
        for dtype, merge in [("bfloat16", True), ("float32", False)]
    ]  # fmt: skip
    data = json.loads(fit_context(reader)["data"])
    script = str(ROOT / "site" / "docs" / "assets" / "fit.js")
    asked = json.dumps({"data": data, "settings": settings})
    run = subprocess.run([str(NODE), "-e", COMPARE, script], input=asked, capture_output=True, text=True, check=True)
    for setting, said in zip(settings, json.loads(run.stdout), strict=True):
        assert said["again"] == {"setting": setting, "faults": []}
        parameters = reader.one("SELECT parameters FROM backbone WHERE id = ?", setting["model"]).parameters
        question = question_of(setting, table5_error(reader, parameters))
        choices = rank((row.at(question) for row in recorded(reader, setting["model"])), question)
        rows = [str(row_html(choice, question)) for choice in choices]
        assert said["rows"].splitlines() == [re.sub(r'href="([^"#]*)\.md', r'href="../\1/', row) for row in rows]
        expected = [words.headline(choices, question), *words.advice(choices, question)]
        assert said["sentences"] == [*expected, words.setting(question), words.margin(question)]


READ = """
const fit = require(process.argv[1]);
const { data, given } = JSON.parse(require("fs").readFileSync(0, "utf8"));
console.log(JSON.stringify(given.map((text) => fit.read(text, data).faults)));
"""


@pytest.mark.skipif(NODE is None, reason=needs.NODE)
def test_the_script_answers_no_question_that_makes_no_sense(reader: Reader) -> None:
    data = json.loads(fit_context(reader)["data"])
    given = {
        "memory=24&batch=8&length=512": [],
        "merge=0": [],
        "memory=0": ["GPU memory must be a number from 1 to 10,000."],
        "memory=": ["GPU memory must be a number from 1 to 10,000."],
        "memory=1e9": ["GPU memory must be a number from 1 to 10,000."],
        "batch=-3": ["Batch must be a whole number from 1 to 1,024."],
        "batch=1.5&length=x": ["Batch must be a whole number from 1 to 1,024.", "Input length must be a whole number from 8 to 4,096."],
        "model=gpt-5": ["There is no such backbone here: gpt-5."],
        "dtype=int8": ["There are no such numbers here: int8."],
    }  # fmt: skip
    script = str(ROOT / "site" / "docs" / "assets" / "fit.js")
    asked = json.dumps({"data": data, "given": list(given)})
    run = subprocess.run([str(NODE), "-e", READ, script], input=asked, capture_output=True, text=True, check=True)
    assert dict(zip(given, json.loads(run.stdout), strict=True)) == given


def test_the_script_is_small_and_stands_alone() -> None:
    text = (ROOT / "site" / "docs" / "assets" / "fit.js").read_text(encoding="utf-8")
    assert len(text.encode()) < 20_000
    assert "import " not in text
    assert "fetch(" not in text
    assert "http" not in text


def test_the_page_answers_its_question_without_a_script(reader: Reader) -> None:
    context = fit_context(reader)
    rows = str(context["parts"]["rows"])
    assert context["example"] == {
        "model": "t5-3b",
        "memory": 24,
        "batch": 8,
        "length": 512,
        "dtype": "bfloat16",
        "merge": True,
    }
    assert "lora/qv-r8" in rows
    assert "adapters/rf16" not in rows
    assert any("LoRA (lora/qv-r8)" in sentence and "score 75.5 on T5-3B" in sentence for sentence in context["advice"])
    assert "<" not in context["data"]
