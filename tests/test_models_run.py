"""Recipes for real on small models of many families: they change the output, train, merge, and come off."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from small_models import CONFIGS, batch, outputs
from torch import Tensor
from transformers import DynamicCache

from surveykit.engine import Attached, count, instance_of
from surveykit.engine.train.optimizers import optimizer_for
from surveykit.errors import RecipeError
from surveykit.recipes import Recipe, Stage

ALL = ("query", "key", "value", "attention_output", "feed_forward_in", "feed_forward_gate", "feed_forward_out")


def recipe(*edits: dict[str, Any], train: tuple[dict[str, Any], ...] = ()) -> Recipe:
    stage = {"name": "fine_tuning", "scope": "task", "edits": edits, "train": train}
    return Recipe.model_validate_json(json.dumps({"stages": [stage]}))


def bottleneck(placement: str) -> dict[str, Any]:
    return {
        "kind": "bottleneck", "where": {"roles": ["attention", "feed_forward"]}, "reduction": 4, "activation": "gelu",
        "placement": placement, "scaling": 1.0, "learned_scaling": False, "gate": "none",
    }  # fmt: skip


PREFIX = {
    "kind": "prefix",
    "where": {"roles": ["attention"]},
    "length": 3,
    "hidden": None,
    "width": "inner",
    "gate": "none",
}
EDITS: dict[str, dict[str, Any]] = {
    "low_rank": {"kind": "low_rank", "where": {"roles": ALL}, "rank": 4, "alpha": 4.0, "gate": "none"},
    "dora": {"kind": "weight_decomposed", "where": {"roles": ALL}, "rank": 4, "alpha": 4.0},
    "scale": {"kind": "scale", "where": {"roles": ALL}, "side": "output"},
    "sequential": bottleneck("sequential"),
    "parallel": bottleneck("parallel"),
    "prompt": {"kind": "prompt", "where": {"roles": ["input"]}, "length": 3},
    "prefix": PREFIX,
    "gated_prefix": {"kind": "adaptive_prefix", "where": {"roles": ["attention"]}, "length": 3},
}  # fmt: skip
MERGES = ("low_rank", "dora")


def stage_for(kind: str) -> Stage:
    return recipe(EDITS[kind]).stages[0]


def randomise(attached: Attached) -> None:
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in attached.added():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.3)


# DeBERTa attends in its own way; that a prefix is refused there is tested below.
CASES = [(f, kind) for f in CONFIGS for kind in EDITS if not (f == "deberta-v2" and "prefix" in kind)]


@pytest.mark.sampled("family", "kind")
@pytest.mark.parametrize(("family", "kind"), CASES)
def test_an_edit_trains_merges_and_comes_off(family: str, kind: str) -> None:
    instance = instance_of(CONFIGS[family](), device="cpu", seed=3)
    before, given = outputs(instance), batch(instance)
    with Attached(instance, stage_for(kind)) as attached:
        held = [p for p in instance.model.parameters() if p.requires_grad]
        optimizer, losses = optimizer_for(attached, held, 1e-3), []
        for _ in range(4):
            optimizer.zero_grad()
            loss = instance.loss(given)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            losses.append(float(loss.detach()))
        assert losses[-1] < losses[0]
        assert all(p.grad is not None for p in held)
        assert all(p.grad is None for p in instance.pretrained)
        randomise(attached)
        changed = outputs(instance)
        assert not torch.allclose(changed, before, atol=1e-3)
        obstacles = attached.merge()
        assert bool(obstacles) is (kind not in (*MERGES, "scale"))
        torch.testing.assert_close(outputs(instance), changed, atol=1e-3, rtol=1e-3)
        if not obstacles:
            assert not attached.added()
    if obstacles:
        torch.testing.assert_close(outputs(instance), before, atol=1e-5, rtol=1e-5)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in instance.model.modules())


@pytest.mark.parametrize("family", ["gpt2", "gpt_neox"])
@pytest.mark.parametrize("role", ["query", "key", "value"])
def test_an_edit_of_one_role_leaves_the_others_in_the_same_matrix(family: str, role: str) -> None:
    instance = instance_of(CONFIGS[family](), device="cpu", seed=3)
    slot = next(slot for slot in instance.slots if slot.place.role == role)
    heads, width = instance.model.config.num_attention_heads, slot.place.fan_out
    number = ("query", "key", "value").index(role)
    if family == "gpt2":  # query, key and value one behind the other
        own = torch.arange(3 * width) // width == number
    else:  # head by head
        own = torch.arange(3 * width) // (width // heads) % 3 == number
    weight = slot.module.weight
    assert isinstance(weight, Tensor)
    before = weight.detach().clone()
    with Attached(instance, recipe({**EDITS["low_rank"], "where": {"roles": [role]}}).stages[0]) as attached:
        randomise(attached)
        attached.merge()
    moved = (weight - before).abs().sum(0 if slot.transposed else 1) > 0
    assert moved.tolist() == own.tolist()


def test_an_attention_of_its_own_kind_refuses_a_prefix() -> None:
    instance = instance_of(CONFIGS["deberta-v2"](), device="cpu", seed=3)
    before = outputs(instance)
    with pytest.raises(RecipeError, match="no room for a prefix"), Attached(instance, recipe(PREFIX).stages[0]):
        outputs(instance)
    torch.testing.assert_close(outputs(instance), before)


@pytest.mark.parametrize("family", ["llama", "mistral", "gemma2", "qwen3"])
def test_a_prefix_is_what_a_cache_of_keys_and_values_gives(family: str) -> None:
    config = CONFIGS[family]()
    config.sliding_window = 64  # a narrow one would pass over the cache, and a prefix is always seen
    instance = instance_of(config, device="cpu", seed=3)
    ids = batch(instance)["input_ids"]
    with Attached(instance, recipe(PREFIX).stages[0]) as attached, torch.no_grad():
        randomise(attached)
        ours = instance.model(input_ids=ids, use_cache=False).logits
        cache = DynamicCache()
        for layer, placed in enumerate(attached.placed):
            heads = instance.model.config.num_key_value_heads
            key, value = (
                getattr(placed.part, name).reshape(3, heads, -1).transpose(0, 1).expand(2, -1, -1, -1)
                for name in ("key", "value")
            )
            cache.update(key.clone(), value.clone(), layer)
    positions = torch.arange(ids.shape[1])[None].expand(2, -1)
    mask = torch.ones(2, 3 + ids.shape[1], dtype=torch.long)
    with torch.no_grad():
        instance.model.set_attn_implementation("eager")
        theirs = instance.model(
            input_ids=ids, attention_mask=mask, position_ids=positions, past_key_values=cache, use_cache=True
        ).logits
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


READS = {
    "llama": [("model.layers.1.self_attn", "model.layers.1.self_attn"), ("model.layers.1.mlp", "model.layers.1.mlp")],
    "bert": [
        ("encoder.layer.1.attention.self", "encoder.layer.1.attention.output.dense"),
        ("encoder.layer.1.intermediate.dense", "encoder.layer.1.output.dense"),
    ],
    "bart": [
        ("model.encoder.layers.1.self_attn", "model.encoder.layers.1.self_attn"),
        ("model.decoder.layers.2.fc1", "model.decoder.layers.2.fc2"),
    ],
}  # fmt: skip


@pytest.mark.parametrize("family", READS)
def test_a_parallel_adapter_reads_what_the_sublayer_reads(family: str) -> None:
    instance = instance_of(CONFIGS[family](), device="cpu", seed=3)
    modules = dict(instance.model.named_modules())
    for reads, writes in READS[family]:
        seen: dict[str, Tensor] = {}
        with Attached(instance, recipe(bottleneck("parallel")).stages[0]) as attached:
            randomise(attached)
            placed = next(p for p in attached.placed if p.slot.module is modules[writes])
            hooks = [
                modules[reads].register_forward_pre_hook(
                    lambda m, a, k, seen=seen: seen.update(x=a[0] if a else k["hidden_states"]), with_kwargs=True
                ),
                # Before and after the adapter's own hook.
                modules[writes].register_forward_hook(_keep(seen, "bare"), prepend=True),
                modules[writes].register_forward_hook(_keep(seen, "adapted")),
            ]
            outputs(instance)
            wanted = placed.edit.after(placed.part, seen["x"], seen["bare"])
            torch.testing.assert_close(seen["adapted"], wanted)
            for hook in hooks:
                hook.remove()


def _keep(seen: dict[str, Tensor], name: str) -> Any:
    def hook(module: torch.nn.Module, args: Any, output: Any) -> None:
        seen[name] = (output[0] if isinstance(output, tuple) else output).detach()

    return hook


@pytest.mark.parametrize(
    ("family", "wanted", "message"),
    [
        ("llama", recipe({**PREFIX, "where": {"roles": ["attention"], "sublayers": ["decoder.cross"]}}),
         "llama has no place for prefix"),
        ("gpt2", recipe({**EDITS["scale"], "where": {"roles": ["query"]}, "side": "input"}),
         "it would change the input of query alone, and query, key, value are one matrix"),
        ("gpt2", recipe(train=({"roles": ["query"]},)), "one matrix, so that training has no query matrix"),
        ("distilbert", recipe(train=({"roles": ["head"]},)), "distilbert has no place for training"),
        ("electra", recipe({**PREFIX, "where": {"roles": ["attention"], "sublayers": ["decoder.self"]}}),
         "electra has no place"),
    ],
)  # fmt: skip
def test_what_cannot_be_put_on_a_model_is_refused_with_a_reason(family: str, wanted: Recipe, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        count(wanted, instance_of(CONFIGS[family]()))


def test_a_fused_matrix_is_trained_where_all_its_roles_are_named() -> None:
    instance = instance_of(CONFIGS["gpt2"]())
    biases = count(recipe(train=({"roles": (*ALL, "norm"), "parameters": "bias"},)), instance).trainable
    assert biases == sum(p.numel() for n, p in instance.model.named_parameters() if n.endswith("bias"))
