"""A user's own model: what is read, built, counted, traced, and what is said where that fails."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import CATALOG
from small_models import CONFIGS, DECODERS, ENCODERS

from surveykit.catalog.load import Catalog
from surveykit.cli import main
from surveykit.engine import count, instance_of, open_config
from surveykit.engine.models.model import blueprint_of
from surveykit.engine.models.walk import parameters_of, tensors_of
from surveykit.engine.on_model import model_named
from surveykit.engine.trace import costs
from surveykit.engine.trace.costs import Costs
from surveykit.errors import RecipeError, SurveyError


def written(folder: Path, family: str) -> Path:
    CONFIGS[family]().save_pretrained(folder)
    return folder


@pytest.mark.parametrize("family", CONFIGS)
def test_a_model_is_the_same_from_a_folder_a_file_and_a_configuration(family: str, tmp_path: Path) -> None:
    made = instance_of(CONFIGS[family]())
    config = written(tmp_path / "mine", family) / "config.json"
    if "v1.1" in family or family in (
        "mt5",
        "umt5",
    ):  # transformers does not write what it was told of the output layer
        config.write_text(json.dumps({**json.loads(config.read_text()), "tie_word_embeddings": False}))
    for source in (config.parent, config):
        found = instance_of(str(source))
        assert (found.name, found.parameters) == ("mine", made.parameters)
        assert [slot.place for slot in found.slots] == [slot.place for slot in made.slots]
    table, head = found.model.get_input_embeddings(), found.model.get_output_embeddings()
    if head is not None:
        tied = CONFIGS[family]().tie_word_embeddings
        assert (head.weight is table.weight) is tied


@pytest.mark.parametrize("family", CONFIGS)
def test_every_parameter_of_a_block_has_a_role(family: str) -> None:
    instance = instance_of(CONFIGS[family]())
    reached = {
        id(p)
        for s in instance.slots
        if s.place.role not in ("input", "block")
        for m in s.held()
        for p in m.parameters()
    }
    inside = {id(p): n for _, block in instance.blocks for n, p in block.named_parameters()}
    assert not {name for identity, name in inside.items() if identity not in reached}
    assert len(instance.blocks) == sum(instance.blueprint.depths.values())


@pytest.mark.parametrize("family", CONFIGS)
def test_walks_over_a_model_are_torchs(family: str) -> None:
    """With a module that is in two places, and one that is missing."""
    model = instance_of(CONFIGS[family]()).model
    model.add_module("again", next(model.children()))
    model.register_module("missing", None)
    assert [id(p) for p in parameters_of(model)] == [id(p) for p in model.parameters()]
    assert {id(t) for t in tensors_of(model)} == {id(t) for t in (*model.parameters(), *model.buffers())}
    assert len(tensors_of(model)) == len({id(t) for t in tensors_of(model)})


def test_a_head_around_the_model_changes_no_place() -> None:
    bare, headed = CONFIGS["bert"](), CONFIGS["bert"]()
    headed.architectures = ["BertForMaskedLM"]
    one, other = instance_of(bare), instance_of(headed)
    assert type(other.model).__name__ == "BertForMaskedLM"
    places = [[s.place for s in i.slots if s.place.role != "head"] for i in (one, other)]
    assert places[0] == places[1]


def test_an_architecture_that_transformers_does_not_know_is_the_natural_one() -> None:
    config = CONFIGS["llama"]()
    config.architectures = ["SomebodysOwn", "Trainer", "BertModel"]
    assert blueprint_of(config).model_class.__name__ == "LlamaForCausalLM"


def test_a_catalogued_backbone_is_named_by_its_id(catalog: Catalog) -> None:
    assert model_named("t5-small", CATALOG).build().parameters == catalog.models["t5-small"].parameters


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (
            {"quant_method": "bitsandbytes", "load_in_4bit": True},
            "is heard: linear layers are held by bitsandbytes, 4 bits a weight and 4 bytes for each 64 weights",
        ),
        ({"quant_method": "gptq", "bits": 8}, "held by GPTQ, 8 bits a weight, and 2 bytes and 8 bits for each 128"),
        ({"quant_method": "fp8"}, "quantization_config (fp8) is ignored"),
    ],
)
def test_what_becomes_of_a_quantization_is_said(
    asked: dict[str, Any], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = written(tmp_path, "llama") / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "quantization_config": asked}))
    for words in (["count"], ["measure", "--batch", "1", "--length", "4"]):
        assert main([words[0], "lora", "--model", str(config), *words[1:]]) == 0
        assert said in capsys.readouterr().out
    assert blueprint_of(CONFIGS["llama"]()).notes == ()


BROKEN = {
    "{broken": "config.json is not valid JSON",
    "[]": "model_type",
    "{}": "model_type",
    '{"model_type": "nope"}': "has no models of type 'nope'; a newer transformers may have them",
    '{"model_type": "llama", "hidden_size": "x"}': "hidden_size",
    '{"model_type": "opt", "hidden_size": 30, "num_attention_heads": 7}': "transformers cannot build OPTForCausalLM from this",
    '{"model_type": "resnet"}': "ResNetModel has no blocks: no list of modules with linear layers or attentions",
    '{"model_type": "sam_mask_decoder"}': "transformers has no model for configurations of type",
    '{"model_type": "llama", "num_hidden_layers": 0}': "no blocks",
}


@pytest.mark.parametrize("text", BROKEN)
def test_a_configuration_that_is_no_good_is_one_line(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config.json").write_text(text)
    assert main(["count", "lora", "--model", str(tmp_path)]) == 2
    out, err = capsys.readouterr()
    [line] = [line for line in err.splitlines() if line.startswith("surveykit:")]
    assert not out
    assert "Traceback" not in err
    assert BROKEN[text] in line


@pytest.mark.parametrize("source", ["./nowhere", "a/b/c", "missing.json", "bad name"])
def test_what_is_neither_here_nor_a_name_is_said_without_a_network(source: str) -> None:
    with pytest.raises(SurveyError, match="folder"):
        open_config(source)


class _Hub(BaseHTTPRequestHandler):
    """Answers like the hub: a gated model, one that is not there, one that is."""

    def do_HEAD(self) -> None:
        gated = "gated" in self.path
        self.send_response(401 if gated else 404)
        self.send_header("X-Error-Code", "GatedRepo" if gated else "RepoNotFound")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), _Hub)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", address)
    monkeypatch.setattr(
        "huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}"
    )
    monkeypatch.setattr(
        "huggingface_hub.file_download.HUGGINGFACE_CO_URL_TEMPLATE",
        address + "/{repo_id}/resolve/{revision}/{filename}",
        raising=False,
    )
    yield address
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("source", "message"), [("owner/gated-model", "is gated on the hub"), ("owner/absent", "the hub shows no model")]
)
def test_the_hub_says_no(hub: str, source: str, message: str) -> None:
    with pytest.raises(SurveyError, match=message):
        open_config(source)


def test_a_hub_that_cannot_be_reached_is_one_line_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:  # and not listened to, so that nobody answers there
        taken.bind(("127.0.0.1", 0))
        template = f"http://127.0.0.1:{taken.getsockname()[1]}/" + "{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr("huggingface_hub.file_download.HUGGINGFACE_CO_URL_TEMPLATE", template, raising=False)
        with pytest.raises(SurveyError, match="the hub cannot be reached"):
            open_config("owner/model")


@pytest.mark.sampled("family", "name")
@pytest.mark.parametrize("name", ["full-tuning/all", "lora/all-linear-r8", "adapters/rf16", "prefix-tuning/flat-p30"])
@pytest.mark.parametrize("family", ["llama", "bert", "opt", "qwen3"])
def test_costs_at_two_depths_are_those_at_full_depth(
    catalog: Catalog, family: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    blueprint = blueprint_of(CONFIGS[family]()).cut(8)
    stage, recipe = catalog.recipe(name).stages[-1], catalog.recipe(name)
    carried = Costs(blueprint)
    step, inference = carried.training(stage, 2, 16), carried.inference(recipe)
    assert set(carried._instances) == set(costs.DEPTHS)
    monkeypatch.setattr(costs, "DEPTHS", (8, 9))
    whole = Costs(blueprint)
    assert whole.training(stage, 2, 16) == step
    assert whole.inference(recipe) == inference
    assert step.backprop.blocks_input_gradient > 0


def test_more_positions_than_a_model_has_are_refused(catalog: Catalog) -> None:
    with pytest.raises(SurveyError, match="gpt2 has 300 positions, fewer than the 301 to trace"):
        Costs(blueprint_of(CONFIGS["gpt2"]())).training(catalog.recipe("ln-tuning/norms").stages[-1], 1, 301)


def test_positions_are_counted_where_they_have_a_table(catalog: Catalog) -> None:
    """RoBERTa's begin behind that of padding; Llama rotates any number."""
    found = {family: [s.positions for s in instance_of(CONFIGS[family]()).slots if s.blocks] for family in CONFIGS}
    assert (found["bert"], found["roberta"], found["bart"]) == ([302], [301], [300, 300])
    assert (found["opt"], found["gpt2"], found["pegasus"]) == ([300], [300], [300, 300])
    assert (found["llama"], found["t5"], found["gpt_neox"]) == ([None], [None, None], [None])
    Costs(blueprint_of(CONFIGS["llama"]())).training(catalog.recipe("ln-tuning/norms").stages[-1], 1, 301)


def test_what_stops_in_our_code_is_not_said_of_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a hook of ours inside the model, and of a layer of the model's own."""
    instance = instance_of(CONFIGS["bert"](), device="cpu")
    ids = {"input_ids": torch.ones(1, 4, dtype=torch.long)}

    def ours(module: Any, args: Any) -> None:
        raise KeyError("ours")

    ours.__globals__["__name__"], before = "surveykit.engine.edits.hooks", ours.__globals__["__name__"]
    handle = instance.blocks[0][1].register_forward_pre_hook(ours)
    try:
        with pytest.raises(KeyError, match="ours"):
            instance.run(ids)
    finally:
        handle.remove()
        ours.__globals__["__name__"] = before
    with pytest.raises(RecipeError, match="bert does not run: BertModel stops with: index out of range"):
        instance.run({"input_ids": torch.full((1, 4), 1000)})


@pytest.mark.parametrize("family", [*DECODERS, *ENCODERS])
def test_training_can_be_traced_without_weights(catalog: Catalog, family: str) -> None:
    blueprint = blueprint_of(CONFIGS[family]())
    norms = Costs(blueprint).training(catalog.recipe("ln-tuning/norms").stages[-1], 2, 8)
    full = Costs(blueprint).training(catalog.recipe("full-tuning/all").stages[-1], 2, 8)
    size = blueprint.build().parameters
    assert norms.memory.gradients < full.memory.gradients <= 2 * size
    assert full.memory.peak > norms.memory.peak > 2 * size
    assert full.backward_flops > norms.backward_flops > 0


def run(capsys: pytest.CaptureFixture[str], *words: str) -> list[dict[str, Any]]:
    main([*words, "--format", "json"])
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return found


@pytest.mark.parametrize("family", ["llama", "gpt2", "bert", "mt5"])
def test_every_method_has_counts_or_a_reason(
    family: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], catalog: Catalog
) -> None:
    rows = run(capsys, "count", "all", "--model", str(written(tmp_path, family)))
    assert {row["configuration"].split("/")[0] for row in rows} == {
        name for name, method in catalog.methods.items() if method.configurations
    }
    for row in rows:
        assert (row["reason"] is None) == bool(row["trainable"])
        assert row["reason"] is None or 20 < len(row["reason"]) < 300
    reasons = {row["configuration"].split("/")[0]: row["reason"] for row in rows}
    assert bool(reasons["cross-attention-tuning"]) is (family != "mt5")
    assert bool(reasons["ladder-side-tuning"]) is (family != "mt5")
    assert reasons["lora"] is None


def test_bitfit_where_there_is_no_bias_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    [row] = run(capsys, "count", "bitfit/native", "--model", str(written(tmp_path, "llama")))
    assert row["trainable"] == 0
    assert "no such parameters (biases" in row["reason"]
    [row] = run(capsys, "count", "bitfit", "--config", "native", "--model", str(written(tmp_path, "qwen2")))
    instance = instance_of(CONFIGS["qwen2"]())
    assert row["trainable"] == sum(p.numel() for n, p in instance.model.named_parameters() if n.endswith("bias"))


@pytest.mark.parametrize("budget", ["0.5%", "5%", "3k", "1"])
@pytest.mark.parametrize("method", ["lora", "prompt-tuning", "adapters", "prefix-tuning/flat-p30", "adalora", "far"])
def test_a_budget_finds_the_nearest_size(
    method: str, budget: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], catalog: Catalog
) -> None:
    from surveykit.engine.budget import resized

    [row] = run(capsys, "count", method, "--model", str(written(tmp_path, "qwen3")), "--trainable-budget", budget)
    instance = instance_of(CONFIGS["qwen3"]())
    target = {"0.5%": 0.005 * instance.parameters, "5%": 0.05 * instance.parameters, "3k": 3000, "1": 1}[budget]
    recipe, size = catalog.recipe(row["configuration"]), int(row["size"].split()[-1])
    reached = row["trainable"] if row["trainable_last_stage"] is None else row["trainable_last_stage"]
    assert count(resized(recipe, size), instance).trainable_task == reached
    for other in {max(1, size - 1), min(size + 1, 100) if method == "far" else size + 1}:
        trained = count(resized(recipe, other), instance).trainable_task
        assert abs(trained - target) >= abs(reached - target)


@pytest.mark.parametrize(
    ("method", "reason"),
    [("ia3", "no hyper-parameter"), ("unipelt", "several hyper-parameters"), ("cross-attention-tuning", "no hyper")],
)
def test_a_method_without_a_size_says_so(
    method: str, reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = str(written(tmp_path, "llama"))
    [row] = run(capsys, "count", method, "--model", model, "--trainable-budget", "1%")
    assert reason in row["reason"]
    assert main(["count", method, "--model", model, "--trainable-budget", "1%"]) == 1


PARTS = ("weights", "optimizer", "gradients", "logits", "activations", "working")


def test_costs_are_printed_and_not_recorded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = str(written(tmp_path, "llama"))
    rows = run(capsys, "measure", "lora", "cross-attention-tuning", "--model", model, "--batch", "2", "--length", "16")
    lora, cross = rows
    assert lora["peak_bytes"] == sum(lora[f"{part}_bytes"] for part in PARTS) > 0
    assert (lora["blocks"], lora["blocks_backward"], lora["overhead"], lora["overhead_merged"]) == (
        3,
        3,
        "linear",
        "none",
    )
    assert lora["inference_flops"] > lora["merged_flops"] == lora["bare_flops"]
    assert "a decoder alone" in cross["reason"]


@pytest.mark.parametrize(
    "words",
    [
        ["measure", "--model", "t5-small"],
        ["measure", "lora", "--model", "t5-small", "--all"],
        ["measure", "lora", "--model", "t5-small", "--batch", "0"],
        ["count", "lora"],
        ["count", "lroa", "--model", "t5-small"],
        ["count", "lora/none", "--model", "t5-small"],
        ["count", "lora", "--model", "t5-small", "--trainable-budget", "0"],
        ["count", "lora", "--model", "t5-small", "--trainable-budget", "200%"],
        ["count", "lora", "--model", "t5-small", "--trainable-budget", "much"],
    ],
)
def test_wrong_usage_is_code_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_a_model_is_built_on_the_cpu_with_its_seed() -> None:
    one, same, other = (instance_of(CONFIGS["mistral"](), device="cpu", seed=seed) for seed in (1, 1, 2))
    assert all(torch.equal(a, b) for a, b in zip(one.pretrained, same.pretrained, strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(one.pretrained, other.pretrained, strict=True))
