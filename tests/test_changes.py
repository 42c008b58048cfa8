"""Hyper-parameters, targets, layers, trained modules and heads as a user says them: what is read, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest
import small_catalog
import small_models
from small_text_model import save_bert

import surveykit
from surveykit.catalog.changes import Changes, changes_of
from surveykit.catalog.load import Catalog
from surveykit.cli import main
from surveykit.errors import ChangeError, SurveyError

CHANGED = "lora/qv-r8 · rank=2 · top_layers=1"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small catalog, a small decoder, and a small encoder with weights."""
    folder = tmp_path_factory.mktemp("changes")
    small_catalog.write(folder / "catalog")
    small_models.CONFIGS["llama"]().save_pretrained(folder / "llama")
    save_bert(folder / "bert")
    return folder


def count(folder: Path, **options: Any) -> surveykit.engine.on_model.CountOnModel:  # type: ignore[name-defined]
    return surveykit.count("lora", model=folder / "llama", catalog=folder / "catalog", **options)


def test_a_model_of_the_catalog_with_another_rank_and_targets(capsys: pytest.CaptureFixture[str]) -> None:
    """28 layers of width 3072, 24 heads of 128 and 8 for values: 28 · 32 · (3072 + 3072 + 3072 + 1024)."""
    words = ["count", "lora", "--model", "llama-3.2-3b", "--set", "rank=32", "--targets", "q_proj,v_proj"]
    assert main(words) == 0
    assert "lora/qv-r8 · rank=32 · targets=q_proj,v_proj  9,175,040" in capsys.readouterr().out
    assert main([*words, "--format", "json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    found = surveykit.count("lora", model="llama-3.2-3b", rank=32, targets=["q_proj", "v_proj"])
    assert (row["trainable"], row["configuration"]) == (found.trainable, found.configuration)
    assert found.trainable == 28 * 32 * (3072 + 3072 + 3072 + 1024) == 9_175_040


SAME: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"targets": "q_proj,v_proj"}, {"targets": ["q_proj", "v_proj"]}),
    ({"targets": " q_proj, v_proj,q_proj,"}, {"targets": ("q_proj", "v_proj")}),
    ({"targets": "All-Linear"}, {"targets": "all-linear"}),
    ({"layers": "0-2"}, {"layers": range(3)}),
    ({"layers": "0,2,-1"}, {"layers": [0, 2, -1, 0]}),
    ({"layers": "-2--1"}, {"layers": [-2, -1]}),
    ({"roles": "query,value"}, {"roles": ["query", "value"]}),
    ({"also_train": "lm_head"}, {"also_train": ["lm_head"]}),
    ({"set": {"rank": 3}}, {"further": {"rank": 3}}),
]


@pytest.mark.parametrize(("typed", "python"), SAME)
def test_texts_and_values_of_python_say_the_same(typed: dict[str, Any], python: dict[str, Any]) -> None:
    assert changes_of(**typed) == changes_of(**python) != Changes()


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"set": {"rank": 2, "alpha": 0.5}}, "x/y · alpha=0.5 · rank=2"),
        ({"targets": "all-linear", "layers": "0-11"}, "x/y · targets=all-linear · layers=0-11"),
        ({"targets": r".*\.(q|v)_proj", "layers": "0,3,-1"}, r"x/y · targets=.*\.(q|v)_proj · layers=0,3,-1"),
        ({"roles": "query,key", "top_layers": 2, "head": 3}, "x/y · roles=query,key · top_layers=2 · head=3"),
        ({"also_train": ["lm_head", "embed_tokens"]}, "x/y · also_train=lm_head,embed_tokens"),
        ({}, "x/y"),
    ],
)
def test_a_name_says_what_was_changed(options: dict[str, Any], name: str) -> None:
    assert changes_of(**options).name("x/y") == name


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"targets": ""}, "targets names nothing; it must be names of linear layers such as q_proj,v_proj"),
    ({"targets": []}, "targets names nothing"),
    ({"targets": 5}, "targets is 5; it must be names"),
    ({"targets": [1]}, r"targets is \[1\]; it must be names"),
    (
        {"targets": ".*(q_proj"},
        r"targets: '\.\*\(q_proj' is not a regular expression: missing \), unterminated subpattern",
    ),
    ({"roles": "queri"}, "there is no role 'queri'; did you mean 'query'"),
    ({"roles": [2]}, r"roles is \[2\]; it must be roles such as query,value"),
    ({"layers": "5-2"}, "'5-2' is not a layer or a range of layers; write 0-11"),
    ({"layers": "first"}, "'first' is not a layer"),
    ({"layers": []}, r"layers is \[\]; it must be whole numbers"),
    ({"layers": [0.5]}, r"layers is \[0.5\]"),
    ({"layers": 2.5}, "layers is 2.5"),
    ({"top_layers": 0}, "top_layers is 0; it must be a whole number of at least 1"),
    ({"head": True}, "head is True; it must be a whole number of at least 1"),
    ({"also_train": ","}, "also_train names nothing"),
    ({"set": 5}, "set is 5; it must be hyper-parameters by name"),
    ({"set": {"rank": numpy.int64(3)}}, r"rank is np.int64\(3\); it must be a number"),
    ({"set": {"rank": 3}, "further": {"rank": 4}}, "rank is set twice"),
    ({"targets": "q_proj", "roles": "query"}, "targets and roles both say where edits go"),
    ({"layers": "0", "top_layers": 1}, "layers and top_layers both choose layers"),
    ({"set": {"roles": ["key"]}, "targets": "q_proj"}, "roles is set, and targets says where edits go too"),
    ({"set": {"layers@1": [0]}, "top_layers": 1}, "layers is set, and layers are chosen too"),
]


@pytest.mark.parametrize(("options", "message"), WRONG)
def test_what_says_nothing_or_two_things_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ChangeError, match=message):
        changes_of(**options)


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(ChangeError) as caught:
        changes_of(targets="", layers="a", head=0)
    assert [fault.partition(" ")[0] for fault in caught.value.faults] == ["targets", "'a'", "head"]


NOT_THERE: list[tuple[dict[str, Any], str]] = [
    (
        {"rnak": 3},
        "lora/qv-r8: no edit has a hyper-parameter 'rnak'; did you mean 'rank'.*there are alpha, gate, initial, layers",
    ),
    ({"rank": "big"}, "lora/qv-r8: rank is big; it must be a whole number from 1"),
    ({"rank": 2.0}, "rank is 2.0; it must be a whole number"),
    ({"rank": True}, "rank is true; it must be a whole number"),
    ({"alpha": float("nan")}, "alpha is nan; it must be a number above 0"),
    ({"set": {"rank@2": 3}}, "there is no edit '2' in 'rank@2'; there are 1"),
    (
        {"targets": "query_proj"},
        "has no module 'query_proj'; did you mean 'q_proj'.*the linear layers .* are q_proj, k_proj",
    ),
    ({"targets": r".*\.qq"}, "matches the whole path of no linear layer, such as model.layers.0.self_attn.q_proj"),
    ({"targets": "lm_head"}, "'lm_head' is the output layer, which also_train trains"),
    ({"targets": "norm"}, "'norm' is not a linear layer but a LlamaRMSNorm"),
    ({"targets": "layers.0.mlp.up_proj", "layers": "1"}, "none of the targets is in the chosen layers"),
    ({"layers": "0-3"}, "has 3 layers, 0 to 2; there is no layer 3"),
    ({"layers": [-4]}, "there is no layer -4"),
    ({"layers": "0-99"}, "has 3 layers, 0 to 2; there is no layer 3, 4 … 99"),
    ({"set": {"layers": [0, 7]}}, "there is no layer 7"),
    ({"top_layers": 4}, "has 3 layers, fewer than the top 4"),
    ({"also_train": "lmhead"}, "has no module 'lmhead' to train; did you mean 'lm_head'"),
    ({"also_train": "model"}, "also_train already trains every target"),
    ({"roles": "norm"}, "no edit can go on norm: its edits can go on attention_output"),
    ({"rank": 3, "trainable_budget": "1%"}, "rank is set, and the budget of trainable parameters sets it too"),
]


@pytest.mark.parametrize(("options", "message"), NOT_THERE)
def test_what_a_method_or_a_model_does_not_have_is_refused(folder: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ChangeError, match=message):
        count(folder, **options)


def test_a_method_without_hyper_parameters_says_so(folder: Path) -> None:
    with pytest.raises(ChangeError, match="full-tuning/all: it has no hyper-parameters, and so no 'rank'"):
        surveykit.count("full-tuning", model=folder / "llama", catalog=folder / "catalog", rank=2)
    with pytest.raises(ChangeError, match="no edit is on linear layers, which targets name: it goes on attention"):
        surveykit.count("prefix-tuning", model=folder / "llama", catalog=folder / "catalog", targets="all-linear")


def test_a_change_that_fits_some_methods_is_made_there_and_told(folder: Path) -> None:
    lora, whole = surveykit.count(["lora", "full-tuning"], model=folder / "llama", catalog=folder / "catalog", rank=2)
    assert (lora.configuration, whole.configuration) == ("lora/qv-r8 · rank=2", "full-tuning/all")
    assert lora.model.notes == ("rank: no effect on full-tuning/all",)


def test_a_change_by_a_command_is_the_change_by_the_function(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        "--targets",
        "all-linear",
        "--layers=-2,-1",
        "--set",
        "rank=3",
        "--set",
        "alpha=9",
        "--also-train",
        "lm_head",
    ]
    model = ["--catalog", str(folder / "catalog"), "count", "lora", "--model", str(folder / "llama")]
    assert main([*model, *words, "--format", "json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    found = count(folder, targets="all-linear", layers=[-2, -1], rank=3, alpha=9, also_train=["lm_head"])
    assert row["configuration"] == found.configuration
    assert row["trainable"] == found.trainable


def fitted(folder: Path, **options: Any) -> str:
    asked: dict[str, Any] = {"gpu_memory": "1GB", "batch": 2, "length": 8, "methods": "lora"}
    answer = surveykit.fit(folder / "llama", **asked, catalog=folder / "catalog", **options)
    return answer.choices[0].candidate.configuration


def measured(folder: Path, **options: Any) -> str:
    model: dict[str, Any] = {"model": folder / "llama", "length": 8}
    return surveykit.measure("lora", **model, catalog=folder / "catalog", **options)[0].configuration


def tried(folder: Path, **options: Any) -> str:
    model: dict[str, Any] = {"model": folder / "bert", "steps": 1, "batch": 2, "length": 8}
    return surveykit.trial("lora", **model, catalog=folder / "catalog", **options).rows[-1].configuration


def compared(folder: Path, **options: Any) -> str:
    found = surveykit.compare(["lora", "full-tuning"], backbone="t5-large", catalog=folder / "catalog", **options)
    name: str = found.properties["configuration"][0]
    return name


def checked(folder: Path, **options: Any) -> str:
    (folder / "claims.csv").write_text("method,column,printed\nlora,trainable,1\n", encoding="utf-8")
    (found,) = surveykit.check(folder / "claims.csv", model=folder / "llama", catalog=folder / "catalog", **options)
    return found.verdict.found.configuration or ""


@pytest.mark.parametrize("command", [fitted, measured, tried, compared, checked])
def test_every_command_changes_configurations_and_says_so(folder: Path, command: Callable[..., str]) -> None:
    assert command(folder, rank=2, top_layers=1) == CHANGED
    with pytest.raises(SurveyError, match="did you mean 'rank'"):
        command(folder, rnak=2)
    assert command(folder, trainable_budget="1%").partition(" ")[0] == "lora/qv-r8"


def test_a_head_is_trained_on_weights_and_is_no_change_of_them(folder: Path) -> None:
    """The model's own head, (2, 48) and its bias; its labels must be those of the texts."""
    model: dict[str, Any] = {"model": folder / "bert", "steps": 2, "batch": 2, "length": 8}
    trials = surveykit.trial("lora", **model, catalog=folder / "catalog", rank=2, head=2)
    alone = surveykit.trial("lora", **model, catalog=folder / "catalog", rank=2).rows[-1]
    assert trials.passed
    assert (trials.rows[-1].trainable or 0) - (alone.trainable or 0) == 2 * 48 + 2
    assert trials.rows[-1].can_change == alone.can_change
    with pytest.raises(SurveyError, match="the head has 3 labels, but the texts have 2: complaint, praise"):
        surveykit.trial("lora", **model, catalog=folder / "catalog", head=3)


def test_a_comparison_with_changes_is_counted_and_traced_now(folder: Path) -> None:
    found = surveykit.compare(
        ["lora", "full-tuning"], backbone="t5-large", catalog=folder / "catalog", rank=16, roles="query"
    )
    counted = surveykit.count("lora", model="t5-large", catalog=folder / "catalog", rank=16, roles="query")
    assert found.properties["trainable_measured"][0] == counted.trainable == 72 * 16 * (1024 + 1024)
    assert found.properties["overhead_merged"] == ("none", "none")
    assert found.notes == ("rank: no effect on full-tuning/all", "roles: no effect on full-tuning/all")


def test_what_is_recorded_is_not_changed(folder: Path) -> None:
    with pytest.raises(SurveyError, match="for anything else, name a model with --model"):
        surveykit.measure("lora", catalog=folder / "catalog", rank=2)  # type: ignore[call-overload]


def test_show_lists_what_can_be_set(catalog: Catalog, capsys: pytest.CaptureFixture[str]) -> None:
    portrait = surveykit.show("lora")
    rank = next(one for one in portrait.hyper_parameters if one.name == "rank")
    assert (rank.values, rank.allowed) == ((8,), "a whole number from 1")
    assert main(["show", "lora"]) == 0
    shown = capsys.readouterr().out
    assert "rank=8 " in shown
    recipe = catalog.recipe("lora/qv-r8")
    assert "scaling=rank " in shown  # a default that is not dumped is shown all the same
    for one in portrait.hyper_parameters:  # whatever is listed can be set
        Changes(set={one.name: one.values[0]}).apply(recipe)


def test_a_table_of_claims_changes_configurations_by_columns(folder: Path) -> None:
    """Of each row; what a row says goes before what is said of all."""
    expected = [
        count(folder, rank=2, targets=["q_proj", "up_proj"]),
        count(folder, rank=5, layers="0-1"),
        count(folder, rank=2, head=3),
    ]
    rows = [
        f'lora,trainable,{expected[0].trainable},"q_proj,up_proj",,,',
        f"lora,trainable,{expected[1].trainable},,0-1,5,",
        f"lora,trainable,{expected[2].trainable},,,,3",
        "full-tuning,trainable,1,,,,",
    ]
    table = folder / "claims.csv"
    table.write_text("\n".join(["method,column,printed,targets,layers,rank,head", *rows]), encoding="utf-8")
    found = surveykit.check(table, model=folder / "llama", catalog=folder / "catalog", set={"rank": 2})
    assert [one.verdict.word for one in found] == ["match"] * 3 + ["differs"]
    assert [one.verdict.claim.configuration for one in found[:3]] == [one.configuration for one in expected]
    assert "rank: no effect on full-tuning/all" in found[0].notes
    assert found[2].verdict.claim.model == f"{folder / 'llama'} · head=3"


def test_a_budget_sizes_the_configurations_of_a_table(folder: Path) -> None:
    """What rank it set is told; a row that sets the rank itself is refused."""
    sized = count(folder, trainable_budget="1%")
    table = folder / "claims.csv"
    table.write_text(f"method,column,printed,rank\nlora,trainable,{sized.trainable},\n", encoding="utf-8")
    (found,) = surveykit.check(table, model=folder / "llama", catalog=folder / "catalog", trainable_budget="1%")
    assert (found.verdict.word, found.size) == ("match", sized.size)
    table.write_text("method,column,printed,rank\nlora,trainable,1,4\n", encoding="utf-8")
    with pytest.raises(
        surveykit.errors.CatalogError, match=r"claims.csv:2:1: rank is set, and the budget .* sets it too"
    ):
        surveykit.check(table, model=folder / "llama", catalog=folder / "catalog", trainable_budget="1%")


def test_every_fault_of_the_changes_of_a_table_is_told_with_its_line(folder: Path) -> None:
    table = folder / "faults.csv"
    for text, faults in {
        "lora,trainable,1,nope,\nlora,trainable,1,,9\n": ["2:1: ", "3:1: "],
        "lora,trainable,1,(,\nfull-tuning,trainable,1,q_proj,\nlora,trainable,1,,x\n": ["2:1: ", "3:1: ", "4:1: "],
    }.items():
        table.write_text(f"method,column,printed,targets,top_layers\n{text}", encoding="utf-8")
        with pytest.raises(surveykit.errors.CatalogError) as caught:
            surveykit.check(table, model=folder / "llama", catalog=folder / "catalog")
        assert [str(problem)[len("faults.csv:") :][:5] for problem in caught.value.problems] == faults
