"""Texts that a model of the bench writes, and their scores: as transformers writes them, and as ROUGE's authors score them."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import bench_plans
import needs
import pytest
import torch
from small_text_model import save_tokenizer
from test_bench import bench, files

from surveykit.bench.results import read_result
from surveykit.engine.bench.run import blueprint_from
from surveykit.engine.bench.scoring import written
from surveykit.engine.models.weights import load_tokenizer
from surveykit.engine.train.tasks import BatchEncoder, form_of
from surveykit.engine.train.texts import Example

LONGEST = 9
MODELS = 8
needs_rouge = pytest.mark.skipif(find_spec("rouge_score") is None, reason=needs.ROUGE)


def test_a_text_is_written_as_transformers_writes_it(tmp_path: Path) -> None:
    save_tokenizer(tmp_path)
    blueprint = blueprint_from(bench_plans.TINY_T5, "T5ForConditionalGeneration", "t5-tiny")
    instance = blueprint.build(device="cpu")
    tokenizer = load_tokenizer(tmp_path, instance)
    form = form_of(instance, BatchEncoder(tokenizer, 12), labels=None)
    texts = ["a film of praise", "the plot is a complaint and the actors are worse", "praise"]
    examples = [Example(text, "") for text in texts]
    batch = form.encoder.texts(examples)
    said = set()
    for _ in range(MODELS):
        for parameter in instance.model.parameters():
            torch.nn.init.normal_(parameter)  # else every text is one token again and again
        ids = instance.model.generate(**batch, max_new_tokens=LONGEST, do_sample=False, num_beams=1)
        expected = tokenizer.batch_decode(ids[:, 1:], skip_special_tokens=True)
        assert written(instance, form, examples, torch.device("cpu"), LONGEST) == expected
        said |= {*expected}
    assert len(said) > MODELS, "texts differ, not only models"


@needs_rouge
def test_texts_that_a_model_learned_to_write_score_more_than_those_of_one_that_did_not(tmp_path: Path) -> None:
    data = bench_plans.texts(tmp_path / "data")
    plan = bench_plans.with_texts(
        tmp_path, configurations=["full-tuning"], steps=60, batch=8, rates=[0.01, 1e-6],
        task={"metric": "rouge-l", "labels": None, "target": "sentence", "text": "say: {sentence}"},
    )  # fmt: skip
    found = bench(plan, tmp_path / "results", data=data)
    (row,) = found.rows
    assert (row.metric, row.rate, row.above_chance) == ("rouge-l", 0.01, None)
    results = [result for path in files(tmp_path / "results") if (result := read_result(path)) and result.score]
    learned = {r.rate: r.score for r in results}
    assert 0 <= learned[1e-6].develop < learned[0.01].develop <= 1
    assert row.score_low <= row.score <= row.score_high


@needs_rouge
def test_a_score_is_that_of_its_authors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the paper's own example, whose longest common subsequence is three of four words."""
    import surveykit.engine.bench.scoring as scoring

    monkeypatch.setattr(scoring, "written", lambda *_: ["police kill the gunman", "the gunman kill police"])
    examples = [Example("", "police killed the gunman")] * 2
    found = scoring.scores(None, None, None, examples, "rouge-l", 2, torch.device("cpu"), 9)  # type: ignore[arg-type]
    assert found == pytest.approx([1.0, 0.5])  # 1, since stems are compared: kill and killed are one
