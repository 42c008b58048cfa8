"""Models beyond T5: their counts, their places, what runs on them and what is refused."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from architectures import CONFIGS, small
from conftest import CATALOG

from surveykit.catalog.dimensions import read_dimensions
from surveykit.catalog.load import Catalog, load
from surveykit.catalog.loading import Loading
from surveykit.catalog.measured import cells
from surveykit.catalog.model_folder import read_model
from surveykit.catalog.models import Model
from surveykit.catalog.records import Formula
from surveykit.catalog.selection import catalogued_model
from surveykit.engine import Attached, Instance, build, count
from surveykit.errors import CatalogError, FormulaError, RecipeError, SurveyError
from surveykit.recipes import Recipe, Where

# Published sizes, of the class that `parameters_source` names.
TOTALS = {
    "bert-base": 109_482_240,
    "bert-large": 335_141_888,
    "roberta-base": 124_645_632,
    "roberta-large": 355_359_744,
    "distilbert-base": 66_362_880,
    "bart-base": 139_420_416,
    "bart-large": 406_291_456,
    "gpt2-medium": 354_823_168,
}
LINEAR = ("query", "key", "value", "attention_output", "feed_forward_in", "feed_forward_out")
TINY = ("bert", "roberta", "distilbert", "bart", "gpt2")


def recipe(*edits: dict[str, Any], train: tuple[dict[str, Any], ...] = ()) -> Recipe:
    stage = {"name": "fine_tuning", "scope": "task", "edits": edits, "train": train}
    return Recipe.model_validate_json(json.dumps({"stages": [stage]}))


def low_rank(*roles: str) -> dict[str, Any]:
    return {"kind": "low_rank", "where": {"roles": roles}, "rank": 4, "alpha": 4.0, "gate": "none"}


def bottleneck(placement: str = "sequential") -> dict[str, Any]:
    return {
        "kind": "bottleneck", "where": {"roles": ["attention", "feed_forward"]}, "reduction": 4, "activation": "gelu",
        "placement": placement, "scaling": 1.0, "learned_scaling": False, "gate": "none", "initial_up": "normal",
    }  # fmt: skip


def prefix() -> dict[str, Any]:
    where = {"roles": ["attention"]}
    return {"kind": "prefix", "where": where, "length": 3, "hidden": None, "width": "inner", "gate": "none"}


def outputs(instance: Instance) -> torch.Tensor:
    ids = torch.randint(3, 50, (2, 7), generator=torch.Generator().manual_seed(1))
    given = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    if instance.blueprint.config.model_type == "bart":
        given["decoder_input_ids"] = ids[:, :5]
    with torch.no_grad():
        found: torch.Tensor = instance.model(**given)[0]
    return found


@pytest.mark.parametrize("name", TOTALS)
def test_totals_are_those_of_the_published_models(catalog: Catalog, name: str) -> None:
    instance = build(catalog.models[name])
    assert sum(p.numel() for p in instance.pretrained) == catalog.models[name].parameters == TOTALS[name]


@pytest.mark.parametrize("kind", CONFIGS)
def test_the_closed_form_is_the_model(kind: str) -> None:
    record = small(kind)
    instance, symbols = build(record), record.symbols()
    assert sum(p.numel() for p in instance.pretrained) == symbols["N"]
    named = dict(instance.model.named_parameters())
    norms = {n for n in named if "norm" in n.lower() or ".ln_" in n}
    outside = {n for n in named if n.startswith("pooler.")}
    assert sum(named[n].numel() for n in norms if n.endswith(".bias")) == symbols["Bn"]
    assert sum(p.numel() for n, p in named.items() if n.endswith(".bias") and n not in norms | outside) == symbols["B"]
    assert len({n for n in norms if n.endswith(".weight")}) == symbols["L"]


@pytest.mark.parametrize("kind", CONFIGS)
def test_a_formula_is_right_wherever_it_has_a_value(catalog: Catalog, kind: str) -> None:
    record = small(kind)
    instance, compared = build(record), 0
    for name, _, configuration in catalog.configurations():
        values = configuration.formula and configuration.formula.values_on(record.dimensions)
        try:
            counts = count(configuration.recipe, instance)
        except RecipeError:
            continue
        if values is not None:
            compared += 1
            assert values == {count: getattr(counts, count) for count in values}, name
    assert compared


def test_a_formula_that_ignores_shared_heads_has_no_value_where_heads_share() -> None:
    forms = dict.fromkeys(("added", "expanded", "stored", "changed", "update_rank"), "0")
    written = Formula.model_validate({"let": {}, "trainable": "A*I", **forms})
    shared, apart = small("qwen2").dimensions, small("llama").dimensions
    assert written.values_on(shared) is None
    assert (written.values_on(apart) or {})["trainable"] == 3 * 48
    spoken = written.model_copy(update={"trainable": "A*(I + Kv)"})
    assert (spoken.values_on(shared) or {})["trainable"] == 3 * (48 + 24)


def test_a_formula_has_no_value_where_a_model_is_not_as_it_assumes() -> None:
    forms = dict.fromkeys(("trainable", "added", "expanded", "stored", "changed", "update_rank"), "L*d")
    for trait, other in (
        ("encoder_and_decoder", "llama"),
        ("no_biases", "bart"),
        ("separate_matrices", "gpt2"),
        ("tokens_alone_embedded", "gpt2"),
    ):
        written = Formula.model_validate_json(json.dumps({"assumes": [trait], "let": {}, **forms}))
        assert written.values_on(small("t5").dimensions) is not None
        assert written.values_on(small(other).dimensions) is None
    assert written.values_on(small("llama", model_type="granite").dimensions) is None  # its layout is not known


def test_llama_3_2_3b_has_the_total_that_pefts_benchmark_reports(catalog: Catalog) -> None:
    assert catalog.models["llama-3.2-3b"].parameters == 3_212_749_824


@pytest.mark.parametrize("name", ["llama-2-70b", "gemma-2-2b", "qwen2.5-7b", "gpt3-175b", "stablelm-base-alpha-3b"])
def test_the_closed_form_of_a_published_configuration_is_the_model(catalog: Catalog, name: str) -> None:
    record = catalog.models[name]
    assert record.parameters is None
    assert build(record).parameters == record.symbols()["N"] == record.size


def test_a_model_of_no_known_layout_is_counted_and_has_no_symbols(catalog: Catalog) -> None:
    record = catalog.models["deberta-v2-xxlarge"]
    assert record.size is None
    assert 1.5e9 < build(record).parameters < 1.6e9  # its card says 1.5 billion
    with pytest.raises(FormulaError, match="no symbols for this model of type 'deberta-v2'"):
        record.symbols()


def test_the_class_that_is_counted_is_the_one_that_is_named() -> None:
    record = Model.model_validate({**small("bert").model_dump(), "counts": "BertForMaskedLM"})
    assert type(build(record).model).__name__ == "BertForMaskedLM"
    assert record.size is None
    with pytest.raises(SurveyError, match="tiny: transformers has no BertForCausalLM for 'bert' configurations"):
        build(small("bert").model_copy(update={"counts": "BertForCausalLM"}))


@pytest.mark.parametrize("architecture", TINY)
def test_every_place_is_there_once(architecture: str) -> None:
    record = small(architecture)
    instance, symbols = build(record), record.symbols()
    roles = Counter(slot.place.role for slot in instance.slots)
    fused = architecture == "gpt2"
    assert {roles[r] for r in ("query", "key", "value")} == {symbols["A"]}
    assert roles["attention"] == roles["attention_output"] == symbols["A"]
    assert roles["feed_forward"] == roles["feed_forward_in"] == roles["feed_forward_out"] == symbols["F"]
    assert roles["norm"] == symbols["L"]
    for slot in instance.slots:
        place = slot.place
        if place.role in ("attention_output", "attention", "feed_forward", "feed_forward_out"):
            assert place.fan_out == record.dimensions.d_model
        assert bool(slot.fused) is (fused and place.role in ("query", "key", "value"))
        if place.role in LINEAR and not slot.fused:
            assert place.shape == ((place.fan_in, place.fan_out) if fused else (place.fan_out, place.fan_in))
    modules = [slot.module for slot in instance.slots if slot.place.role != "input"]  # that one is the whole stack
    reached = {id(p) for module in modules for p in module.parameters()}
    assert {id(p) for p in instance.pretrained} == reached


@pytest.mark.parametrize("architecture", TINY)
def test_biases_alone_are_trained(architecture: str) -> None:
    record = small(architecture)
    wanted = recipe(train=({"roles": (*LINEAR, "norm"), "parameters": "bias"},))
    assert count(wanted, build(record)).trainable == record.symbols()["B"] + record.symbols()["Bn"]


def test_what_is_not_said_of_parameters_is_not_written() -> None:
    assert Where(roles=("norm",)).model_dump_json() == '{"roles":["norm"],"sublayers":null,"layers":null,"span":null}'
    assert '"parameters":"bias"' in Where(roles=("norm",), parameters="bias").model_dump_json()
    with pytest.raises(ValueError, match="an edit goes on modules"):
        recipe({**low_rank("query"), "where": {"roles": ["query"], "parameters": "bias"}})


@pytest.mark.parametrize("architecture", ["bert", "roberta", "distilbert", "bart"])
@pytest.mark.parametrize("kind", ["low_rank", "bottleneck"])
def test_updates_and_adapters_run(architecture: str, kind: str) -> None:
    instance = build(small(architecture), device="cpu", seed=3)
    before = outputs(instance)
    edit = low_rank(*LINEAR) if kind == "low_rank" else bottleneck()
    with Attached(instance, recipe(edit).stages[0]) as attached:
        with torch.no_grad():
            for parameter in attached.added():
                parameter.normal_(std=0.3)
        changed = outputs(instance)
        assert not torch.allclose(changed, before, atol=1e-4)
        assert bool(attached.merge()) is (kind == "bottleneck")
        torch.testing.assert_close(outputs(instance), changed, atol=1e-4, rtol=1e-4)
    if kind == "bottleneck":  # nothing was merged, so nothing stays
        torch.testing.assert_close(outputs(instance), before)


def test_a_side_network_is_refused() -> None:
    wanted = recipe({"kind": "layer_attention", "where": {"roles": ["input"], "sublayers": ["decoder.input"]}})
    with pytest.raises(RecipeError, match="layer_attention does not fit tiny: side networks are built like T5's"):
        count(wanted, build(small("bart")))


def test_a_sublayer_that_is_no_module_is_trained_by_its_matrices() -> None:
    record = small("bert")
    wanted = recipe(train=({"roles": ["attention"]},))
    assert count(wanted, build(record)).trainable == record.dimensions.encoder_layers * 4 * (48 * 48 + 48)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model of the catalog, to be spoilt."""
    return Path(shutil.copytree(CATALOG / "models" / "llama-3.2-3b", tmp_path / "m"))


def problems(folder: Path) -> list[str]:
    loading = Loading(folder)
    model = read_model(loading, folder)
    assert (model is None) is bool(loading.problems)
    return [str(problem) for problem in loading.problems]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"hidden_size": 3072,', "", "m/config.json: it does not say d_model; it needs hidden_size or d_model or n_embd or dim"),
        ('"vocab_size": 128256,', '"vocab_size": "many",', "m/config.json:{line}:3: vocab_size is 'many'; allowed are whole numbers from 1"),
        ('"num_key_value_heads": 8,', '"num_key_value_heads": 7,', "m/config.json:{line}:3: 24 heads cannot share 7 heads of keys"),
        ('"num_hidden_layers": 28,', '"num_hidden_layers": 1001,', "m/config.json:{line}:3: num_hidden_layers is 1001; allowed are"),
        ('"tie_word_embeddings": true', '"tie_word_embeddings": "yes"', "m/config.json:{line}:3: tie_word_embeddings is 'yes'; allowed are true and false"),
        ('"hidden_size": 3072,', '"hidden_size": 3072, "hidden_size": 1,', "m/config.json: not valid JSON: the key 'hidden_size' appears twice"),
        ('"rms_norm_eps": 1e-05', '"rms_norm_eps": NaN', "m/config.json: not valid JSON: NaN is not a JSON number"),
        ('"hidden_size": 3072,', '"hidden_size": 3072', "m/config.json:{next}:3: not valid JSON: Expecting ',' delimiter"),
        ('"intermediate_size": 8192,', '"intermediate_size": 8193,', "m/model.yaml:5:13: config.json gives 3,213,007,872 parameters, not 3,212,749,824"),
        ('"model_type": "llama",', "", "m/config.json: it needs a model_type"),
    ],
)  # fmt: skip
def test_what_a_configuration_lacks_is_told_with_its_place(folder: Path, old: str, new: str, said: str) -> None:
    path = folder / "config.json"
    text = path.read_text(encoding="utf-8")
    assert old in text
    line = text[: text.index(old)].count("\n") + 1
    path.write_text(text.replace(old, new), encoding="utf-8")
    [found] = problems(folder)
    assert found.startswith(said.format(line=line, next=line + 1))


def test_all_problems_of_a_model_are_told_at_once(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config |= {"hidden_size": 0, "num_hidden_layers": None, "vocab_size": 2.5}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (folder / "weights.bin").touch()
    found = problems(folder)
    assert len(found) == 4
    assert "m/weights.bin: only config.json and model.yaml belong here" in found
    (folder / "config.json").unlink()
    (folder / "model.yaml").write_text("name: X\nconts: X\n", encoding="utf-8")
    found = problems(folder)
    assert any(said.startswith("m/config.json: cannot be read") for said in found)
    assert any("unknown key 'conts'; did you mean 'counts'?" in said for said in found)


def test_an_id_may_hold_dots_and_names_no_other_folder(folder: Path) -> None:
    assert not problems(folder)
    assert catalogued_model(CATALOG, "llama-3.2-3b") is not None
    assert catalogued_model(CATALOG, "../models/llama-3.2-3b") is None
    strange = folder.rename(folder.with_name("Llama..3"))
    assert ": the name of a model's folder is its id" in problems(strange)[0]


def test_what_no_layout_has_is_counted_without_a_formula() -> None:
    for unusual in (small("llama", attention_bias=True), small("llama", mlp_bias=True)):
        assert unusual.size is None
        assert build(unusual).parameters > (small("llama").size or 0)
    for head, own in (("GPT2LMHeadModel", 1), ("GPT2Model", 0)):
        untied = Model.model_validate({**small("gpt2", tie_word_embeddings=False).model_dump(), "counts": head})
        assert untied.symbols()["T"] == 1 + own
        assert build(untied).parameters == untied.size


def test_dimensions_have_many_names() -> None:
    neo = {"model_type": "x", "n_embd": 12, "n_layer": 2, "n_head": 3, "n_inner": None, "vocab_size": 7}
    found, none = read_dimensions(neo, "XForCausalLM")
    assert found is not None
    assert not none
    assert (found.d_ff, found.d_kv, found.kv_heads, found.decoder_layers, found.encoder_layers) == (48, 4, 3, 2, 0)
    assert found.gated is None
    text = {"model_type": "y", "text_config": {**neo, "model_type": "z"}}
    assert read_dimensions(text, "YModel")[0] == replace(
        found, model_type="y", encoder_layers=2, decoder_layers=0, gated=None
    )
    t5 = small("t5-gated").dimensions
    assert (t5.gated, t5.tied, t5.relative_buckets) == (True, False, 6)


def test_other_models_are_counted_where_a_configuration_or_a_source_names_them(catalog: Catalog) -> None:
    named = {(b, name) for name, _, c in catalog.configurations() for b in c.also_on}
    claimed = {(b, name) for name, models in catalog.claimed.items() for b in models}
    assert named
    assert claimed - named
    others = {(c.backbone, c.configuration) for c in cells(catalog) if c.backbone in TOTALS}
    assert others == {(b, name) for b, name in named | claimed if b in TOTALS}
    assert not {c.backbone for c in cells(catalog, "costs")} & set(TOTALS)


def test_an_unknown_model_is_reported_with_the_nearest(tmp_path: Path) -> None:
    root = Path(shutil.copytree(CATALOG, tmp_path / "catalog"))
    path = root / "methods" / "lora.yaml"
    text = path.read_text(encoding="utf-8")
    assert "also_on: [roberta-base]" in text
    path.write_text(text.replace("also_on: [roberta-base]", "also_on: [roberta-bse]"), encoding="utf-8")
    with pytest.raises(CatalogError) as caught:
        load(root, measured=False)
    [problem] = caught.value.problems
    assert "no model 'roberta-bse'; did you mean 'roberta-base'?" in str(problem)
    assert problem.line == text[: text.index("also_on: [roberta-base]")].count("\n") + 1
