"""Models that people use, by their public dimensions: counts equal those that others published, or that PEFT gives.

`configurations/` has their config.json files, as far as dimensions go. `commands.csv` has commands and what they must
print, with where that number is from. `fits.csv` has peaks of memory that others measured, each in its setting. `models.csv`
has parameters as published, counts of LoRA at rank 8 on query and value and on all linear layers (from PEFT 0.21.2 with the
modules named; where query and value are parts of one matrix, by their shapes), and of norms (the sum over the modules of
transformers 5.23).
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


def words(case: dict[str, str]) -> list[str]:
    return [at(word[1:]) if word.startswith("@") else word for word in shlex.split(case["command"])]


@pytest.mark.parametrize("case", rows("commands"))
def test_a_command_prints_the_number_that_others_have(case: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words(case), "--format", "json"]) == 0
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


@pytest.mark.parametrize("case", rows("fits"))
def test_what_others_trained_on_a_gpu_is_not_refused_in_their_setting(
    case: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """What they measured is what the allocator reserved, which is more than what is allocated."""
    assert main([*words(case), "--format", "json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["standing"] in ("fits", "tight")
    assert 0.87 * float(case["peak_gb"]) < row["peak_bytes"] / 1e9 < 1.03 * float(case["peak_gb"])


def test_a_model_whose_positions_are_rotated_reads_longer_texts(capsys: pytest.CaptureFixture[str]) -> None:
    fit = ["fit", "--gpu-memory", "80GB", "--batch", "1", "--length", "8192", "--methods", "lora"]
    assert main([*fit, "--model", at("tinyllama-1.1b"), "--format", "json"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)[0]["peak_bytes"]
    assert "2048 positions" in said.err


def test_bits_that_a_configuration_says_are_those_of_the_weights(capsys: pytest.CaptureFixture[str]) -> None:
    fit = ["fit", "--gpu-memory", "24GB", "--batch", "1", "--length", "512", "--methods", "lora"]
    assert main([*fit, "--model", at("llama-2-7b-bnb4bit"), "--format", "json"]) == 0
    said = capsys.readouterr()
    assert round(json.loads(said.out)[0]["weights_bytes"] / 1e9) == 4
    assert "quantization_config" in said.err


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("fit --model bert-base --gpu-memory 24GB --batch 8 --length 1024 --methods lora full-tuning", "512 positions"),
        ("fit --model @llama-2-7b --gpu-memory 24GB --batch 1 --length 512 --methods bitfit/native --merge", "nothing"),
    ],
)
def test_a_method_that_cannot_be_trained_is_refused_with_the_reason(
    command: str, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words({"command": command})) == 1
    said = capsys.readouterr()
    assert reason in said.out + said.err
    assert "First in the ranking" not in said.out + said.err
    assert "overhead" not in said.out + said.err


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
