"""PEFT's adapter_config.json as input, and our configurations as PEFT's. PEFT itself, without weights, is the oracle."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import Any

import pytest
import small_models
import yaml
from conftest import CATALOG

import surveykit
from surveykit.catalog.peft_arguments import PeftArguments
from surveykit.catalog.peft_file import PeftFile, peft_file
from surveykit.cli import main
from surveykit.engine.models.model import Instance, blueprint_of
from surveykit.engine.models.peft_modules import peft_counts
from surveykit.engine.models.task_head import with_task_head
from surveykit.engine.on_model import model_named
from surveykit.engine.peft import count_peft, peft_on
from surveykit.engine.trace.costs import Costs
from surveykit.engine.trace.peft_costs import PeftCosts
from surveykit.errors import MissingExtra, SurveyError

BENCHMARK = CATALOG / "sources" / "peft-metamathqa" / "tables" / "results.csv"
LOOK_AT_WEIGHTS = ("adamss", "frod", "oft", "shira")
"""Experiments that PEFT does not build without weights, other packages, or keys that the table leaves out."""
SLOW = ("boft", "unilora")
"""… and those for which PEFT takes seconds."""


def benchmark() -> dict[str, tuple[PeftFile, int]]:
    """By experiment, its peft_config as published, and the parameters that it printed."""
    with BENCHMARK.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {
        row["experiment"]: (
            peft_file({"peft_type": row["peft_type"], **json.loads(row["config"])}, row["experiment"]),
            int(row["trainable"]),
        )
        for row in rows
    }


@pytest.fixture(scope="module")
def llama() -> Instance:
    return model_named("llama-3.2-3b", CATALOG).build()


def test_every_experiment_of_the_benchmark_comes_out_of_its_own_file(llama: Instance) -> None:
    ours, by_peft = {}, {}
    for name, (file, printed) in benchmark().items():
        if name.startswith((*LOOK_AT_WEIGHTS, *SLOW)):
            continue
        row = count_peft(llama, file, CATALOG)
        if row.configuration.startswith("peft/"):
            by_peft[name] = (row.trainable, printed)
            assert any("own modules" in note for note in row.model.notes)
        else:
            ours[name] = (row.trainable, printed)
        assert file.peft_type == "FULL" or row.trainable == row.trainable_by_peft
    froze = "lora/llama-3.2-3B-rank32-lorafa"  # by its optimizer, of which peft_config says nothing
    rank = "osf/llama-3.2-3B-rank128"  # of which peft_config says nothing
    assert [name for name, (found, printed) in {**ours, **by_peft}.items() if found != printed] == [froze, rank]
    names = yaml.safe_load((BENCHMARK.parents[1] / "names.yaml").read_text(encoding="utf-8"))["methods"]
    known = {entry["printed"] for entry in names if entry["method"] is not None}
    assert {*ours} == known & {*ours, *by_peft}  # what the catalog has is counted by its recipe, the rest by PEFT


@pytest.mark.parametrize("name", LOOK_AT_WEIGHTS)
def test_what_peft_cannot_build_without_weights_says_why(llama: Instance, name: str) -> None:
    file = next(file for experiment, (file, _) in benchmark().items() if experiment.startswith(name))
    with pytest.raises(SurveyError, match="PEFT"):  # our own recipe, where there is one, counts it all the same
        peft_counts(llama.blueprint, file)


def test_what_peft_cannot_save_without_weights_is_counted_by_our_recipe(llama: Instance) -> None:
    content = {
        "peft_type": "CPT",
        "task_type": "CAUSAL_LM",
        "cpt_token_ids": [1, 2, 3],
        "cpt_mask": [1, 1, 1],
        "cpt_tokens_type_mask": [1, 2, 3],
    }
    row = count_peft(llama, peft_file(content, "cpt"), CATALOG)
    assert row.trainable == 3 * llama.model.config.hidden_size
    assert any("not counted by PEFT: PEFT" in note and "where it saves CPT" in note for note in row.model.notes)


TARGETS = {
    "llama": ["q_proj", "v_proj"], "llama-tied": ["k_proj", "down_proj"], "gpt2": ["c_attn"], "phi": ["q_proj", "dense"],
    "gpt_neox": ["query_key_value"], "bert": ["query", "value"], "roberta": ["query", "dense"], "t5": ["q", "v"],
    "bart": ["q_proj", "fc2"],
}  # fmt: skip
EMBEDDINGS = {"llama": "embed_tokens", "gpt2": "wte", "bert": "word_embeddings", "t5": "shared", "bart": "shared"}


def files_for(family: str) -> dict[str, dict[str, Any]]:
    targets = TARGETS[family]
    lora = {"peft_type": "LORA", "r": 4, "lora_alpha": 16, "target_modules": targets}
    prompt = {"num_virtual_tokens": 5}
    found: dict[str, dict[str, Any]] = {
        "plain": lora,
        "all linear": {**lora, "target_modules": "all-linear"},
        "default": {"peft_type": "LORA", "r": 3},
        "regex": {**lora, "target_modules": rf".*\.1\..*({'|'.join(targets)})"},
        "layers": {**lora, "layers_to_transform": [0, 2]},
        "DoRA": {**lora, "use_dora": True},
        "rsLoRA": {**lora, "use_rslora": True},
        "PiSSA": {**lora, "init_lora_weights": "pissa_niter_4", "use_rslora": True},
        "MiCA": {**lora, "init_lora_weights": "mica"},
        "EVA": {**lora, "init_lora_weights": "eva", "eva_config": {"rho": 2.0}},
        "patterns": {**lora, "rank_pattern": {targets[0]: 2}, "alpha_pattern": {targets[-1]: 32}},
        "all biases": {**lora, "bias": "all"},
        "own biases": {**lora, "bias": "lora_only"},
        "exclude": {**lora, "target_modules": "all-linear", "exclude_modules": targets},
        "embeddings": {**lora, "modules_to_save": [EMBEDDINGS.get(family, "embed_in")]},
        "no recipe": {**lora, "lora_bias": True},
        "IA3": {"peft_type": "IA3", "target_modules": targets, "feedforward_modules": targets[-1:]},
        "AdaLoRA": {"peft_type": "ADALORA", "target_modules": targets, "init_r": 6, "target_r": 2, "total_step": 100},
        "prompt": {"peft_type": "PROMPT_TUNING", **prompt},
        "prefix": {"peft_type": "PREFIX_TUNING", **prompt},
        "prefix network": {"peft_type": "PREFIX_TUNING", **prompt, "prefix_projection": True, "encoder_hidden_size": 13},
        "P-tuning": {"peft_type": "P_TUNING", **prompt},
    }  # fmt: skip
    if family != "gpt2":  # whose linear layers are of a class that PEFT has these for not
        found |= {
            "LoKr": {"peft_type": "LOKR", "target_modules": targets, "r": 2, "alpha": 4},
            "LoKr whole": {"peft_type": "LOKR", "target_modules": targets, "r": 32},
            "LoKr of a factor": {"peft_type": "LOKR", "target_modules": targets, "r": 2, "decompose_factor": 4},
            "LoKr of a factor that divides nothing": {
                "peft_type": "LOKR",
                "target_modules": targets,
                "r": 32,
                "decompose_factor": 7,
            },
            "GLoRA": {"peft_type": "GLORA", "target_modules": targets, "r": 2},
            "GLoRA's vectors": {"peft_type": "GLORA", "target_modules": targets, "config_A_B": "vector"},
            "Lily": {"peft_type": "LILY", "target_modules": targets, "r": 2, "stride_A": 2},
            "Lily on what an expression means": {
                "peft_type": "LILY",
                "target_modules": rf".*({'|'.join(targets)})",
                "r": 2,
                "stride_A": 2,
            },
            "BEFT": {"peft_type": "BEFT", "target_modules": targets},
            "VeRA": {"peft_type": "VERA", "target_modules": targets[:1], "r": 2},
        }
    return found


@pytest.mark.sampled("family", "labels")
@pytest.mark.parametrize("labels", [None, 2])
@pytest.mark.parametrize("family", TARGETS)
def test_a_file_trains_what_peft_trains(family: str, labels: int | None) -> None:
    plan = blueprint_of(small_models.CONFIGS[family](), name=family)
    instance = (plan if labels is None else with_task_head(plan, labels)).build()
    for what, content in files_for(family).items():
        row = count_peft(instance, peft_file(content, what), CATALOG)
        if what == "embeddings" and (row.trainable or 0) < (row.trainable_by_peft or 0):  # a tied table, copied
            assert any("a shared table once" in note for note in row.model.notes)
            continue
        assert row.trainable, (what, row.reason)
        assert row.trainable == row.trainable_by_peft, what


def test_a_trace_through_pefts_modules_is_ours_where_the_method_is() -> None:
    plan = blueprint_of(small_models.CONFIGS["llama"](), name="llama")
    instance, costs = plan.build(), Costs(plan)
    for what in ("plain", "layers", "rsLoRA", "patterns", "prompt"):
        found = peft_on(instance, peft_file(files_for("llama")[what], what), CATALOG)
        assert found.recipe is not None
        theirs, ours = PeftCosts(plan, found.file), costs.training(found.recipe.stages[-1], 2, 16)
        step = theirs.training(2, 16)
        figures = {name: (getattr(step, name), getattr(ours, name)) for name in ("forward_flops", "backward_flops")}
        figures["blocks"] = (step.backprop.blocks_backward, ours.backprop.blocks_backward)
        pass_, own = theirs.inference(), costs.inference(found.recipe)
        figures |= {
            "flops": (pass_.unmerged.flops, own.unmerged.flops),
            "merged": (pass_.merged.flops, own.merged.flops),
        }
        assert all(a == b for a, b in figures.values()), (what, figures)
        assert pass_.merged.overhead == own.merged.overhead
        peaks = step.memory.peak, ours.memory.peak
        assert peaks[0] == pytest.approx(peaks[1], rel=0.02), what
        if what in ("plain", "rsLoRA"):
            assert peaks[0] == peaks[1]


SHOWN = {
    "llama": ["lora", "dora", "ia3", "adalora", "prompt-tuning", "prefix-tuning/flat-p30", "ln-tuning", "krona", "glora/qv-r8",
              "qlora", "rslora", "pissa", "mica", "eva", "lora-plus"],
    "gpt2": ["lora", "prompt-tuning", "ln-tuning"],
    "bert": ["lora", "ia3", "ln-tuning"],
    "t5": ["lora", "ia3", "prompt-tuning", "prompt-tuning/p100-both"],
}  # fmt: skip


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    for name in SHOWN:
        small_models.CONFIGS[name]().save_pretrained(folder / name)
    return folder


@pytest.mark.parametrize("family", SHOWN)
def test_what_is_shown_as_pefts_is_the_same_read_back_and_in_peft(models: Path, family: str) -> None:
    instance = model_named(str(models / family), CATALOG).build()
    for method in SHOWN[family]:
        shown = surveykit.show(method, as_="peft", model=models / family, catalog=CATALOG)
        assert isinstance(shown, PeftArguments)
        ours = surveykit.count(method, model=models / family, catalog=CATALOG)
        back = count_peft(instance, peft_file(json.loads(shown.json()), method), CATALOG)
        assert back.trainable == ours.trainable, method
        pasted: dict[str, Any] = {}
        exec(shown.python(), pasted)
        said = {key: list(v) if isinstance(v, set) else v for key, v in pasted["config"].to_dict().items()}
        assert (
            peft_counts(instance.blueprint, peft_file(json.loads(json.dumps(said)), method)).trainable == ours.trainable
        )


@pytest.mark.parametrize(
    ("method", "family", "changes", "arguments"),
    [
        (
            "lora",
            "llama",
            {"rank": 32, "targets": ["q_proj", "v_proj"]},
            {"r": 32, "target_modules": ["q_proj", "v_proj"]},
        ),
        ("lora", "llama", {"targets": "all-linear"}, {"target_modules": "all-linear"}),
        ("lora", "llama", {"top_layers": 2}, {"target_modules": ["q_proj", "v_proj"], "layers_to_transform": [1, 2]}),
        ("lora", "llama", {"also_train": ["lm_head"]}, {"modules_to_save": ["lm_head"]}),
        ("lora", "bert", {"head": 2}, {"task_type": "SEQ_CLS", "target_modules": ["query", "value"]}),
        ("lora", "t5", {}, {"task_type": "SEQ_2_SEQ_LM", "target_modules": ["q", "v"]}),
        ("lora", "gpt2", {}, {"task_type": "CAUSAL_LM", "target_modules": ["c_attn"]}),
    ],
)
def test_arguments_name_the_modules_of_that_model(
    models: Path, method: str, family: str, changes: dict[str, Any], arguments: dict[str, Any]
) -> None:
    shown = surveykit.show(method, as_="peft", model=models / family, catalog=CATALOG, **changes)
    assert {key: shown.arguments.get(key) for key in arguments} == arguments


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["adapters"], "the library adapters has it"),
        (["full-tuning"], "train the model as it is"),
        (["lora", "--format", "csv"], "not as --format csv"),
        (["lora", "--set", "rnak=3"], "did you mean 'rank'?"),
    ],
)
def test_what_peft_does_not_have_is_told(
    models: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert main(["show", *words, "--as", "peft", "--model", str(models / "llama")]) == 2
    assert message in capsys.readouterr().err
    assert main(["show", words[0], "--model", str(models / "llama")]) == 2
    assert "need --as peft" in capsys.readouterr().err


LORA = {"peft_type": "LORA", "r": 4, "target_modules": ["q_proj"], "base_model_name_or_path": "Meta-Llama/Llama-3.2-3B"}
OTHER = {
    "peft_type": "GLORA", "config_A_B": "constant", "r": 4, "target_modules": ["q_proj"],
    "base_model_name_or_path": "llama-3.2-1b",
}  # fmt: skip
"""What PEFT has and our recipes cannot say."""


@pytest.fixture
def adapters(tmp_path: Path) -> Path:
    for name, content in {"lora": LORA, "other": OTHER}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "adapter_config.json").write_text(json.dumps(content))
    return tmp_path


def test_every_command_takes_a_file_or_a_folder(
    adapters: Path, models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = ["--peft", str(adapters / "lora"), "--peft", str(adapters / "other" / "adapter_config.json")]
    model = ["--model", str(models / "llama"), "--format", "json"]
    assert main(["count", "ia3", *files, *model]) == 0
    out, err = capsys.readouterr()
    counted = {row["configuration"]: row for row in json.loads(out)}
    assert [name.partition(" ")[0] for name in counted] == ["ia3/kv-ff", "lora/qv-r8", "peft/GLORA"]
    assert [row["trainable_by_peft"] == row["trainable"] for row in counted.values()] == [False, True, True]
    assert "surveykit's GLoRA has no terms 'constant'" in err
    assert main(["measure", *files, *model, "--length", "8"]) == 0
    out, err = capsys.readouterr()
    assert [row["configuration"] for row in json.loads(out)] == [*counted][1:]
    assert all(row["peak_bytes"] and row["overhead_merged"] == "none" for row in json.loads(out))
    assert main(["fit", *files, *model, "--gpu-memory", "1GB", "--batch", "1", "--length", "8", "--merge"]) == 0
    out, err = capsys.readouterr()
    assert {row["configuration"]: row["trainable"] for row in json.loads(out)} == {
        name: row["trainable"] for name, row in [*counted.items()][1:]
    }
    assert "own modules" in err
    table = adapters / "claims.csv"
    trained = [row["trainable"] for row in counted.values()]
    table.write_text(
        "method,peft,column,printed\n"
        f"ia3,,trainable,{trained[0]}\n,{adapters / 'other'},trainable,{trained[2]}\n"
        f",{adapters / 'other'},changed,1\n,,trainable,{trained[1]}\n"
    )
    assert main(["check", str(table), "--peft", str(adapters / "lora"), *model]) == 0
    out, err = capsys.readouterr()
    assert [row["verdict"] for row in json.loads(out)] == ["match", "match", "not_measured", "match"]
    table.write_text(f"column,printed\ntrainable,{trained[1] + 1}\n")
    assert main(["check", str(table), "--peft", str(adapters / "lora"), *model]) == 1


def test_the_model_is_the_one_that_the_adapter_was_trained_on(adapters: Path) -> None:
    row = surveykit.count(peft=adapters / "other", catalog=CATALOG)
    assert (row.model.name, row.trainable) == ("llama-3.2-1b", 16 * 2)  # A and B, a number each
    (found,) = surveykit.count(
        peft=[adapters / "lora"], catalog=CATALOG
    )  # the name of its weights on the hub, in any case
    assert (found.model.name, found.trainable) == ("llama-3.2-3b", 28 * 4 * (3072 + 3072))
    path = adapters / "lora" / "adapter_config.json"
    old = {**LORA, "base_model_name_or_path": "bert-base-uncased", "target_modules": ["query"], "task_type": "SEQ_CLS"}
    path.write_text(json.dumps(old))
    row = surveykit.count(peft=path, head=2, catalog=CATALOG)  # of models of old, the hub knows names without an owner
    assert (row.model.name, row.trainable) == ("bert-base", 12 * 4 * (768 + 768) + 2 * 769)
    assert (row.trainable_by_peft, row.model.notes) == (row.trainable, ())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"peft_type": "LORRA"}', "has no peft_type 'LORRA'; did you mean 'LORA'?"),
        ('{"peft_type": "FROM_TOMORROW"}', "has no peft_type 'FROM_TOMORROW'; a newer one may"),
        ('{"peft_type": "LORA", ', "is not valid JSON"),
        ('{"r": 3}', "has no peft_type"),
        ('{"model_type": "llama"}', "is the configuration of a model, not of PEFT"),
        ("[1]", "is no object with a peft_type"),
        ('{"peft_type": "LORA", "r": "8"}', 'r is "8"; it must be a whole number from 1'),
        ('{"peft_type": "LORA", "r": 99999999}', "r may be 10,000,000 at most"),
        ('{"peft_type": "LORA", "target_modules": "(["}', "is no regular expression"),
        ('{"peft_type": "LORA", "target_modules": ["c_attn"]}', "the model has no module c_attn; it has"),
        ('{"peft_type": "LORA", "bias": "some", "target_modules": ["q_proj"]}', "it must be none, all, or lora_only"),
    ],
)
def test_what_is_wrong_with_a_file_is_told(
    tmp_path: Path, models: Path, capsys: pytest.CaptureFixture[str], text: str, message: str
) -> None:
    (tmp_path / "adapter_config.json").write_text(text)
    assert main(["count", "--peft", str(tmp_path), "--model", str(models / "llama")]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.startswith(f"surveykit: {tmp_path}")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["count"], "name a method, such as lora, or a PEFT configuration with --peft"),
        (["count", "--peft", "{}/lora", "--set", "rank=3"], "in its own file"),
        (["count", "--peft", "{}/lora", "--trainable-budget", "1%"], "--trainable-budget"),
        (["count", "--peft", "{}/lora", "--peft", "{}/other"], "name one for all with --model"),
        (["count", "--peft", "{}"], "has no adapter_config.json, which an adapter's folder must have"),
        (["count", "--peft", "{}/nowhere/adapter_config.json", "--model", "gpt2"], "there is no file or folder"),
        (["count", "--peft", "owner/adapter", "--model", "gpt2"], "the hub cannot be reached"),
        (["measure", "--model", "gpt2"], "or a PEFT configuration with --peft"),
        (["fit", "--gpu-memory", "1GB", "--batch", "1", "--length", "8"], "name one with --model"),
    ],
)
def test_what_does_not_go_together_is_told(
    adapters: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert main([word.replace("{}", str(adapters)) for word in words]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("base", "message"),
    [(None, "does not say which model it was trained on"), ("owner/model", "neither here nor in the catalog")],
)
def test_without_a_model_that_is_known_one_must_be_named(adapters: Path, base: str | None, message: str) -> None:
    path = adapters / "lora" / "adapter_config.json"
    path.write_text(json.dumps({**LORA, "base_model_name_or_path": base}))
    with pytest.raises(SurveyError, match=f"{message}.*--model"):
        surveykit.count(peft=path, catalog=CATALOG)


def test_without_peft_our_recipes_count(adapters: Path, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)
    row = surveykit.count(peft=adapters / "lora", model=models / "llama", catalog=CATALOG)
    assert (row.trainable, row.trainable_by_peft) == (3 * 4 * (60 + 60), None)
    with pytest.raises(
        MissingExtra, match=r"no terms 'constant', .*and counting it with PEFT's own modules needs .* peft"
    ):
        surveykit.count(peft=adapters / "other", model=models / "llama", catalog=CATALOG)


def test_what_libraries_say_does_not_reach_the_user(
    adapters: Path, models: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    content = {**OTHER, "some_key_of_tomorrow": True, "target_modules": ["c_attn"]}
    (adapters / "other" / "adapter_config.json").write_text(json.dumps(content))
    assert main(["count", "--peft", str(adapters / "other"), "--model", str(models / "gpt2")]) in (0, 1)
    out, err = capfd.readouterr()
    assert err == ""
    assert "does not know some_key_of_tomorrow and drops it" in out
