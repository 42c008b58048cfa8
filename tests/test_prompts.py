"""Soft prompts: what stages hand over, how a code becomes a prompt, and how a prefix is weighed token by token."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from surveykit.catalog.load import Catalog
from surveykit.engine import Attached
from surveykit.engine.edits.prefixes import _Prefix
from surveykit.engine.models.tiny import tiny_instance
from surveykit.recipes import Stage


def drawn(*dims: int) -> Tensor:
    return torch.randn(dims, generator=torch.Generator().manual_seed(4))


def in_turn(stages: tuple[Stage, ...]) -> list[dict[str, Tensor]]:
    """The tensors with which each stage begins, after random values for those that the stage before trained."""
    instance, values, begins = tiny_instance(), {}, []
    for stage in stages:
        with Attached(instance, stage) as attached:
            attached.carry(values)
            begins.append({name: value.detach().clone() for (_, _, name), value in attached.values().items()})
            with torch.no_grad():
                for parameter in attached.added():
                    if parameter.requires_grad:
                        parameter.add_(drawn(*parameter.shape))
            values = {key: value.detach().clone() for key, value in attached.values().items()}
    begins.append({name: value for (_, _, name), value in values.items()})
    return begins


def test_a_transferred_prompt_begins_where_the_source_tasks_ended(catalog: Catalog) -> None:
    stages = catalog.recipe("spot/p100").stages
    source, task, end = in_turn(stages)
    moved = task["prompt"] - source["prompt"]
    torch.testing.assert_close(moved, drawn(*moved.shape), rtol=0, atol=1e-5)
    assert not torch.equal(end["prompt"], task["prompt"])


@pytest.fixture
def intrinsic(catalog: Catalog) -> tuple[Stage, ...]:
    """The stages of intrinsic prompt tuning with smaller sizes."""
    small = {"length": 3, "dimension": 2, "hidden": 4}
    stages = catalog.recipe("ipt/c250-p100").stages
    return tuple(stage.model_copy(update={"edits": (stage.edits[0].model_copy(update=small),)}) for stage in stages)


def test_each_stage_of_intrinsic_tuning_takes_over_and_freezes(intrinsic: tuple[Stage, ...]) -> None:
    source, subspace, task, end = in_turn(intrinsic)
    assert not torch.equal(subspace["prompt"], source["prompt"])  # it was trained
    for name in ("middle", "middle_bias", "up", "up_bias"):
        assert not torch.equal(task[name], subspace[name]), "the autoencoder was trained"
        assert torch.equal(end[name], task[name]), "the decoder is frozen"
    assert not torch.equal(end["code"], task["code"])
    assert "squeeze" not in task, "the encoder is dropped"


def test_the_autoencoder_is_scored_on_the_prompt_and_used_as_one(intrinsic: tuple[Stage, ...]) -> None:
    edit = intrinsic[1].edits[0]
    with Attached(tiny_instance(), intrinsic[1]) as attached, torch.no_grad():
        (placed,) = attached.placed
        part = placed.part
        code = torch.nn.functional.linear(part.prompt.flatten(), part.squeeze, part.squeeze_bias)
        hidden = torch.nn.functional.linear(code, part.middle, part.middle_bias).tanh()
        restored = torch.nn.functional.linear(hidden, part.up, part.up_bias).reshape(3, -1)
        torch.testing.assert_close(edit.positions(part), restored)  # type: ignore[attr-defined]
        penalty = edit.penalty(part)
        torch.testing.assert_close(penalty, 200 * torch.nn.functional.mse_loss(restored, part.prompt))


def test_a_decoded_prompt_is_a_plain_one(intrinsic: tuple[Stage, ...]) -> None:
    stage = intrinsic[2]
    edit = stage.edits[0].model_copy(update={"keeps": "prompt"})
    with Attached(tiny_instance(), stage.model_copy(update={"edits": (edit,)})) as attached:
        deployed, kept = attached.deployed()
        (placed,) = attached.placed
        torch.testing.assert_close(kept[0, "prompt"], edit.positions(placed.part))
    assert [one.kind for one in deployed.edits] == ["prompt"]
    assert len(kept) == 1


def test_each_token_of_an_adaptive_prefix_has_its_own_weight_in_every_head(catalog: Catalog) -> None:
    stage = catalog.recipe("adaptive-prefix-tuning/p30").stages[0]
    with Attached(tiny_instance(), stage) as attached, torch.no_grad():
        placed = attached.placed[-1]
        part = placed.part
        part.gate.copy_(drawn(*part.gate.shape))
        part.scale.fill_(3.0)
        prefix = _Prefix(placed.edit, placed.slot.place, part)  # type: ignore[arg-type]
        x = drawn(2, 7, 128)
        prefix.enter(placed.slot.module, (x,), {})
        key, _ = prefix.extend(torch.zeros(2, 4, 7, 24), torch.zeros(2, 4, 7, 24))
        for batch, head, token in ((0, 0, 0), (1, 3, 29), (0, 2, 11)):
            weight = 3.0 * torch.sigmoid((x[batch] * part.gate[token]).sum(dim=-1)).mean()
            wanted = weight * part.key[token, 24 * head : 24 * (head + 1)]
            torch.testing.assert_close(key[batch, head, token], wanted)
        assert not key[:, :, 30:].any()
