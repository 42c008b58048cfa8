"""Where PEFT's own default targets are others than ours, `count` says so: with the number that PEFT itself gives."""

from __future__ import annotations

import copy
import re
from typing import Any

import peft
import pytest
import torch
from benchmark_scripts import script
from conftest import ROOT

import surveykit
from surveykit.catalog.load import Catalog
from surveykit.cli import main
from surveykit.engine import count, instance_of
from surveykit.engine.peft_defaults import METHODS, beside_peft, peft_defaults
from surveykit.errors import RecipeError

CONFIGURATIONS = ROOT / "tests" / "configurations"
THEIRS: dict[str, Any] = {
    "lora/qv-r8": lambda: peft.LoraConfig(r=8),
    "dora/qkv-feed-forward-r32": lambda: peft.LoraConfig(r=32, use_dora=True),
    "adalora/all-linear-r12-to-8": lambda: peft.AdaLoraConfig(init_r=12, target_r=8, total_step=10),
    "ia3/kv-ff": lambda: peft.IA3Config(),
    "ln-tuning/norms": lambda: peft.LNTuningConfig(),
}
# A matrix for all three, targets by a pattern, dense layers of attentions and heads, norms left out, more than norms.
SAMPLE = (
    "bert", "bloom", "deberta-v2", "gemma", "gemma3_text", "gpt2", "gpt_bigcode", "gpt_neox", "llama", "llava", "mpt",
    "mt5", "opt", "phi", "qwen2", "roberta", "t5",
)  # fmt: skip


def test_the_defaults_are_those_of_the_installed_peft() -> None:
    assert peft_defaults() == script("peft_defaults").installed()


def test_every_configuration_is_compared_with_peft() -> None:
    assert {*THEIRS} == {*METHODS}


@pytest.mark.filterwarnings("ignore:fan_in_fan_out is set to:UserWarning")
@pytest.mark.parametrize("model_type", SAMPLE)
def test_the_other_number_is_that_of_peft(catalog: Catalog, model_type: str) -> None:
    _, config, plain = script("every_type").built(model_type)
    instance = instance_of(config)
    recipes = {name: catalog.recipe(name) for name in METHODS}
    said = {difference.configuration: difference for difference in beside_peft(instance, recipes.items())}
    compared = 0
    for name, field in METHODS.items():
        if model_type not in getattr(peft_defaults(), field):
            assert name not in said
            continue
        try:
            ours = count(recipes[name], instance).trainable
        except RecipeError:
            assert name not in said
            continue
        with torch.device("meta"):
            wrapped = peft.get_peft_model(copy.deepcopy(plain), THEIRS[name](), low_cpu_mem_usage=True)
        theirs = sum(p.numel() for p in wrapped.parameters() if p.requires_grad)
        numbers = (said[name].ours, said[name].theirs) if name in said else (ours, ours)
        assert numbers == (ours, theirs)
        compared += 1
    assert compared


def test_count_says_so_in_one_line_with_both_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    model = str(CONFIGURATIONS / "qwen2.5-0.5b.json")
    assert main(["count", "ia3", "lora", "--model", model]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "PEFT" in line]
    assert line.startswith("ia3/kv-ff trains 122,880 parameters here, on key, value, feed forward out; PEFT")
    assert re.search(r"PEFT [\d.]+ by default trains 141,312, on query, value, feed forward out", line)


def test_nothing_is_said_where_both_do_the_same() -> None:
    same = surveykit.count(["lora", "ia3", "ln-tuning"], model=str(CONFIGURATIONS / "llama-2-7b.json"))
    assert not any("PEFT" in note for row in same for note in row.model.notes)
