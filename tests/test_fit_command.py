"""`surveykit fit`: settings and the flags that override them, what it prints, and its rows for programs."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from conftest import CATALOG
from pydantic import TypeAdapter

import surveykit
from surveykit.catalog.load import Catalog
from surveykit.catalog.overrides import training_of
from surveykit.catalog.training import Training
from surveykit.cli import main
from surveykit.engine.models.catalogued import blueprint
from surveykit.engine.trace.costs import Costs
from surveykit.errors import SurveyError
from surveykit.fit.predict import chosen
from surveykit.fit.rows import Row


@pytest.mark.parametrize(
    ("flags", "formulas"),
    [
        ([], []),
        (["--base-bits", "4"], ["frozen weights by bitsandbytes, 4 bits a weight and 4 bytes for each 64 weights"]),
        (["--devices", "4", "--shard", "zero1"], ["on each of 4 devices weights and gradients whole, state / 4"]),
        (["--offload-states"], ["the optimizer's state in the host's memory"]),
    ],
)
def test_what_is_arithmetic_says_its_formula(
    flags: list[str], formulas: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    main([*ASK, "--gpu-memory", "8GB", "--methods", "lora", *flags])
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("By formula, not traced: ")]
    assert lines == [f"By formula, not traced: {formula}." for formula in formulas]


def test_names_choose_configurations(catalog: Catalog) -> None:
    assert chosen(catalog, ["lora"], every=False) == ["lora/qv-r8"]
    assert len(chosen(catalog, ["lora"], every=True)) > 3
    assert chosen(catalog, ["lora/all-linear-r8"], every=False) == ["lora/all-linear-r8"]
    assert len(chosen(catalog, None, every=False)) == sum(bool(m.configurations) for m in catalog.methods.values())
    with pytest.raises(SurveyError, match="did you mean 'lora'"):
        chosen(catalog, ["lorra"], every=False)


ASK = ["fit", "--model", "t5-small", "--batch", "4", "--length", "64", "--catalog", str(CATALOG), "--quiet"]


def rows(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, dict[str, Any]]:
    """The rows that the command prints as JSON, by configuration."""
    main([*ASK, "--gpu-memory", "8GB", *words, "--format", "json"])
    return {row["configuration"]: row for row in json.loads(capsys.readouterr().out)}


def test_the_command_predicts_what_was_asked(catalog: Catalog, capsys: pytest.CaptureFixture[str]) -> None:
    found = rows(capsys, "--methods", "lora", "full-tuning", "far", "--target-length", "32", "--setting", "survey")
    assert set(found) == {"lora/qv-r8", "full-tuning/all", "far/r10"}
    costs = Costs(blueprint(catalog.models["t5-small"]))
    for name, row in found.items():
        peaks = [costs.training(s, 4, 64, 32).memory.peak for s in catalog.recipe(name).stages]
        assert row["peak_bytes"] == max(peaks)
        assert row["peak_bytes"] == sum(row["parts"].values())
        assert row["peak_bytes"] == sum(row[f"{p}_bytes"] for p in ("weights", "optimizer", "gradients_activations"))
        assert row["low_bytes"] <= row["peak_bytes"] <= row["high_bytes"]
        assert row["peak_bytes"] <= row["reserved_bytes"]
        assert row["standing"] == "fits"
    assert found["lora/qv-r8"]["trainable"] == 294_912
    assert found["lora/qv-r8"]["score_on"] == "T5-Large"


def test_every_field_of_a_setting_is_a_flag_that_overrides_it(
    catalog: Catalog, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--checkpointing", "full", "--optimizer", "sgd", "--no-keep-cache", "--adapter-dtype", "bfloat16"]
    (row,) = rows(capsys, "--methods", "lora", "--setting", "peft-benchmark", *flags).values()
    stated = catalog.settings["peft-benchmark"].training
    expected = {"checkpointing": "full", "optimizer": "sgd", "keep_cache": False, "adapter_dtype": "bfloat16"}
    assert row["setting"]["training"] == {**stated.model_dump(), **expected}
    assert row["setting"]["name"] == "peft-benchmark"
    answer = surveykit.fit(
        "t5-small", gpu_memory="8GB", batch=4, length=64, setting="peft-benchmark", methods="lora", checkpointing="full",
        optimizer="sgd", keep_cache=False, adapter_dtype="bfloat16", catalog=CATALOG,
    )  # fmt: skip
    assert not isinstance(answer, list)
    assert answer.choices[0].candidate.parts.peak == row["peak_bytes"]


def test_without_a_setting_it_is_what_most_people_run(catalog: Catalog, capsys: pytest.CaptureFixture[str]) -> None:
    (row,) = rows(capsys, "--methods", "lora").values()
    assert row["setting"]["name"] == "trainer"
    assert Training.model_validate(row["setting"]["training"]) == catalog.settings["trainer"].training


@pytest.mark.parametrize(
    ("setting", "overrides", "said"),
    [
        ("qlorra", {}, "did you mean 'qlora'"),
        (
            "qlora",
            {"attention": "spda"},
            "attention is 'spda'; it must be one of eager, sdpa, flash; did you mean 'sdpa'",
        ),
        ("survey", {"double_quant": True}, "double_quant is about the scales of 4-bit weights, and base_bits is 16"),
        ("survey", {"devices": 4}, r"say what they divide among them with shard .* \(setting survey with devices 4\)"),
        ("survey", {"accumulation": 0}, "accumulation: Input should be greater than or equal to 1"),
    ],
)
def test_what_cannot_be_combined_says_why(catalog: Catalog, setting: str, overrides: dict[str, Any], said: str) -> None:
    with pytest.raises(SurveyError, match=said):
        training_of(catalog, setting, overrides)


def test_several_models_and_settings_are_one_table(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["fit", "--model", "t5-small", "t5-base", "--setting", "survey", "trainer", "--batch", "2", "--length", "32",
             "--gpu-memory", "8GB", "--methods", "lora", "--quiet", "--catalog", str(CATALOG)]  # fmt: skip
    assert main([*asked, "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    pairs = [(row["model"], row["setting"]["name"]) for row in found]
    assert pairs == [(model, setting) for model in ("t5-small", "t5-base") for setting in ("survey", "trainer")]
    assert len({row["peak_bytes"] for row in found}) == 4
    assert main([*asked, "--format", "markdown"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("| model | setting | configuration |")
    assert "t5-base, survey: With eager attention" in out
    assert "To run" not in out


def test_lengths_of_texts_are_those_of_the_longest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def length(content: str, *words: str) -> int:
        (tmp_path / "lengths").write_text(content)
        asked = ["fit", "--model", "t5-small", "--batch", "1", "--gpu-memory", "8GB", "--methods", "lora", "--quiet"]
        asked += ["--catalog", str(CATALOG), "--lengths-file", str(tmp_path / "lengths"), *words]
        code = main([*asked, "--format", "json"])
        out, err = capsys.readouterr()
        assert (code == 2) is not bool(out), err
        return int(json.loads(out)[0]["setting"]["length"]) if out else 0

    assert length("12\n48\n7\n") == 48
    assert length("[12, 48, 7]") == 48
    assert length("12 48 700", "--length", "64") == 64
    assert length("12 48", "--length", "64") == 48
    assert length("12 48", "--length", "64", "--packing") == 64
    for wrong in ("", "[]", "twelve", "[1, 0]", "[1.5]", "{}", "[true]"):
        assert length(wrong) == 0
    assert length("12", "--packing") == 0


def test_texts_that_differ_are_padded_where_there_are_several(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "lengths").write_text("12 48")
    asked = ["--lengths-file", str(tmp_path / "lengths"), "--methods", "lora"]

    def padded(*words: str) -> bool:
        (row,) = rows(capsys, *asked, *words).values()
        return bool(row["setting"]["training"]["padding"])

    assert padded()
    assert not padded("--no-padding")
    assert not padded("--packing")
    assert not padded("--batch", "1")


def test_what_a_setting_does_not_state_must_be_said(capsys: pytest.CaptureFixture[str]) -> None:
    asked = [
        "fit",
        "--model",
        "t5-small",
        "--gpu-memory",
        "8GB",
        "--methods",
        "lora",
        "--catalog",
        str(CATALOG),
        "--quiet",
    ]
    assert main(asked) == 2
    assert "the setting trainer states no length: add --length N or --lengths-file FILE" in capsys.readouterr().err
    assert main([*asked, "--setting", "qlora", "--format", "json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["setting"]["batch"], row["setting"]["length"]) == (1, 1280)


def test_rows_are_as_their_schema_says(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*ASK, "--gpu-memory", "400MB", "--methods", "lora", "full-tuning", "--format", "json"]) == 1
    text = capsys.readouterr().out
    records = TypeAdapter(tuple[Row, ...]).validate_json(text)
    assert [row.model_dump(mode="json") for row in records] == json.loads(text)
    schema = json.loads((CATALOG / "schema" / "fit.schema.json").read_text(encoding="utf-8"))
    described = schema["$defs"]["Row"]
    assert set(described["required"]) == set(json.loads(text)[0]) == set(described["properties"])
    needed = {"peak_bytes", "low_bytes", "high_bytes", "reserved_bytes", "parts", "standing", "setting", "error"}
    assert needed <= set(described["properties"])


def test_csv_has_the_fields_of_records_behind_their_names(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*ASK, "--gpu-memory", "8GB", "--methods", "lora", "--format", "csv"]) == 0
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert row["setting_training_attention"] == "sdpa"
    parts = [int(value) for name, value in row.items() if name.startswith("parts_")]
    assert len(parts) == 6
    assert sum(parts) == int(row["peak_bytes"])


def test_the_answer_says_what_would_help_and_how_to_run_it(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["fit", "--model", "llama-3.1-8b", "--gpu-memory", "24GB", "--batch", "1", "--length", "2048", "--quiet"]
    asked += ["--catalog", str(CATALOG), "--methods", "lora"]
    assert main([*asked, "--attention", "eager"]) == 1
    out = capsys.readouterr().out
    assert "With eager attention, no checkpointing, adamw-fused, bfloat16, added parameters in float32:" in out
    assert "1 does not fit" in out
    assert "What binds: activations" in out
    assert "  checkpointing full: " in out
    assert "Not even batch 1 of lora/qv-r8 fits at length 2,048." in out
    assert 'attn_implementation="eager"' in out
    assert main([*asked, "--setting", "qlora"]) == 0
    out = capsys.readouterr().out
    assert "1 fits in 24.00 GB (22.35 GiB)" in out
    assert "BitsAndBytesConfig(load_in_4bit=True" in out
    assert 'optim="paged_adamw_32bit"' in out
    assert "Largest batch of lora/qv-r8 that fits at length 2,048: " in out


def test_what_leaves_overhead_is_not_listed_and_nothing_that_fits_is_exit_code_1(
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked = ["--gpu-memory", "600MB", "--methods", "lora", "adapters", "--merge", "--batch", "512"]
    assert main([*ASK, *asked]) == 1
    out, _ = capsys.readouterr()
    assert "lora/qv-r8" in out
    assert "does not fit" in out
    assert "adapters/rf16" not in out
    assert "Ranking: first what fits" in out
    assert "Setting trainer: sdpa attention" in out


@pytest.mark.parametrize(
    ("words_given", "said"),
    [
        (["--gpu-memory", "8"], "has no unit"),
        (["--gpu-memory", "8GB", "--batch", "0"], "not a whole number of at least 1"),
        (["--gpu-memory", "8GB", "--setting", "qlorra"], "did you mean 'qlora'"),
        (["--gpu-memory", "8GB", "--base-bits", "4", "--no-double-quant", "--shard", "ddp"], "devices is 1"),
        (["--gpu-memory", "8GB", "--max-overhead", "fnn"], "did you mean 'ffn'"),
        (["--gpu-memory", "8GB", "--methods", "lorra"], "did you mean 'lora'"),
        (["--gpu-memory", "8GB", "--model", "/nowhere/config.json"], "no file or folder"),
    ],
)
def test_mistakes_are_told_without_a_traceback(
    words_given: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*ASK, *words_given]) == 2
    out, err = capsys.readouterr()
    assert said in err
    assert not out
    assert "Traceback" not in err
