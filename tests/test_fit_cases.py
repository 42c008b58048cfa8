"""Answers about models of public dimensions, some with published figures: nothing false is said of any of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from surveykit.cli import main

LLAMA_2_7B: dict[str, Any] = {
    "model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": 4096, "intermediate_size": 11008,
    "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 32, "vocab_size": 32000,
    "max_position_embeddings": 4096, "tie_word_embeddings": False,
}  # fmt: skip
TINYLLAMA = {
    **LLAMA_2_7B, "hidden_size": 2048, "intermediate_size": 5632, "num_hidden_layers": 22, "num_key_value_heads": 4,
    "max_position_embeddings": 2048,
}  # fmt: skip


def fit(folder: Path, config: dict[str, Any] | str, *words: str) -> int:
    """Ask the command about a configuration, or a backbone of the catalog."""
    model = config
    if isinstance(config, dict):
        model = str(folder / "model" / "config.json")
        Path(model).parent.mkdir()
        Path(model).write_text(json.dumps(config))
    return main(["fit", "--quiet", "--model", str(model), *words])


def test_what_nothing_but_more_gpus_changes_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["--gpu-memory", "24GB", "--batch", "1", "--length", "64", "--methods", "full-tuning", "--format", "json"]
    assert fit(tmp_path, LLAMA_2_7B, *asked) == 1
    out, err = capsys.readouterr()
    (row,) = json.loads(out)
    assert row["standing"] == "does not fit"
    assert row["least_bytes"] == pytest.approx(8 * 6_738_415_616, rel=1e-6)
    assert "Of 1, weights, gradients and optimizer state alone exceed the memory" in err
    assert any(change["change"].startswith("devices ") for change in row["options"]["changes"])


def test_rotary_positions_bound_no_length(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["--gpu-memory", "80GB", "--batch", "1", "--length", "8192", "--methods", "lora", "--format", "json"]
    fit(tmp_path, TINYLLAMA, *asked)
    out, err = capsys.readouterr()
    (row,) = json.loads(out)
    assert row["peak_bytes"] > row["least_bytes"]
    assert "Beware: its configuration speaks of 2048 positions, fewer than the 8192 that are asked for." in err


@pytest.mark.parametrize(
    ("quantized", "warned"),
    [
        (
            {"quant_method": "bitsandbytes", "load_in_4bit": True},
            "is heard: linear layers are held by bitsandbytes, 4 bits",
        ),
        ({"quant_method": "aqlm", "bits": 2}, "(aqlm, 2 bits) is ignored"),
    ],
)
def test_what_becomes_of_a_quantization_is_said_before_the_answer(
    quantized: dict[str, Any], warned: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["--gpu-memory", "24GB", "--batch", "1", "--length", "512", "--methods", "lora"]
    assert fit(tmp_path, {**LLAMA_2_7B, "quantization_config": quantized}, *asked) == 0
    out, _ = capsys.readouterr()
    assert warned in out
    assert out.index(warned) < out.index("With sdpa attention")


def test_a_length_that_no_method_can_have_is_the_headline(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["--gpu-memory", "24GB", "--batch", "8", "--length", "1024", "--methods", "lora", "full-tuning"]
    assert fit(tmp_path, "bert-base", *asked) == 1
    out, err = capsys.readouterr()
    assert out.strip() == (
        "No method can be put on this model: bert-base has 512 positions, fewer than the 1024 to trace."
    )
    assert "inference" not in out + err  # nobody set a limit


def test_a_method_that_trains_nothing_is_no_winner(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["--gpu-memory", "24GB", "--batch", "1", "--length", "512", "--methods", "bitfit/native"]
    assert fit(tmp_path, LLAMA_2_7B, *asked, "--merge") == 1
    out, err = capsys.readouterr()
    assert out.strip().startswith("No method can be put on this model: it would train nothing")
    assert "First in the ranking" not in out
    assert "not on this model: bitfit/native: it would train nothing" in err


def test_a_limit_that_was_set_is_named_when_nothing_meets_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["--gpu-memory", "24GB", "--batch", "1", "--length", "64", "--methods", "adapters", "--merge"]
    assert fit(tmp_path, "t5-small", *asked) == 1
    out, _ = capsys.readouterr()
    assert out.strip() == "No method meets the limit on inference overhead (no inference overhead once merged)."


def test_trainable_means_the_same_in_count_and_fit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = ["relora/r128", "diffpruning/s0-5", "lora/qv-r8"]
    assert main(["count", *names, "--model", "t5-small", "--format", "json"]) == 0
    counted = {row["configuration"]: row for row in json.loads(capsys.readouterr().out)}
    asked = ["--gpu-memory", "24GB", "--batch", "1", "--length", "64", "--format", "json", "--methods", *names]
    assert fit(tmp_path, "t5-small", *asked) == 0
    fitted = {row["configuration"]: row for row in json.loads(capsys.readouterr().out)}
    assert counted.keys() == fitted.keys() == set(names)
    for name, row in fitted.items():
        assert row["trainable"] == counted[name]["trainable"]
        assert row["trainable_percent"] == counted[name]["percent"]
        last = counted[name]["trainable_last_stage"]  # None: the same
        assert row["trainable_last_stage"] == (row["trainable"] if last is None else last)
        assert row["trainable_last_stage"] <= row["trainable"]
    assert fitted["relora/r128"]["trainable_last_stage"] < fitted["relora/r128"]["trainable"]
