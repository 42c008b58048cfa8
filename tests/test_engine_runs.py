"""The recipes are real: they run, train, merge, and are restored from what is stored, on a tiny T5."""

from __future__ import annotations

import copy

import pytest
import torch
from conftest import CATALOG, backbone
from torch import Tensor

from surveykit.catalog.load import Catalog, load
from surveykit.engine import Attached, Instance, build
from surveykit.errors import RecipeError
from surveykit.recipes import Recipe
from surveykit.recipes.base import WeightEdit

ALL = list(load(CATALOG, measured=False).configurations())
# Widths of d_model are counted only: attention cannot use such a prefix where the inner width differs.
RUNNABLE = [name for name, _, _ in ALL if "model-width" not in name]
TRAINED_ON_IDS = torch.randint(1, 100, (3, 7), generator=torch.Generator().manual_seed(1))
LABELS = torch.randint(1, 100, (3, 5), generator=torch.Generator().manual_seed(2))


def tiny(**geometry: int | bool) -> Instance:
    return build(backbone(**geometry), device="cpu", seed=3)  # type: ignore[arg-type]


def logits(instance: Instance) -> Tensor:
    """Logits of the labels' own positions: a decoder prompt adds positions before them."""
    mask = torch.ones_like(TRAINED_ON_IDS)
    mask[0, -2:] = 0
    out = instance.model(input_ids=TRAINED_ON_IDS, attention_mask=mask, labels=LABELS, use_cache=False)
    return out.logits[:, -LABELS.shape[1] :].detach()


def loss(instance: Instance) -> Tensor:
    return instance.model(input_ids=TRAINED_ON_IDS, labels=LABELS, use_cache=False).loss


def randomise(attached: Attached, size: float = 0.1) -> None:
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in attached.added():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * size)


def stage(catalog: Catalog, name: str):  # type: ignore[no-untyped-def]
    recipe: Recipe = catalog.recipe(name)
    assert len(recipe.stages) == 1
    return recipe.stages[0]


@pytest.mark.parametrize("gated", [False, True])
@pytest.mark.parametrize("name", RUNNABLE)
def test_changes_the_output_and_comes_off_without_a_trace(catalog: Catalog, name: str, gated: bool) -> None:
    instance = tiny(gated=gated)
    before = logits(instance)
    with Attached(instance, stage(catalog, name)) as attached:
        randomise(attached)
        if attached.added():
            assert not torch.allclose(logits(instance), before, atol=1e-4)
    torch.testing.assert_close(logits(instance), before, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", RUNNABLE)
def test_trains_and_moves_only_what_it_should(catalog: Catalog, name: str) -> None:
    instance = tiny()
    names = {id(p): n for n, p in instance.model.named_parameters()}
    frozen_before = {names[id(p)]: p.detach().clone() for p in instance.pretrained}
    with Attached(instance, stage(catalog, name)):
        trainable = [p for p in instance.model.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(trainable, lr=1e-2, weight_decay=0.0)
        losses = []
        for _ in range(8):
            optimizer.zero_grad()
            value = loss(instance)
            value.backward()
            optimizer.step()
            losses.append(float(value.detach()))
        assert losses[-1] < losses[0]
        for parameter in instance.pretrained:
            moved = not torch.equal(parameter, frozen_before[names[id(parameter)]])
            assert moved <= parameter.requires_grad, names[id(parameter)]
            assert (parameter.grad is not None) == parameter.requires_grad


def mergeable(name: str) -> bool:
    edits = next(c for n, _, c in ALL if n == name).recipe.stages[0].edits
    return bool(edits) and all(isinstance(e, WeightEdit) and e.merge_obstacle() is None for e in edits)


@pytest.mark.parametrize("gated", [False, True])
@pytest.mark.parametrize("name", [n for n in RUNNABLE if mergeable(n)])
def test_the_merged_weight_gives_the_outputs_of_the_branch(catalog: Catalog, name: str, gated: bool) -> None:
    instance = tiny(gated=gated)
    count_before = sum(p.numel() for p in instance.model.parameters())
    attached = Attached(instance, stage(catalog, name))
    randomise(attached)
    branch = logits(instance)
    attached.merge()
    torch.testing.assert_close(logits(instance), branch, rtol=1e-4, atol=1e-4)
    assert sum(p.numel() for p in instance.model.parameters()) == count_before


@pytest.mark.parametrize(
    "name", [n for n in RUNNABLE if not mergeable(n) and next(c for m, _, c in ALL if m == n).recipe.stages[0].edits]
)
def test_what_cannot_merge_says_why(catalog: Catalog, name: str) -> None:
    with (
        Attached(tiny(), stage(catalog, name)) as attached,
        pytest.raises(RecipeError, match=r"cannot be merged: .{10,}"),
    ):
        attached.merge()


@pytest.mark.parametrize("name", RUNNABLE)
def test_backbone_and_stored_numbers_reproduce_the_outputs(catalog: Catalog, name: str) -> None:
    instance = tiny()
    pristine = copy.deepcopy(instance.model.state_dict())
    attached = Attached(instance, stage(catalog, name))
    randomise(attached)
    with torch.no_grad():
        for parameter in instance.pretrained:
            if parameter.requires_grad:
                parameter.add_(0.05)
    wanted = logits(instance)
    deployed, kept = attached.deployed()
    kept = {key: tensor.detach().clone() for key, tensor in kept.items()}
    trained = {i: p.detach().clone() for i, p in enumerate(instance.pretrained) if p.requires_grad}
    attached.detach()

    fresh = tiny()
    fresh.model.load_state_dict(pristine)
    with torch.no_grad():
        for i, value in trained.items():
            fresh.pretrained[i].copy_(value)
    with Attached(fresh, deployed) as restored:
        assert sum(p.numel() for p in restored.added()) == sum(t.numel() for t in kept.values())
        restored.load(kept)
        torch.testing.assert_close(logits(fresh), wanted, rtol=1e-5, atol=1e-5)


def test_a_prefix_of_the_wrong_width_is_refused_when_run(catalog: Catalog) -> None:
    narrow = [name for name, _, _ in ALL if "model-width" in name]
    assert narrow
    for name in narrow:
        instance = tiny()
        with Attached(instance, stage(catalog, name)), pytest.raises(RecipeError, match="does not fit 4 heads"):
            logits(instance)


def test_a_role_that_is_not_there_is_refused(catalog: Catalog) -> None:
    wrong = stage(catalog, "lora/qv-r8").model_copy(deep=True)
    edit = wrong.edits[0]
    where = edit.where.model_copy(update={"roles": ("feed_forward_gate",)})
    wrong = wrong.model_copy(update={"edits": (edit.model_copy(update={"where": where}),)})
    with pytest.raises(RecipeError, match="no place for low_rank"):
        Attached(tiny(gated=False), wrong)
