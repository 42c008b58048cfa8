"""Pretrained weights that a package ships: MiniLM, all-MiniLM-L6-v2. Runs where SURVEYKIT_REAL_WEIGHTS names its folder."""

from __future__ import annotations

import json
import os
from pathlib import Path

import needs
import pytest
import torch
from conftest import CATALOG
from peft import LoraConfig, get_peft_model
from safetensors import safe_open
from torch.nn import functional

from surveykit.catalog.selection import selected_recipes
from surveykit.cli import main
from surveykit.engine import Attached
from surveykit.engine.models.weights import Loaded, load_tokenizer, load_weights
from surveykit.engine.train.objectives import Classified

VARIABLE = "SURVEYKIT_REAL_WEIGHTS"
FOLDER = Path(os.environ.get(VARIABLE, ""))
pytestmark = pytest.mark.skipif(VARIABLE not in os.environ, reason=needs.REAL_WEIGHTS)

PARAMETERS, BIASES, POOLER_BIAS, BUFFER = 22_713_216, 26_112, 384, 512


@pytest.fixture
def loaded() -> Loaded:
    return load_weights(FOLDER)


def test_the_file_is_the_model_and_a_buffer(loaded: Loaded) -> None:
    with safe_open(FOLDER / "model.safetensors", framework="pt") as opened:
        shapes = [opened.get_slice(name).get_shape() for name in opened.keys()]  # noqa: SIM118 (it is no mapping)
    assert len(shapes) == 104
    assert sum(torch.Size(shape).numel() for shape in shapes) == PARAMETERS + BUFFER
    assert loaded.instance.parameters == PARAMETERS
    assert "position_ids" in loaded.notes[0]


def test_the_weights_are_trained(loaded: Loaded) -> None:
    tokenizer = load_tokenizer(FOLDER, loaded.instance)
    texts = ["A man is playing a guitar.", "Someone plays the guitar.", "The stock market fell today."]
    batch = tokenizer(texts, padding=True, return_tensors="pt")
    mask = batch["attention_mask"]
    with torch.no_grad():
        states = loaded.instance.model(input_ids=batch["input_ids"], attention_mask=mask).last_hidden_state
    mean = (states * mask[..., None]).sum(dim=1) / mask.sum(dim=1, keepdim=True)
    paraphrase, unrelated = functional.cosine_similarity(mean[:1], mean[1:])
    assert paraphrase > 0.8
    assert unrelated < 0.2
    objective = Classified(384, 2)
    answer = objective.answer(loaded.instance.model, {**batch, "labels": torch.tensor([0, 1, 0])})
    torch.testing.assert_close(answer.scores, objective.head(mean))


def test_trials_are_what_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    methods = ["bitfit/native", "lora", "ia3", "dora", "adapters"]
    assert main(["count", *methods, "--model", str(FOLDER), "--format", "json"]) == 0
    counted = {row["configuration"]: row for row in json.loads(capsys.readouterr().out)}
    words = ["--steps", "3", "--batch", "4", "--format", "json", "--quiet"]
    assert main(["trial", *methods, "--model", str(FOLDER), *words]) == 0
    _, *rows = json.loads(capsys.readouterr().out)
    assert {row["configuration"] for row in rows} == set(counted)
    for row in rows:
        expected = counted[row["configuration"]]
        assert row["trainable"] == expected["trainable"]
        assert row["can_change"] == expected["changed"]
        assert row["stored_bytes"] == expected["stored_bytes"]
        assert row["changed"] >= 0.99 * expected["changed"]
    assert rows[0]["trainable"] == BIASES - POOLER_BIAS


def test_outputs_of_lora_equal_those_of_peft(loaded: Loaded) -> None:
    instance = loaded.instance
    ids = torch.randint(1000, 20000, (2, 9), generator=torch.Generator().manual_seed(2))
    ((_, recipe),) = selected_recipes(CATALOG, ["lora"])
    names = {id(module): name for name, module in instance.model.named_modules()}
    edit = recipe.stages[-1].edits[0]
    config = LoraConfig(r=edit.rank, lora_alpha=edit.alpha, target_modules=["query", "value"])  # type: ignore[attr-defined]
    theirs = get_peft_model(load_weights(FOLDER).instance.model, config).eval()
    generator = torch.Generator().manual_seed(11)
    attached = Attached(instance, recipe.stages[-1])
    with torch.no_grad():
        bare = theirs.get_base_model()(ids).last_hidden_state
        for placed in attached.placed:
            layer = theirs.get_submodule(f"base_model.model.{names[id(placed.slot.module)]}")
            up = layer.lora_B["default"].weight
            up.copy_(torch.randn(up.shape, generator=generator) * 0.1)
            placed.part.get_parameter("down").copy_(layer.lora_A["default"].weight)
            placed.part.get_parameter("up").copy_(up)
        wanted = theirs(ids).last_hidden_state
        assert float((wanted - bare).abs().max()) > 0.1
        torch.testing.assert_close(instance.model(ids).last_hidden_state, wanted, rtol=1e-4, atol=1e-4)
        attached.merge()
        merged = theirs.merge_and_unload()
        torch.testing.assert_close(
            instance.model(ids).last_hidden_state, merged(ids).last_hidden_state, rtol=1e-4, atol=1e-4
        )
    for ours, other in zip(instance.model.parameters(), merged.parameters(), strict=True):
        torch.testing.assert_close(ours, other, rtol=1e-5, atol=1e-6)
