"""Models that people use, by their public dimensions: counts equal those that others published, or that PEFT gives.

`configurations/` has their config.json files, as far as dimensions go. `commands.csv` has commands and what they must
print, with where that number is from. `models.csv` has parameters as published, and counts of LoRA at rank 8 on query and
value and on all linear layers (from PEFT 0.21.2 with the modules named; where query and value are parts of one matrix, by
their shapes) and of norms (the sum over the modules of transformers 5.23).
"""

from __future__ import annotations

import csv
import json
import shlex
from typing import Any

import pytest
from conftest import ROOT

from surveykit.catalog.load import Catalog
from surveykit.cli import main
from surveykit.engine import count, instance_of
from surveykit.recipes import Recipe

CONFIGURATIONS = ROOT / "tests" / "configurations"


def rows(name: str) -> list[Any]:
    with (CONFIGURATIONS / f"{name}.csv").open(newline="") as file:
        return [pytest.param(row, id=row["id"]) for row in csv.DictReader(file)]


def at(model: str) -> str:
    return str(CONFIGURATIONS / f"{model}.json")


@pytest.mark.parametrize("case", rows("commands"))
def test_a_command_prints_the_number_that_others_have(
    case: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    words = [at(word[1:]) if word.startswith("@") else word for word in shlex.split(case["command"])]
    assert main([*words, "--format", "json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["trainable"] == int(case["trainable"]), case["right_by"]


LINEAR = {"kind": "low_rank", "where": {"roles": ["linear"]}, "rank": 8, "alpha": 8.0, "gate": "none"}


@pytest.mark.parametrize("model", rows("models"))
def test_a_model_is_counted_as_published_and_as_peft_counts_it(model: dict[str, str], catalog: Catalog) -> None:
    instance = instance_of(at(model["id"]))
    stage = {"name": "fine_tuning", "scope": "task", "edits": [LINEAR], "train": []}
    recipes = {
        "query_value": catalog.recipe("lora/qv-r8"),
        "all_linear": Recipe.model_validate_json(json.dumps({"stages": [stage]})),
        "norms": catalog.recipe("ln-tuning/norms"),
    }
    found = {"parameters": instance.parameters}
    found |= {name: count(recipe, instance).trainable for name, recipe in recipes.items() if model[name]}
    assert found == {name: int(number) for name, number in model.items() if name != "id" and number}


@pytest.mark.parametrize("model", ["mamba-130m", "rwkv-4-169m"])
def test_a_model_without_attention_says_so(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["count", "lora", "--model", at(model), "--format", "json"]) == 1
    (row,) = json.loads(capsys.readouterr().out)
    assert row["trainable"] is None
    assert "no query" in row["reason"]


def test_an_adapter_without_its_model_is_named_as_what_it_is(tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    adapter = {"peft_type": "LORA", "base_model_name_or_path": "meta-llama/Llama-2-7b-hf", "r": 16}
    (tmp_path / "adapter_config.json").write_text(json.dumps(adapter))
    assert main(["count", "lora", "--model", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert "adapter_config.json" in said
    assert "meta-llama/Llama-2-7b-hf" in said
    assert "no file or folder" not in said


def test_positions_that_a_prompt_takes_are_counted_in_the_length(capsys: pytest.CaptureFixture[str]) -> None:
    """512 of the text and 100 of the prompt are more than BERT has positions for."""
    assert main(["measure", "prompt-tuning", "--model", "bert-base", "--length", "512", "--format", "json"]) == 1
    (row,) = json.loads(capsys.readouterr().out)
    assert "512 positions" in row["reason"]
    assert "612" in row["reason"]
