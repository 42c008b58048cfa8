"""Side networks: what they may see, where gradients end, and what they compute, written out anew."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from real_catalog import CONFIGURATIONS
from torch import Tensor
from transformers.modeling_outputs import BaseModelOutput

from surveykit.catalog.load import Catalog
from surveykit.engine import Attached, Instance, build
from surveykit.engine.models.tiny import tiny_batch, tiny_instance, tiny_model
from surveykit.engine.train.trial import randomise
from surveykit.errors import RecipeError
from surveykit.recipes.sites import SideEdit

NAMES = [
    name for name, configuration in CONFIGURATIONS.items()
    if any(isinstance(edit, SideEdit) for edit in configuration.recipe.stages[-1].edits)
]  # fmt: skip
LADDER = "ladder-side-tuning/r8-keep-3-of-4"
INTO_DECODER = "attention-fusion/encoder-into-decoder"


@contextmanager
def attached(catalog: Catalog, name: str, instance: Instance) -> Iterator[Attached]:
    with Attached(instance, catalog.recipe(name).stages[-1]) as found:
        randomise(found)
        yield found


def inputs() -> dict[str, Tensor]:
    """The tiny batch with ids of the decoder in place of labels."""
    batch = tiny_batch()
    return {**batch, "decoder_input_ids": batch.pop("labels")}


def run(instance: Instance, given: dict[str, Any]) -> Tensor:
    with torch.no_grad():
        out: Tensor = instance.model(**given, use_cache=False).logits
    return out


def other_ids(given: dict[str, Tensor], name: str, where: tuple[Any, ...]) -> dict[str, Tensor]:
    ids = given[name].clone()
    ids[where] = 100 - ids[where]
    return {**given, name: ids}


def blocks_reached(instance: Instance) -> list[str]:
    """Train one step with dropout, and say which blocks a gradient passes. The embedding takes part, so that the
    backbone has a graph: only what is detached is out of reach."""
    reached: list[str] = []
    for name, block in instance.blocks:
        block.register_full_backward_hook(lambda *_, name=name: reached.append(name))
    instance.model.train()
    instance.model.shared.weight.requires_grad_(True)
    instance.model(**tiny_batch(), use_cache=False).loss.backward()
    return sorted(reached)


@pytest.mark.parametrize("name", [*NAMES, "lora/qv-r8"])
def test_no_block_that_is_read_receives_a_gradient(catalog: Catalog, name: str) -> None:
    instance = tiny_instance()
    with attached(catalog, name, instance) as found:
        reached = blocks_reached(instance)
        trained = [p for p in found.added() if p.requires_grad]
        assert trained
        assert all(p.grad is not None and bool(p.grad.any()) for p in trained)
    both = ["decoder"] * 3 + ["encoder"] * 2
    assert reached == {INTO_DECODER: both[:3], "lora/qv-r8": both}.get(name, [])


@pytest.mark.parametrize("name", NAMES)
def test_padding_of_the_input_is_not_seen(catalog: Catalog, name: str) -> None:
    instance, given = tiny_instance(), inputs()
    with attached(catalog, name, instance):
        before = run(instance, given)
        padded = run(instance, other_ids(given, "input_ids", (0, slice(-2, None))))
        assert torch.equal(padded, before)
        read = run(instance, other_ids(given, "input_ids", (0, 0)))
        assert not torch.allclose(read[0], before[0], atol=1e-3)
        assert torch.equal(read[1:], before[1:])


@pytest.mark.parametrize("name", NAMES)
def test_padding_of_the_decoder_is_not_seen(catalog: Catalog, name: str) -> None:
    instance, given = tiny_instance(), inputs()
    given["decoder_attention_mask"] = torch.ones_like(given["decoder_input_ids"])
    given["decoder_attention_mask"][0, 0] = 0
    with attached(catalog, name, instance):
        before = run(instance, given)
        padded = run(instance, other_ids(given, "decoder_input_ids", (0, 0)))
    torch.testing.assert_close(padded[:, 1:], before[:, 1:], rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_a_position_of_the_decoder_does_not_see_later_ones(catalog: Catalog, name: str) -> None:
    instance, given = tiny_instance(), inputs()
    with attached(catalog, name, instance):
        before = run(instance, given)
        later = run(instance, other_ids(given, "decoder_input_ids", (slice(None), 3)))
    torch.testing.assert_close(later[:, :3], before[:, :3], rtol=0, atol=1e-6)
    assert not torch.allclose(later[:, 3:], before[:, 3:], atol=1e-3)


@pytest.mark.parametrize("name", NAMES)
def test_no_mask_is_a_mask_of_ones(catalog: Catalog, name: str) -> None:
    instance, given = tiny_instance(), inputs()
    given["attention_mask"] = torch.ones_like(given["input_ids"])
    with attached(catalog, name, instance):
        ones = run(instance, given)
        torch.testing.assert_close(run(instance, {**given, "attention_mask": None}), ones)


@pytest.mark.parametrize("name", NAMES)
def test_runs_on_meta_without_a_mask(catalog: Catalog, name: str) -> None:
    instance = build(tiny_model())
    ids = torch.ones((2, 6), dtype=torch.long, device="meta")
    with Attached(instance, catalog.recipe(name).stages[-1]):
        out = instance.model(input_ids=ids, labels=ids[:, :4].contiguous(), use_cache=False)
        out.loss.backward()
    assert out.logits.shape == (2, 4, 101)


def test_attention_over_layers_is_a_softmax_over_normalised_states(catalog: Catalog) -> None:
    instance, given, states = tiny_instance(), inputs(), []
    for block in instance.model.decoder.block:
        block.register_forward_hook(lambda module, args, output: states.append(output[0]))
    with attached(catalog, "attention-fusion/decoder-to-head", instance) as found, torch.no_grad():
        query = found.placed[0].part.query
        query.mul_(30)  # far from the plain mean
        logits = run(instance, given)
        together = instance.model.decoder.final_layer_norm(torch.stack(states))
        weights = torch.softmax(together @ query / 128**0.5, dim=0)
        fused = (weights[..., None] * together).sum(dim=0)
        wanted = instance.model.lm_head(fused * 128**-0.5)  # T5 scales what a tied output layer reads
    torch.testing.assert_close(logits, wanted)


def test_a_difference_behind_the_last_block_is_a_changed_weight(catalog: Catalog) -> None:
    instance, given = build(tiny_model(decoder_layers=1), device="cpu", seed=3), inputs()
    with attached(catalog, "lets/decoder-ffn-11-percent", instance) as found:
        beside = run(instance, given)
        difference = found.placed[0].part.difference[0].detach().clone()
    assert not torch.allclose(run(instance, given), beside, atol=1e-3)
    with torch.no_grad():
        instance.model.decoder.block[0].layer[-1].DenseReluDense.wo.weight.add_(difference)
    torch.testing.assert_close(run(instance, given), beside, rtol=0, atol=1e-4)


def encoded(instance: Instance) -> BaseModelOutput:
    return BaseModelOutput(last_hidden_state=torch.zeros(3, 7, 128))


Wrong = Callable[[Instance], dict[str, Any]]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda instance: {"attention_mask": torch.ones(3, 7, 7)}, "mask of 2 dimensions"),
        (lambda instance: {"input_ids": None, "encoder_outputs": encoded(instance)}, "encoder, which did not run"),
        (
            lambda instance: {"past_key_values": instance.model(**inputs(), use_cache=True).past_key_values},
            "use_cache=False",
        ),
    ],
)
def test_what_a_side_network_cannot_read_is_refused(catalog: Catalog, wrong: Wrong, message: str) -> None:
    instance = tiny_instance()
    with attached(catalog, LADDER, instance), pytest.raises(RecipeError, match=message):
        run(instance, {**inputs(), **wrong(instance)})


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_held_between_passes(catalog: Catalog, name: str) -> None:
    instance = tiny_instance()
    seen: list[Tensor] = []
    with attached(catalog, name, instance) as found:
        edit = found.placed[0].edit
        assert isinstance(edit, SideEdit)
        run(instance, inputs())
        readers = [hook.__self__ for m in instance.model.modules() for hook in m._forward_pre_hooks.values()
                   if hasattr(hook, "__self__")]  # fmt: skip
        for reader in readers:
            seen += [*reader.states, *reader.hidden]
    assert readers
    assert not seen
