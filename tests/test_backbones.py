"""Backbones beyond T5: their counts, their places, what runs on them and what is refused."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import CATALOG

from surveykit.catalog.load import Catalog, load
from surveykit.catalog.measured import cells
from surveykit.catalog.models import Model
from surveykit.engine import Attached, Instance, build, count
from surveykit.errors import CatalogError, RecipeError
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
TINY: dict[str, dict[str, Any]] = {
    "bert": {"encoder_layers": 3, "decoder_layers": 0, "positions": 20, "token_types": 2},
    "roberta": {"encoder_layers": 2, "decoder_layers": 0, "positions": 22, "token_types": 1},
    "distilbert": {"encoder_layers": 2, "decoder_layers": 0, "positions": 20},
    "bart": {"encoder_layers": 2, "decoder_layers": 3, "positions": 22},
    "gpt2": {"encoder_layers": 0, "decoder_layers": 2, "positions": 20},
}


def tiny(architecture: str) -> Model:
    given = {
        "id": "tiny", "name": "tiny", "survey_label": None, "checkpoint": "none/none", "architecture": architecture,
        "paper": "none", "d_model": 48, "d_ff": 80, "d_kv": 12, "heads": 4, "vocabulary": 60, "relative_buckets": 0,
        "positions": 0, "token_types": 0, "gated": False, "tied": True, "parameters_source": "closed form, for tests",
        **TINY[architecture],
    }  # fmt: skip
    unchecked = Model.model_construct(**given, parameters=0)
    return Model.model_validate({**given, "parameters": unchecked.symbols()["N"]})


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


@pytest.mark.parametrize("architecture", TINY)
def test_the_closed_form_is_the_model(architecture: str) -> None:
    record = tiny(architecture)
    instance, symbols = build(record), record.symbols()
    assert sum(p.numel() for p in instance.pretrained) == symbols["N"]
    named = dict(instance.model.named_parameters())
    norms = {n for n in named if "norm" in n.lower() or ".ln_" in n}
    outside = {n for n in named if n.startswith("pooler.")}
    assert sum(named[n].numel() for n in norms if n.endswith(".bias")) == symbols["Bn"]
    assert sum(p.numel() for n, p in named.items() if n.endswith(".bias") and n not in norms | outside) == symbols["B"]
    assert len({n for n in norms if n.endswith(".weight")}) == symbols["L"]


@pytest.mark.parametrize("architecture", TINY)
def test_every_place_is_there_once(architecture: str) -> None:
    record = tiny(architecture)
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
            assert place.fan_out == record.d_model
        assert bool(slot.fused) is (fused and place.role in ("query", "key", "value"))
        if place.role in LINEAR and not slot.fused:
            assert place.shape == ((place.fan_in, place.fan_out) if fused else (place.fan_out, place.fan_in))
    modules = [slot.module for slot in instance.slots if slot.place.role != "input"]  # that one is the whole stack
    reached = {id(p) for module in modules for p in module.parameters()}
    assert {id(p) for p in instance.pretrained} == reached


@pytest.mark.parametrize("architecture", TINY)
def test_biases_alone_are_trained(architecture: str) -> None:
    record = tiny(architecture)
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
    instance = build(tiny(architecture), device="cpu", seed=3)
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
        count(wanted, build(tiny("bart")))


def test_a_sublayer_that_is_no_module_is_trained_by_its_matrices() -> None:
    record = tiny("bert")
    wanted = recipe(train=({"roles": ["attention"]},))
    assert count(wanted, build(record)).trainable == record.encoder_layers * 4 * (48 * 48 + 48)


def test_dimensions_that_an_architecture_cannot_have_are_refused() -> None:
    good = tiny("bert").model_dump()
    with pytest.raises(ValueError, match="heads × d_kv = d_model"):
        Model.model_validate({**good, "d_kv": 10})
    with pytest.raises(ValueError, match="an encoder, a decoder or both"):
        Model.model_validate({**good, "encoder_layers": 0})
    with pytest.raises(ValueError, match="these dimensions give"):
        Model.model_validate({**good, "positions": 21})


def test_other_backbones_are_counted_where_a_configuration_names_them(catalog: Catalog) -> None:
    named = {(b, name) for name, _, c in catalog.configurations() for b in c.also_on}
    assert named
    others = {(c.backbone, c.configuration) for c in cells(catalog) if c.backbone in TOTALS}
    assert others == named
    assert not {c.backbone for c in cells(catalog, "costs")} & set(TOTALS)


def test_an_unknown_backbone_is_reported_with_the_nearest(tmp_path: Path) -> None:
    root = Path(shutil.copytree(CATALOG, tmp_path / "catalog"))
    path = root / "methods" / "lora.yaml"
    text = path.read_text(encoding="utf-8")
    assert "also_on: [roberta-base]" in text
    path.write_text(text.replace("also_on: [roberta-base]", "also_on: [roberta-bse]"), encoding="utf-8")
    with pytest.raises(CatalogError) as caught:
        load(root, measured=False)
    [problem] = caught.value.problems
    assert "no backbone 'roberta-bse'; did you mean 'roberta-base'?" in str(problem)
    assert problem.line == text[: text.index("also_on: [roberta-base]")].count("\n") + 1
