"""Configurations of strangers: whatever stands in a config.json, or in its place, is counted or refused in a line."""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import CATALOG
from small_models import CONFIGS

from surveykit.catalog.load import Catalog
from surveykit.catalog.selection import selected_recipes
from surveykit.cli import main
from surveykit.engine import build
from surveykit.engine.models.configs import LARGEST_FILE
from surveykit.engine.models.model import blueprint_of
from surveykit.engine.on_model import count_on, measure_on
from surveykit.errors import SurveyError
from surveykit.fit.predict import chosen, size_and_biases


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """The models are tiny: threads only wait for one another."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def refused(source: Path | str) -> str:
    """Why, in one line, and at once."""
    started = time.perf_counter()
    with pytest.raises(SurveyError) as found:
        blueprint_of(str(source)).build()
    assert time.perf_counter() - started < 5
    assert str(found.value).isprintable()
    return str(found.value)


def test_what_stands_in_the_place_of_a_file_is_not_read(tmp_path: Path) -> None:
    names = ("fifo", "device", "loop", "dangling", "large", "folder", "empty")
    fifo, device, loop, dangling, large, folder, empty = (tmp_path / name / "config.json" for name in names)
    for file in (fifo, device, loop, dangling, large, folder, empty):
        file.parent.mkdir()
    os.mkfifo(fifo)
    device.symlink_to("/dev/zero")
    loop.symlink_to(loop)
    dangling.symlink_to("nowhere")
    folder.mkdir()
    with large.open("wb") as file:
        file.truncate(LARGEST_FILE + 1)
    for one in (fifo, device, folder):
        assert "is not a regular file" in refused(one.parent)
    assert "Too many levels of symbolic links" in refused(loop.parent)
    assert "No such file" in refused(dangling.parent)
    assert f"may have {LARGEST_FILE:,} bytes" in refused(large.parent)
    assert refused(empty.parent) == f"{empty.parent} has no config.json"


@pytest.mark.parametrize("source", ["x" * 5000, "x/" * 3000, "a\0b", "esc\x1b[31m"])
def test_what_is_no_name_of_anything_is_a_line(source: str) -> None:
    refused(source)


def test_an_adapter_without_its_model_is_called_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    adapter = {"peft_type": "LORA", "base_model_name_or_path": "owner/base-model", "r": 16}
    (tmp_path / "adapter_config.json").write_text(json.dumps(adapter))
    for source in (tmp_path, tmp_path / "adapter_config.json"):
        assert main(["count", "lora", "--model", str(source)]) == 2
        said = capsys.readouterr().err
        assert "adapter_config.json is that of an adapter" in said
        assert "owner/base-model" in said


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"num_labels": 1_000_000_000}, "num_labels may be 100,000 at most, not 1,000,000,000"),
        ({"num_hidden_layers": 1_000_000}, "num_hidden_layers may be 1,000 at most"),
        ({"num_hidden_layers": 1e30}, "num_hidden_layers may be 1,000 at most"),
        ({"text_config": [{"n_layer": 10**40}]}, "n_layer may be 1,000 at most"),
        ({"architectures": 5}, "architectures is no list of names"),
        ({"architectures": [5]}, "architectures is no list of names"),
        ({"model_type": 5}, "model_type is no name"),
        ({"model_type": "\x1b[31mbert"}, "model_type is no name"),
        ({"model_type": ""}, "its config.json names no model_type"),
        (
            {"model_type": "bertt"},
            "has no models of type 'bertt'; a newer transformers may have them; did you mean 'bert'?",
        ),
        (
            {"model_type": "own", "auto_map": {"AutoConfig": "configuration_own.Config"}},
            "'own': their code comes with the model (auto_map) and is never run here; if transformers has the same model",
        ),
        ({"hidden_size": "wide"}, "hidden_size"),
        ({"hidden_size": -60}, "transformers cannot build BertModel from this configuration"),
        ({"is_encoder_decoder": True}, "is_encoder_decoder is true, and models of type 'bert' are not that"),
    ],
)
def test_what_no_model_can_be_is_refused(changed: dict[str, Any], reason: str, tmp_path: Path) -> None:
    said = {**json.loads(CONFIGS["bert"]().to_json_string()), **changed}
    (tmp_path / "config.json").write_text(json.dumps(said))
    assert reason in refused(tmp_path)


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"a":' * 5_000, "1" * 10_000, '{"a": %s}' % ("1" * 5_000), "\xff", ""]
)
def test_what_is_no_json_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes(text.encode("latin-1"))
    refused(tmp_path)


def test_a_model_that_has_nothing_to_look_up_distances_in_is_counted(tmp_path: Path) -> None:
    said = {**json.loads(CONFIGS["t5"]().to_json_string()), "relative_attention_num_buckets": 0}
    (tmp_path / "config.json").write_text(json.dumps(said))
    [row] = count_on(blueprint_of(str(tmp_path)).build(), selected_recipes(CATALOG, ["bitfit/position-biases"]))
    assert row.trainable == 0


ODD: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 3, 5, 7, 10**6, 10**9, 10**18, 10**40, -(10**9), 1.5, float("inf"), "", "x", "5",
    "\x1b[31m", "é\0", [], [1], ["a"], [[]], {}, {"a": 1}, {"0": "x"}, [None] * 3,
)  # fmt: skip
ADDED = ("quantization_config", "num_labels", "text_config", "layer_types", "auto_map", "architectures", "id2label",
         "dtype", "rope_parameters", "rope_scaling")  # fmt: skip


def mutants(seed: int) -> Iterator[dict[str, Any]]:
    """Small configurations with a few fields gone, of odd values, or of other models."""
    draw = random.Random(seed)
    whole = [json.loads(CONFIGS[f]().to_json_string(use_diff=False)) for f in ("llama", "bert", "t5", "bart", "gpt2")]
    types = [config["model_type"] for config in whole] + ["falcon", "gemma3", "olmo", "mixtral", "nope", "vit"]
    while True:
        found = dict(draw.choice(whole))
        for _ in range(draw.choice([1, 1, 1, 2, 3])):
            name, chance = draw.choice([*found]), draw.random()
            if chance < 0.15:
                del found[name]
            elif chance < 0.25:
                found["model_type"] = draw.choice(types)
            else:
                found[draw.choice(ADDED) if chance < 0.35 else name] = draw.choice(ODD)
        yield found


def test_mutants_of_configurations_are_counted_or_refused_in_a_line(tmp_path: Path) -> None:
    """A few; thousands with other seeds were tried while it was written."""
    recipes = selected_recipes(CATALOG, ["lora", "ln-tuning", "bitfit", "prefix-tuning"])
    traced = selected_recipes(CATALOG, ["lora"])
    counted = 0
    for number, found in zip(range(60), mutants(7), strict=False):
        (tmp_path / "config.json").write_text(json.dumps(found))
        started = time.perf_counter()
        try:
            blueprint = blueprint_of(str(tmp_path))
            rows = list(count_on(blueprint.build(), recipes))
            if number % 4 == 0:
                list(measure_on(blueprint, traced, batch=1, length=8))
        except SurveyError as error:
            reasons = [str(error)]
        else:
            counted += 1
            reasons = [row.reason or "none" for row in rows]
        assert all(map(str.isprintable, reasons)), found
        assert time.perf_counter() - started < 10, found
    assert counted > 10


def test_a_prompt_takes_positions_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["measure", "prompt-tuning", "--model", "bert-base", "--batch", "1", "--length", "512"]) == 1
    said = capsys.readouterr().out
    assert "the model has 512 positions, and a prompt of 100 and a text of 512 take 612" in said
    assert "without weights" not in said


def test_bitfit_trains_the_biases_that_are_there_and_adds_them_where_there_are_none(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for model, configuration, trainable in (("bert-base", "native", 102_144), ("t5-small", "added-linear", 67_584)):
        assert main(["count", "bitfit", "--model", model, "--format", "json"]) == 0
        [row] = json.loads(capsys.readouterr().out)
        assert (row["configuration"], row["trainable"]) == (f"bitfit/{configuration}", trainable)


def test_fit_means_the_same_bitfit(catalog: Catalog) -> None:
    for model, configuration in (("bert-base", "bitfit/native"), ("t5-small", "bitfit/added-linear")):
        _, biases = size_and_biases(catalog.models[model])
        assert biases is build(catalog.models[model]).has_biases
        assert chosen(catalog, ["bitfit"], every=False, biases=biases) == [configuration]
        assert len(chosen(catalog, None, every=False, biases=biases)) == sum(
            bool(m.configurations) for m in catalog.methods.values()
        )
    assert chosen(catalog, ["bitfit/added-linear"], every=False, biases=True) == ["bitfit/added-linear"]
