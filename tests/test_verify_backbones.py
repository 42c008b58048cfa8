"""`verify-backbones` and `verify-params --checkpoint`: what counts as the same model, and what as a difference."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import checkpoint_files as files
import pytest
import torch
import transformers
from architectures import small as tiny
from conftest import CATALOG, ROOT

from surveykit.catalog.load import Catalog
from surveykit.catalog.models import Model
from surveykit.checkpoints import Comparison, Header, Tensor, compare, read
from surveykit.checkpoints.config import expected
from surveykit.cli import main
from surveykit.engine import build
from surveykit.engine.models.checkpoints import geometry

KINDS = ("t5", "bert", "roberta", "distilbert", "bart", "gpt2", "llama-grouped", "qwen2")


def put(folder: Path, record: Model) -> Comparison:
    return compare(read(str(folder)), geometry(record), expected(record))


def save(folder: Path, model: transformers.PreTrainedModel, how: str) -> None:
    model.save_pretrained(folder, max_shard_size="20KB" if how == "sharded" else "1GB")
    if how.endswith("bin"):
        for path in folder.glob("model*"):
            path.unlink()
        state = model.state_dict()
        if how == "bin":
            torch.save(state, folder / "pytorch_model.bin")
        else:
            placed = {name: f"pytorch_model-{i % 3 + 1:05}-of-00003.bin" for i, name in enumerate(state)}
            for shard in set(placed.values()):
                torch.save({name: state[name] for name in state if placed[name] == shard}, folder / shard)
            files.index(folder / "pytorch_model.bin.index.json", placed)


@pytest.mark.parametrize("how", ["single", "sharded", "bin", "sharded bin"])
@pytest.mark.parametrize("kind", ["tied", "untied and gated"])
def test_t5_as_transformers_saves_it(tmp_path: Path, how: str, kind: str) -> None:
    others = {} if kind == "tied" else {"tie_word_embeddings": False, "feed_forward_proj": "gated-gelu"}
    record = tiny("t5", **others)
    model = build(record, device="cpu").model
    save(tmp_path, model, how)
    assert len(list(tmp_path.glob("*model*"))) == (
        1 if how in ("single", "bin") else 4 if "bin" in how else len(read(str(tmp_path)).files) + 1
    )
    found = put(tmp_path, record)
    assert found.differences == ()
    assert found.numbers == record.size
    copies = {"tied": 3, "untied and gated": 2}[kind] if "bin" in how else 0
    assert [d.why for d in found.dropped] == ["a copy of shared.weight, counted once"] * copies


@pytest.mark.parametrize("architecture", KINDS)
def test_every_architecture_as_transformers_saves_it(tmp_path: Path, architecture: str) -> None:
    record = tiny(architecture)
    build(record, device="cpu").model.save_pretrained(tmp_path)
    found = put(tmp_path, record)
    assert (found.differences, found.numbers) == ((), record.size)


def test_a_tied_file_is_not_an_untied_model_nor_the_other_way_round(tmp_path: Path) -> None:
    tied, untied = tiny("t5"), tiny("t5", tie_word_embeddings=False)
    build(tied, device="cpu").model.save_pretrained(tmp_path / "tied")
    build(untied, device="cpu").model.save_pretrained(tmp_path / "untied")
    assert [str(d) for d in put(tmp_path / "tied", untied).differences] == [
        "config: tie_word_embeddings: config.json has True, the catalog False",
        "missing: lm_head.weight: 60×48 in the model, not in the file",
    ]
    # No header tells a copy from a matrix of its own; config.json does.
    assert [str(d) for d in put(tmp_path / "untied", tied).differences] == [
        "config: tie_word_embeddings: config.json has False, the catalog True"
    ]


def header(record: Model, change: Any = lambda tensors: None) -> Header:
    tensors = {name: Tensor("F32", shape) for name, shape in files.t5_shapes(record).items()}
    change(tensors)
    return Header("it", tensors, ())


def test_an_alias_may_stand_for_a_tied_parameter() -> None:
    record = tiny("t5")
    found = compare(header(record, lambda t: t.update({"lm_head.weight": t.pop("shared.weight")})), geometry(record))
    assert found.matches
    assert found.numbers == record.size
    assert found.renamed == ("lm_head.weight stands for shared.weight, to which it is tied",)


NORM = "encoder.final_layer_norm.weight"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t.pop(NORM), f"missing: {NORM}: 48 in the model, not in the file"),
        (lambda t: t.update(extra=Tensor("F32", (2,))), "unexpected: extra: F32 2 in the file, no such name in the model"),
        (lambda t: t.update({NORM: Tensor("F32", (49,))}), f"shape: {NORM}: 49 in the file, 48 in the model"),
        (lambda t: t.update({NORM: Tensor("I8", (48,))}), f"dtype: {NORM}: I8 in the file, not a type that can be trained"),
        (lambda t: t.update({"lm_head.weight": Tensor("F32", (61, 48))}), "shape: lm_head.weight: 61×48 in the file"),
    ],
)  # fmt: skip
def test_a_difference_has_its_name(change: Any, said: str) -> None:
    record = tiny("t5")
    [difference] = compare(header(record, change), geometry(record)).differences
    assert str(difference).startswith(said)


def test_the_leftover_is_dropped_and_counted_apart() -> None:
    record = tiny("t5")
    found = compare(header(record), geometry(record))
    assert found.matches
    assert [(d.name, d.tensor.numbers) for d in found.dropped] == [(files.LEFTOVER, 6 * 4)]
    elsewhere = files.LEFTOVER.replace("block.0", "block.1")
    found = compare(header(record, lambda t: t.update({elsewhere: Tensor("F32", (6, 4))})), geometry(record))
    assert [d.name for d in found.differences] == [elsewhere]  # only the first block's is known


def test_half_precision_is_the_same_model() -> None:
    record = tiny("t5")
    found = compare(header(record, lambda t: t.update({NORM: Tensor("BF16", (48,))})), geometry(record))
    assert (found.matches, found.dtypes) == (True, ("BF16", "F32"))


def test_berts_first_files(tmp_path: Path) -> None:
    """A prefix, heads of pretraining, gamma and beta, and positions that are a buffer."""
    record = tiny("bert")
    config = build(record).model.config
    model = transformers.BertForPreTraining(config)
    state = {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): value
        for name, value in model.state_dict().items()
    }
    state["bert.embeddings.position_ids"] = torch.arange(20)[None]
    torch.save(state, tmp_path / "pytorch_model.bin")
    found = put(tmp_path, record)
    assert found.differences == ()
    assert found.numbers == record.size
    assert found.renamed == ("LayerNorm.gamma and LayerNorm.beta are weight and bias", "bert. taken off names")
    why = {d.name: d.why for d in found.dropped}
    assert why.pop("bert.embeddings.position_ids") == "a buffer, no parameter"
    assert {name.split(".")[0] for name in why} == {"cls"}
    assert set(why.values()) == {"of a head that the catalogued model has not"}
    state["bert.LayerNorm.weight"] = torch.zeros(48)
    state["bert.embeddings.LayerNorm.weight"] = torch.zeros(48)
    torch.save(state, tmp_path / "pytorch_model.bin")
    assert {d.kind: d.name for d in put(tmp_path, record).differences} == {
        "duplicate": "bert.embeddings.LayerNorm.weight", "unexpected": "bert.LayerNorm.weight",
    }  # fmt: skip


@pytest.mark.parametrize("architecture", ["bart", "gpt2"])
def test_files_of_the_bare_model_lack_the_prefix(tmp_path: Path, architecture: str) -> None:
    record = tiny(architecture)
    model = build(record, device="cpu").model
    bare = model.base_model.state_dict()
    if architecture == "gpt2":  # masks that old files have; one of their names is the end of a parameter's
        bare |= {f"h.{i}.attn.bias": torch.ones(1, 1, 20, 20, dtype=torch.uint8) for i in range(2)}
    torch.save(bare, tmp_path / "pytorch_model.bin")
    found = put(tmp_path, record)
    assert found.differences == ()
    assert found.numbers == record.size
    assert found.renamed == ({"bart": "model.", "gpt2": "transformer."}[architecture] + " put before names",)


# The commands.


@pytest.fixture
def small(tmp_path: Path, catalog: Catalog) -> Path:
    """T5-Small's file with its published tensors, and a config.json."""
    t5 = catalog.models["t5-small"]
    files.safetensors(tmp_path / "model.safetensors", files.t5_shapes(t5))
    (tmp_path / "config.json").write_text(json.dumps(expected(t5)), encoding="utf-8")
    return tmp_path


def run(*words: str) -> int:
    return main(["--catalog", str(CATALOG), *words])


def test_a_folder_is_recognised_by_its_config(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("verify-backbones", "--checkpoint", str(small), "--format", "json") == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out) == [
        {
            "backbone": "t5-small", "verdict": "matches", "parameters": 60_506_624, "tensors": 131, "dtype": "F32",
            "dropped": f"{files.LEFTOVER}: a leftover that transformers ignores in this model's files",
            "differences": [], "provenance": "header", "source": str(small), "revision": None,
            "files": "model.safetensors", "sha256": None,
        }
    ]  # fmt: skip
    assert shown.err == "t5-small: config.json has the dimensions of t5-small\n"


def test_another_backbones_file_is_a_finding(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("verify-backbones", "t5-base", "--checkpoint", str(small)) == 1
    shown = capsys.readouterr()
    assert "differs" in shown.out
    assert "t5-base: config: d_model: config.json has 512, the catalog 768\n" in shown.err
    assert "t5-base: 20 of 262 differences (5 config, 126 missing, 131 shape)\n" in shown.err
    assert len(shown.err.splitlines()) == 21
    assert run("verify-backbones", "t5-base", "--checkpoint", str(small), "--format", "json") == 1
    assert len(json.loads(capsys.readouterr().out)[0]["differences"]) == 262


def test_dimensions_of_no_backbone_are_put_to_the_nearest(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = json.loads((small / "config.json").read_text())
    (small / "config.json").write_text(json.dumps({**config, "num_heads": 16}))  # no shape of a T5 tells
    assert run("verify-backbones", "--checkpoint", str(small)) == 1
    error = capsys.readouterr().err
    assert "t5-small: config.json has the dimensions of no catalogued model; the nearest is t5-small\n" in error
    assert "t5-small: config: num_heads: config.json has 16, the catalog 8\n" in error


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (None, "there is no config.json to identify the model; name the model to compare it with"),
        ("{}", "config.json has no model_type; name the model"),
        ('{"model_type": "falcon"}', "config.json describes a falcon, which the catalog does not have"),
        (
            '{"model_type": "t5"}',
            "config.json fits flan-t5-xl, t5-11b, t5-3b, t5-base, t5-large, t5-small; name the model",
        ),
    ],
)
def test_what_no_config_tells_must_be_named(
    small: Path, capsys: pytest.CaptureFixture[str], config: str | None, said: str
) -> None:
    (small / "config.json").unlink()
    if config is not None:
        (small / "config.json").write_text(config)
    assert run("verify-backbones", "--checkpoint", str(small)) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert f"surveykit: {small}: {said}" in shown.err
    assert run("verify-backbones", "t5-small", "--checkpoint", str(small)) == (1 if "falcon" in said else 0)


def test_a_damaged_file_is_2_and_in_the_table(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (small / "model.safetensors").write_bytes(b"")
    for words in (["verify-backbones", "t5-small"], ["verify-params", "--backbone", "t5-small", "--quiet"]):
        assert run(*words, "--checkpoint", str(small)) == 2
        shown = capsys.readouterr()
        assert f"surveykit: t5-small: not verified: {small}/model.safetensors: 0 bytes are too few" in shown.err
        assert ("not verified" in shown.out) is (words[0] == "verify-backbones")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["verify-backbones", "t5-smal"], "there is no backbone 't5-smal'; did you mean 't5-small'?"),
        (
            ["verify-backbones", "t5-small", "t5-base", "--checkpoint", "x"],
            "one checkpoint is checked against one model",
        ),
        (
            ["verify-params", "--backbone", "t5-small", "--backbone", "t5-base", "--checkpoint", "x"],
            "belongs to one model",
        ),
        (["verify-params", "--revision", "main"], "a checkpoint belongs to one model"),
        (["verify-params", "--checkpoint", "./nowhere"], "there is no folder './nowhere'"),
    ],
)
def test_wrong_usage(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*words) == 2
    shown = capsys.readouterr()
    assert said in shown.err
    assert shown.out == ""


def test_methods_are_counted_on_the_checkpoint(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.stat().st_mtime_ns for path in (CATALOG / "measured").rglob("*.csv")}
    words = ["verify-params", "--method", "lora", "--checkpoint", str(small), "--format", "json"]
    assert run(*words) == 0
    shown = capsys.readouterr()
    rows = {row["configuration"]: row for row in json.loads(shown.out)}
    assert rows["lora/qv-r8"] == {
        "configuration": "lora/qv-r8", "backbone": "t5-small", "trainable": 294_912, "added": 294_912,
        "stored": 294_912, "changed": 9_437_184, "provenance": "header",
    }  # fmt: skip
    assert f"t5-small: counted on the model whose header {small} has\n" in shown.err
    assert {path: path.stat().st_mtime_ns for path in (CATALOG / "measured").rglob("*.csv")} == before
    assert run("verify-params", "--backbone", "t5-base", "--checkpoint", str(small)) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "t5-base: 20 of 262 differences" in shown.err


def test_the_five_t5s_are_verified_every_week(catalog: Catalog) -> None:
    workflow = (ROOT / ".github" / "workflows" / "backbones.yml").read_text(encoding="utf-8")
    [line] = [line for line in workflow.splitlines() if "surveykit verify-backbones" in line]
    named = [word for word in line.split() if word in catalog.models]
    assert named == ["t5-small", "t5-base", "t5-large", "t5-3b", "t5-11b"]
    assert {catalog.models[name].checkpoint for name in named} == {f"google-t5/{name}" for name in named}
    [install] = [line.partition("pip install")[2] for line in workflow.splitlines() if "pip install" in line]
    assert install.replace("[measure]", "[dev]").strip() in (ROOT / "README.md").read_text(encoding="utf-8")
