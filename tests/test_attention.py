"""Prefixes: attention stays the model's own, in what it computes and in what it keeps for backward."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from small_models import CONFIGS, batch
from test_models_run import EDITS, PREFIX, randomise, recipe
from torch import Tensor, nn
from torch.nn import functional

from surveykit.engine import Attached, Instance, instance_of
from surveykit.engine.edits.prefixes import with_prefixes
from surveykit.engine.trace.memory import Memory
from surveykit.engine.trace.step import dropout_as_on_cuda

FAMILIES = [family for family in CONFIGS if family != "deberta-v2"]  # that one has no room for a prefix
DTYPES = [torch.bfloat16, torch.float32]
LENGTH = 3
PROMPT = {**EDITS["prompt"], "where": {"roles": ["input"], "sublayers": ["encoder.input"]}}


def built(family: str, dtype: torch.dtype) -> Instance:
    instance = instance_of(CONFIGS[family](), device="cpu", seed=3)
    instance.model.to(dtype)
    instance.model.set_attn_implementation("eager")
    return instance


def kept(instance: Instance, given: dict[str, Tensor], held: Collection[str]) -> tuple[Tensor, tuple[int, int]]:
    """What one forward pass gives, and what it keeps for backward beside the inputs in `held`: tensors, and bytes."""
    model, memory = instance.model, Memory()
    memory.hold([*model.parameters(), *model.buffers()])
    memory.hold(given[name] for name in held)
    with memory, dropout_as_on_cuda(), memory.phase("forward"), memory.watch_saved():
        output = instance.run(given)
        found = output.logits if "labels" in given else output[0]
    tensors, saved = memory.saved
    return found.detach(), (tensors, saved)


def attending(instance: Instance) -> list[nn.Module]:
    found = [slot.reads for slot in instance.slots if slot.place.role == "attention"]
    return [module for module in found if module is not None]


@contextmanager
def longer_keys(keys: dict[int, tuple[Tensor, Tensor]]) -> Iterator[None]:
    """Transformers' own eager attention, handed more keys and values by whom it is called: no code of ours."""
    homes = {m: f for m, f in ((m, vars(m).get("eager_attention_forward")) for m in [*sys.modules.values()]
             if m.__name__.startswith("transformers.models.")) if f is not None}  # fmt: skip

    def put(home: Any, own: Any) -> None:
        def attend(module: nn.Module, query: Tensor, key: Tensor, value: Tensor, mask: Any, **further: Any) -> Any:
            size, heads, _, width = key.shape
            added = (x.reshape(-1, heads, width).transpose(0, 1).expand(size, -1, -1, -1) for x in keys[id(module)])
            key, value = (torch.cat((more, states), 2) for more, states in zip(added, (key, value), strict=True))
            if further.get("position_bias") is not None:
                further["position_bias"] = functional.pad(further["position_bias"], (LENGTH, 0))
            mask = None if mask is None else functional.pad(mask, (LENGTH, 0))
            return own(module, query, key, value, mask, **further)

        home.eager_attention_forward = attend

    for home, own in homes.items():
        put(home, own)
    try:
        yield
    finally:
        for home, own in homes.items():
            home.eager_attention_forward = own


@pytest.mark.sampled("family", "dtype")
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("family", FAMILIES)
def test_without_a_prefix_attention_is_the_models_own(family: str, dtype: torch.dtype) -> None:
    instance = built(family, dtype)
    for parameter in instance.pretrained:
        parameter.requires_grad_(True)
    instance.model.train()
    given = batch(instance)
    torch.manual_seed(1)
    output, saved = kept(instance, given, given)
    instance.model.set_attn_implementation(with_prefixes("eager"))
    torch.manual_seed(1)
    same, saved_with_ours = kept(instance, given, given)
    assert saved_with_ours == saved
    assert torch.equal(same, output)


@pytest.mark.sampled("family", "dtype")
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_prefix_keeps_what_the_models_own_attention_keeps_of_more_keys(family: str, dtype: torch.dtype) -> None:
    instance = built(family, dtype)
    given = batch(instance)
    with Attached(instance, recipe({**PREFIX, "length": LENGTH}).stages[0]) as attached:
        randomise(attached)
        keys = {id(p.slot.reads): (p.part.key, p.part.value) for p in attached.placed}
        assert {*keys} == {id(module) for module in attending(instance)}
        output, saved = kept(instance, given, given)
        for module in attending(instance):
            del module.surveykit_prefix
            module._forward_hooks.clear()
            module._forward_pre_hooks.clear()
        instance.model.set_attn_implementation("eager")
        with longer_keys(keys):
            wanted, saved_by_theirs = kept(instance, given, given)
    assert saved_by_theirs[0] > 0
    assert saved == saved_by_theirs
    torch.testing.assert_close(output, wanted, rtol=0, atol=0)


@pytest.mark.sampled("family", "dtype")
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("family", CONFIGS)
def test_a_prompt_keeps_what_the_model_keeps_of_more_positions(family: str, dtype: torch.dtype) -> None:
    instance = built(family, dtype)
    given = batch(instance)
    with Attached(instance, recipe({**PROMPT, "length": LENGTH}).stages[0]) as attached:
        randomise(attached)
        output, saved = kept(instance, given, given)
        [prompt] = (placed.part.prompt.detach().clone() for placed in attached.placed)
    embedded = instance.model.get_input_embeddings()(given.pop("input_ids"))
    given["inputs_embeds"] = torch.cat((prompt.expand(2, -1, -1), embedded), 1).detach().requires_grad_()
    given["attention_mask"] = functional.pad(given["attention_mask"], (LENGTH, 0), value=1)
    causal = instance.blueprint.causal
    if causal:
        given["labels"] = functional.pad(given["labels"], (LENGTH, 0), value=-100)
    wanted, saved_by_theirs = kept(instance, given, given.keys() - {"inputs_embeds", "labels" if causal else ""})
    assert saved == saved_by_theirs
    assert torch.equal(output, wanted)
