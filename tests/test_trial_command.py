"""`surveykit trial` on folders with weights: what ran is what is counted, merges and reloads; mistakes are explained."""

from __future__ import annotations

import dataclasses
import gzip
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import CATALOG
from limits import within
from safetensors.torch import load_file, save_file
from small_text_model import bert, randomise_biases, save_bert, save_tokenizer
from transformers import BertForPreTraining, GPT2Config, GPT2LMHeadModel, T5Config, T5ForConditionalGeneration

from surveykit.catalog.load import Catalog
from surveykit.catalog.selection import selected_recipes
from surveykit.cli import main
from surveykit.engine import count, instance_of
from surveykit.engine.models.weights import load_weights
from surveykit.engine.train import pretrained_trial, texts
from surveykit.errors import SurveyError
from surveykit.recipes.scale import Scale

STEPS = {"steps": 3, "batch": 4, "length": 16}
MERGES = [
    "bitfit/native",
    "lora",
    "ia3",
    "dora",
    "ln-tuning",
    "full-tuning",
    "fishmask",
    "diffpruning",
    "adalora",
    "krona",
    "far",
]
STAYS = ["adapters", "prefix-tuning", "prompt-tuning"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_bert(tmp_path_factory.mktemp("bert"))


@pytest.fixture(scope="module")
def model(folder: Path) -> pretrained_trial.PretrainedTrial:
    return pretrained_trial.PretrainedTrial(folder, texts.read(texts.BUNDLED), **STEPS)


@pytest.mark.parametrize("method", [*MERGES, *STAYS])
def test_a_method_on_weights_does_what_is_counted(
    folder: Path, model: pretrained_trial.PretrainedTrial, method: str
) -> None:
    ((name, recipe),) = selected_recipes(CATALOG, [method])
    row = model.row(name, recipe)
    counted = count(recipe, instance_of(str(folder)))
    assert (row.status, row.faults) == ("run", ())
    assert (row.trainable, row.can_change) == (counted.trainable_task, counted.changed)
    assert row.stored_bytes == counted.stored_bytes
    header = (row.file_bytes or 0) - counted.stored_bytes
    assert 0 < header < 16_000
    assert row.merge == ("exact" if method in MERGES else "none")
    assert (row.reason is None) == (method in MERGES)
    assert (row.changed == 0) == (method in STAYS)
    assert row.loss_before is not None
    assert row.loss_after not in (None, row.loss_before)


def test_bitfit_trains_every_bias_but_the_poolers(catalog: Catalog, model: pretrained_trial.PretrainedTrial) -> None:
    row = model.row("bitfit/native", catalog.recipe("bitfit/native"))
    named = model.instance.model.named_parameters()
    biases = {name: p.numel() for name, p in named if name.endswith("bias")}
    assert row.trainable == row.can_change == sum(biases.values()) - biases["pooler.dense.bias"]
    # Softmax does not see a bias of the keys: its gradient is rounding, and may leave an entry where it was.
    assert row.changed is not None
    assert 0.95 * row.trainable <= row.changed <= row.trainable


def test_the_head_alone_comes_first_and_is_counted_apart(model: pretrained_trial.PretrainedTrial) -> None:
    first, second = model.rows(dict(selected_recipes(CATALOG, ["lora"])))
    assert (first.configuration, first.trainable, first.changed) == (pretrained_trial.HEAD_ALONE, 0, 0)
    assert model.head_parameters == 2 * 48 + 2
    assert first.loss_before == second.loss_before
    assert first.loss_after != second.loss_after


def test_trying_leaves_the_loaded_weights_alone(
    catalog: Catalog, folder: Path, model: pretrained_trial.PretrainedTrial
) -> None:
    model.row("full-tuning/all", catalog.recipe("full-tuning/all"))
    fresh = load_weights(folder).instance
    assert all(map(torch.equal, model.instance.pretrained, fresh.pretrained))


def test_a_merge_that_forgets_the_bias_is_found(
    catalog: Catalog, model: pretrained_trial.PretrainedTrial, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Scale, "bias", lambda self, parts, bias: bias)
    faster = dataclasses.replace(model.setting, rates=(0.05,))
    monkeypatch.setattr(model, "setting", faster)
    row = model.row("ia3/kv-ff", catalog.recipe("ia3/kv-ff"))
    assert row.merge == "differs"
    assert "outputs differ after merging" in row.faults[0]


def decoders(kind: str, vocabulary: int) -> Any:
    torch.manual_seed(0)
    if kind == "t5":
        return T5ForConditionalGeneration(
            T5Config(
                vocab_size=vocabulary,
                d_model=32,
                d_ff=64,
                d_kv=12,
                num_heads=3,
                num_layers=2,
                num_decoder_layers=3,
                decoder_start_token_id=0,
            )
        )
    return GPT2LMHeadModel(GPT2Config(vocab_size=vocabulary, n_embd=48, n_head=4, n_layer=2, n_positions=160))


@pytest.mark.parametrize("method", ["ln-tuning", "adapters", "prompt-tuning"])
@pytest.mark.parametrize("kind", ["t5", "gpt2"])
def test_models_that_write_are_trained_to_write_the_label(tmp_path: Path, kind: str, method: str) -> None:
    written = decoders(kind, save_tokenizer(tmp_path))
    randomise_biases(written)
    written.save_pretrained(tmp_path)
    model = pretrained_trial.PretrainedTrial(tmp_path, texts.read(texts.BUNDLED), **{**STEPS, "steps": 12})
    ((name, recipe),) = selected_recipes(CATALOG, [method])
    (row,) = model.rows({name: recipe})
    assert (row.status, row.faults, model.head_parameters) == ("run", (), 0)
    assert row.loss_after is not None
    assert row.loss_before is not None
    assert row.loss_after < row.loss_before


def test_what_cannot_run_says_why(model: pretrained_trial.PretrainedTrial) -> None:
    ((name, recipe),) = selected_recipes(CATALOG, ["ladder-side-tuning"])
    row = model.row(name, recipe)
    assert row.status == "refused"
    assert row.reason
    assert row.file_bytes is None


def test_a_prompt_that_is_too_long_for_the_model_is_refused(catalog: Catalog, folder: Path) -> None:
    long = [texts.Example("good " * 100, label) for label in "ab" * 8]
    model = pretrained_trial.PretrainedTrial(folder, long, steps=1, batch=4, length=100)
    row = model.row("prompt-tuning/p100", catalog.recipe("prompt-tuning/p100"))
    assert row.status == "refused"
    assert "positions, and a prompt of 100 and a text of" in (row.reason or "")


def test_the_command_prints_rows(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = tmp_path / "data.csv"
    data.write_text('id,said,as\n1,"good, very",yes\n2,bad,no\n3,,no\n' + "4,fine,yes\n5,poor,no\n" * 8)
    words = ["trial", "lora", "--model", str(folder), "--data", str(data), "--columns", "said,as", "--batch", "4"]
    assert main([*words, "--steps", "2", "--rate", "0.002", "--format", "json", "--quiet"]) == 0
    printed = capsys.readouterr()
    rows = json.loads(printed.out)
    assert [row["configuration"] for row in rows] == ["(head alone)", "lora/qv-r8"]
    assert rows[1]["rate"] == 0.002
    assert "2 labels (no, yes), 8 texts in batches of 4 to train on, 4 held out" in printed.err


def test_a_method_of_a_given_size_is_counted_on_the_weights_and_then_on_copies_of_them(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["trial", "lora", "--model", str(folder), "--trainable-budget", "2k", "--steps", "2", "--rate", "0.002"]
    assert main([*words, "--format", "json", "--quiet"]) == 0
    _, row = json.loads(capsys.readouterr().out)
    assert row["status"] == "run"
    assert 1000 < row["trainable"] < 4000


def test_findings_give_exit_code_1(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Scale, "bias", lambda self, parts, bias: bias)
    words = ["trial", "ia3", "--model", str(folder), "--steps", "3", "--rate", "0.05", "--format", "csv"]
    assert main(words) == 1
    assert "ia3/kv-ff: outputs differ after merging" in capsys.readouterr().err


def refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["trial", *words]) == 2
    return capsys.readouterr().err


TABLES = {
    "": "is empty",
    "text,label\n": "no row with a text",
    "text,sentiment\ngood,1\n": "no column 'label'",
    "text,label\ngood,\n": "data.csv:2: this row has a text but no label",
    "text\tlabel\ngood\tyes\nfine\tyes\n": "only one label, 'yes'",
    "text,label\ngood,yes\nbad,no\n": "2 texts are too few",
}


@pytest.mark.parametrize("content", TABLES)
def test_tables_without_a_task_are_refused(
    folder: Path, tmp_path: Path, content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data.csv"
    data.write_text(content)
    assert TABLES[content] in refused(["lora", "--model", str(folder), "--data", str(data)], capsys)


def test_wrong_names_are_refused(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "did you mean 'lora'" in refused(["lorra", "--model", str(folder)], capsys)
    assert "there is no folder" in refused(["lora", "--model", "some/model"], capsys)
    assert "there is no file" in refused(["lora", "--model", str(folder), "--data", "absent.tsv"], capsys)
    assert "not a table of texts" in refused(["lora", "--model", str(folder), "--data", str(tmp_path)], capsys)
    assert "no row with the label 'prase'; did you mean 'praise'" in refused(
        ["lora", "--model", str(folder), "--label", "prase"], capsys
    )
    assert "two names" in refused(["lora", "--model", str(folder), "--columns", "text"], capsys)
    assert "not a whole number of at least 1" in refused(["lora", "--model", str(folder), "--steps", "0"], capsys)
    assert "a number above 0" in refused(["lora", "--model", str(folder), "--rate", "nan"], capsys)


def test_a_folder_that_lacks_something_is_refused(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "has no config.json" in refused(["lora", "--model", str(tmp_path)], capsys)
    (tmp_path / "config.json").write_bytes((folder / "config.json").read_bytes())
    assert "no weights there" in refused(["lora", "--model", str(tmp_path)], capsys)
    weights = tmp_path / "model.safetensors"
    weights.write_bytes((folder / weights.name).read_bytes())
    assert "has no tokenizer" in refused(["lora", "--model", str(tmp_path)], capsys)
    weights.write_bytes(weights.read_bytes()[:5000])
    assert "it is cut off" in refused(["lora", "--model", str(tmp_path)], capsys)
    weights.unlink()
    os.mkfifo(weights)
    with within(10):
        assert "is not a regular file" in refused(["lora", "--model", str(tmp_path)], capsys)


def test_a_damaged_file_that_is_no_part_of_the_model_does_not_matter(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    (tmp_path / "model-old.safetensors").write_bytes(b"damaged")
    assert load_weights(tmp_path).notes == load_weights(folder).notes


def test_texts_of_any_size_and_kind_are_bounded(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(texts, "MOST_BYTES", 2**20)
    with gzip.open(tmp_path / "large.csv.gz", "wt") as file:
        file.write("text,label\n" + "good,yes\n" * 2**18)
    (tmp_path / "damaged.csv.gz").write_bytes((tmp_path / "large.csv.gz").read_bytes()[:60] + b"x" * 600)
    (tmp_path / "endless.csv").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "pipe.csv")
    said = {
        "large.csv.gz": "it is larger than 1,048,576 bytes",
        "damaged.csv.gz": "is not a table of texts",
        "endless.csv": "is not a regular file",
        "pipe.csv": "is not a regular file",
    }
    for name, message in said.items():
        with within(10):
            assert message in refused(["lora", "--model", str(folder), "--data", str(tmp_path / name)], capsys)


QUERY = "encoder.layer.0.attention.self.query.weight"


@pytest.mark.parametrize("fault", ["missing", "no part of the model", "of another shape"])
def test_weights_that_are_not_the_models_are_refused(folder: Path, tmp_path: Path, fault: str) -> None:
    tensors = load_file(folder / "model.safetensors")
    if fault == "missing":
        del tensors[QUERY]
    elif fault == "no part of the model":
        tensors[QUERY.replace("layer.0", "layer.7")] = torch.zeros(48, 48)
    else:
        tensors[QUERY] = torch.zeros(48, 47)
    save_file(tensors, tmp_path / "model.safetensors", {"format": "pt"})
    (tmp_path / "config.json").write_bytes((folder / "config.json").read_bytes())
    with pytest.raises(SurveyError, match=f"{fault}.*encoder.layer.[07].attention"):
        load_weights(tmp_path)


def test_a_head_for_another_task_is_left_out_and_said(folder: Path, tmp_path: Path) -> None:
    whole = bert(load_weights(folder).instance.model.config.vocab_size, BertForPreTraining)
    whole.save_pretrained(tmp_path)
    (tmp_path / "config.json").write_bytes((folder / "config.json").read_bytes())
    loaded = load_weights(tmp_path)
    assert "tensors of a head for another task (cls." in loaded.notes[0]
    assert torch.equal(
        loaded.instance.model.embeddings.word_embeddings.weight, whole.bert.embeddings.word_embeddings.weight
    )


def test_a_pooler_that_is_not_in_the_file_is_said(folder: Path, tmp_path: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    save_file({n: t for n, t in tensors.items() if "pooler" not in n}, tmp_path / "model.safetensors", {"format": "pt"})
    (tmp_path / "config.json").write_bytes((folder / "config.json").read_bytes())
    assert load_weights(tmp_path).notes == (
        "the file lacks pooler.dense.bias, pooler.dense.weight, which no trial uses: random values",
    )
