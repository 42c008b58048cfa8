"""PEFT as an oracle of changes: the same targets, layers, trained modules and heads train as many parameters."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import small_models
import torch
from peft import LoraConfig, TaskType, get_peft_model
from transformers import AutoConfig, AutoModelForSequenceClassification

import surveykit
from surveykit.engine.models.model import blueprint_of

RANK = 3


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    for name, config in small_models.CONFIGS.items():
        config().save_pretrained(folder / name)
    return folder


def by_peft(model: Any, **options: Any) -> int:
    """Parameters that are trained, each once."""
    options["fan_in_fan_out"] = model.config.model_type == "gpt2"  # its matrices are transposed
    wrapped = get_peft_model(model, LoraConfig(r=RANK, **options))
    return sum(p.numel() for p in wrapped.parameters() if p.requires_grad)


TARGETS: dict[str, list[Any]] = {
    "llama": ["all-linear", ["q_proj", "v_proj"], ["self_attn.o_proj", "down_proj"], r".*layers\.[02]\.mlp\.(up|gate)_proj"],
    "llama-tied": ["all-linear", ["k_proj"]],
    "gemma2": ["all-linear", r"model\.layers\.1\..*_proj"],
    "qwen3": ["all-linear", ["q_proj", "k_proj", "up_proj"]],
    "phi": ["all-linear", ["dense", "fc2"]],
    "opt": ["all-linear", ["fc1", "out_proj"]],
    "gpt2": ["all-linear", ["c_attn"], ["attn.c_proj", "c_fc"]],
    "gpt_neox": ["all-linear", ["query_key_value"]],
    "bert": [["query", "value"], ["attention.output.dense", "intermediate.dense"], r".*encoder.*\.dense"],
    "roberta": [["query", "key", "value", "intermediate.dense"]],
    "distilbert": ["all-linear", ["q_lin", "lin2"]],
    "deberta-v2": [["query_proj", "value_proj"]],
    "bart": ["all-linear", ["q_proj", "fc1"], r".*decoder.*encoder_attn\.(q|v)_proj"],
    "t5": ["all-linear", ["q", "v"], ["EncDecAttention.k", "wi"]],
    "mt5": ["all-linear", ["wi_0", "wo"]],
}  # fmt: skip


@pytest.mark.parametrize(("family", "targets"), [(family, t) for family, all_ in TARGETS.items() for t in all_])
def test_the_same_targets(models: Path, family: str, targets: Any) -> None:
    ours = surveykit.count("lora", model=models / family, rank=RANK, targets=targets)
    assert ours.trainable == by_peft(blueprint_of(str(models / family)).build().model, target_modules=targets)


@pytest.mark.parametrize("family", ["llama", "gpt2", "bert"])
def test_the_same_layers(models: Path, family: str) -> None:
    targets = {"llama": ["q_proj", "up_proj"], "gpt2": ["c_attn"], "bert": ["query"]}[family]
    for layers, ours in (([0, 2], {"layers": [0, 2]}), ([1, 2], {"top_layers": 2})):
        model = blueprint_of(str(models / family)).build().model
        found = surveykit.count("lora", model=models / family, rank=RANK, targets=targets, **ours)
        assert found.trainable == by_peft(model, target_modules=targets, layers_to_transform=layers)


@pytest.mark.filterwarnings("ignore:Model has `tie_word_embeddings=True`")
@pytest.mark.parametrize(
    ("family", "saved"),
    [
        ("llama", ["lm_head", "embed_tokens"]), ("llama", ["lm_head"]), ("llama", ["input_layernorm"]), ("llama-tied", ["embed_tokens"]),
        ("gpt2", ["wte"]), ("bert", ["word_embeddings"]), ("t5-v1.1", ["lm_head"]),
    ],
)  # fmt: skip
def test_the_same_modules_are_trained_too(models: Path, family: str, saved: list[str]) -> None:
    found = surveykit.count("lora", model=models / family, rank=RANK, targets="all-linear", also_train=saved)
    without = surveykit.count("lora", model=models / family, rank=RANK, targets="all-linear")
    model = blueprint_of(str(models / family)).build().model
    theirs = by_peft(model, target_modules="all-linear", modules_to_save=saved)
    alone = by_peft(blueprint_of(str(models / family)).build().model, target_modules="all-linear")
    assert (found.trainable or 0) - (without.trainable or 0) == theirs - alone
    assert f"also trained and stored: {', '.join(saved)}, {theirs - alone:,} parameters" in found.model.notes[0]


def test_tied_tables_are_trained_once_and_peft_s_copies_are_told(models: Path) -> None:
    """71 tokens of 60 numbers: one table with two names; PEFT makes a copy of each name."""
    found = surveykit.count("lora", model=models / "llama-tied", also_train=["lm_head", "embed_tokens"])
    alone = surveykit.count("lora", model=models / "llama-tied")
    assert (found.trainable or 0) - (alone.trainable or 0) == 71 * 60
    assert found.model.notes[0].endswith(
        f"tied tables once; PEFT's modules_to_save copies every such module, {2 * 71 * 60:,} parameters"
    )


@pytest.mark.parametrize(
    ("family", "targets"),
    [
        ("llama", ["q_proj", "v_proj"]), ("llama-tied", ["o_proj"]), ("gpt2", ["c_attn"]), ("opt", ["q_proj"]), ("bert", ["query", "value"]),
        ("roberta", ["query"]), ("distilbert", ["q_lin"]), ("deberta-v2", ["query_proj"]), ("t5", ["q", "v"]), ("phi", ["fc1"]),
    ],
)  # fmt: skip
def test_a_head_for_a_task(models: Path, family: str, targets: list[str]) -> None:
    """Of transformers' class for texts; what of it PEFT does not train is told, with PEFT's number."""
    config = AutoConfig.from_pretrained(models / family, num_labels=4)
    with torch.device("meta"):
        model = AutoModelForSequenceClassification.from_config(config)
    parameters = sum(p.numel() for p in model.parameters())
    theirs = by_peft(model, target_modules=targets, task_type=TaskType.SEQ_CLS)
    found = surveykit.count("lora", model=models / family, rank=RANK, targets=targets, head=4)
    (note,) = found.model.notes
    head, of_peft = (
        (
            int(n.replace(",", ""))
            for n in re.findall(r"has ([\d,]+) parameters|PEFT trains ([\d,]+)", note)
            for n in n
            if n
        )
        if "PEFT" in note
        else (0, 0)
    )
    assert found.model.parameters == parameters
    assert found.trainable == theirs + head - of_peft
    edits = surveykit.count("lora", model=models / family, rank=RANK, targets=targets)
    assert (found.added, found.changed, found.update_rank) == (edits.added, edits.changed, edits.update_rank)


def test_a_head_that_transformers_does_not_have(models: Path) -> None:
    with pytest.raises(
        surveykit.SurveyError, match="transformers has no class for models of type 'pegasus' with a head"
    ):
        surveykit.count("lora", model=models / "pegasus", head=2)
