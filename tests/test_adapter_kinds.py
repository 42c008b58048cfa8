"""Adapters whose mathematics the general tests do not reach: experts drawn by chance, consistency, Kronecker sums."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from pydantic import ValidationError

from surveykit.catalog.load import Catalog
from surveykit.engine import Attached
from surveykit.engine.models.tiny import tiny_batch, tiny_instance
from surveykit.engine.train.loop import choose_mask, step_loss
from surveykit.engine.train.objectives import divergence
from surveykit.engine.train.trial import outputs, randomise
from surveykit.recipes import Stage


def stage_of(catalog: Catalog, name: str) -> Stage:
    return catalog.recipe(name).stages[-1]


def test_experts_are_drawn_in_training_and_averaged_afterwards(catalog: Catalog) -> None:
    instance, batch = tiny_instance(), tiny_batch()
    with Attached(instance, stage_of(catalog, "adamix/m4-b16")) as attached:
        randomise(attached)
        assert torch.equal(outputs(instance, batch), outputs(instance, batch))
        attached.container.train()
        drawn = [outputs(instance, batch) for _ in range(4)]
        assert any(not torch.allclose(drawn[0], other) for other in drawn[1:])


def test_an_expert_that_is_drawn_is_one_adapter_of_those_there_are(catalog: Catalog) -> None:
    with Attached(tiny_instance(), stage_of(catalog, "adamix/m4-b16")) as attached:
        randomise(attached)
        attached.container.train()
        placed = attached.placed[0]
        part, y = placed.part, torch.randn(2, 3, placed.slot.place.d_model)

        def adapter(i: int, j: int) -> torch.Tensor:
            hidden = torch.nn.functional.gelu(y @ part.down[i].T + part.down_bias[i])
            return y + hidden @ part.up[j].T + part.up_bias[j]

        every = [adapter(i, j) for i in range(4) for j in range(4)]
        for _ in range(5):
            found = placed.edit.after(part, y, y)  # type: ignore[attr-defined]
            assert sum(torch.allclose(found, one, atol=1e-6) for one in every) == 1


def test_consistency_pulls_the_second_pass_towards_the_first(catalog: Catalog) -> None:
    stage, batch = stage_of(catalog, "adamix/m4-b16"), tiny_batch()
    with Attached(tiny_instance(), stage) as attached:
        randomise(attached)
        plain = attached.instance.model(**batch, use_cache=False).loss
        assert torch.equal(step_loss(attached, batch), plain)  # two passes of the average differ by nothing
        attached.container.train()
        torch.manual_seed(0)
        first, second = (attached.instance.model(**batch, use_cache=False) for _ in range(2))
        torch.manual_seed(0)
        p, q = first.logits.softmax(-1), second.logits.softmax(-1)
        both_ways = (p * (p / q).log()).sum(-1) + (q * (q / p).log()).sum(-1)
        assert float(both_ways.mean().detach()) > 1e-4
        torch.testing.assert_close(step_loss(attached, batch), first.loss + both_ways.mean() / 2)


def test_positions_without_a_label_do_not_count_for_consistency(catalog: Catalog) -> None:
    batch = tiny_batch()
    shorter = {**batch, "labels": batch["labels"].clone()}
    shorter["labels"][:, 3:] = -100
    with Attached(tiny_instance(), stage_of(catalog, "adamix/m4-b16")) as attached:
        randomise(attached)
        attached.container.train()
        torch.manual_seed(0)
        first, second = (attached.instance.model(**shorter, use_cache=False) for _ in range(2))
        torch.manual_seed(0)
        apart = divergence(first.logits[:, :3].flatten(0, 1), second.logits[:, :3].flatten(0, 1))
        torch.testing.assert_close(step_loss(attached, shorter), first.loss + apart)


def test_consistency_needs_two_passes(catalog: Catalog) -> None:
    stage = stage_of(catalog, "adamix/m4-b16").model_dump()
    with pytest.raises(ValidationError, match="compares two passes"):
        Stage.model_validate({**stage, "passes": 1})


@pytest.mark.parametrize("width", [{"size": 8}, {"reduction": None}])
def test_a_bottleneck_has_one_width(catalog: Catalog, width: dict[str, Any]) -> None:
    edit = stage_of(catalog, "adapters/rf16").edits[0]
    with pytest.raises(ValidationError, match="either a `reduction` or a `size`"):
        type(edit).model_validate({**edit.model_dump(), **width})


@pytest.mark.parametrize("name", ["phm-adapter/n4-rf32-norms", "phm-adapter/n4-rf32-shared"])
def test_a_phm_projection_is_a_sum_of_kronecker_products(catalog: Catalog, name: str) -> None:
    with Attached(tiny_instance(), stage_of(catalog, name)) as attached:
        randomise(attached)
        edit: Any = attached.placed[1].edit
        part = attached.placed[1].part
        for projection in ("down", "up"):
            rule = part.shared.rule if edit.shared_rule else getattr(part, f"{projection}_rule")
            block = getattr(part, f"{projection}_block")
            summed = sum(torch.kron(rule[i], block[i]) for i in range(edit.terms))
            torch.testing.assert_close(edit._matrix(part, projection), summed)


@pytest.mark.parametrize("name", ["krona-adapter/res", "krona-adapter/plain", "krona-adapter/res-64-norms"])
def test_a_parallel_kronecker_adapter_is_its_matrix(catalog: Catalog, name: str) -> None:
    with Attached(tiny_instance(), stage_of(catalog, name)) as attached:
        randomise(attached)
        edit: Any = attached.placed[0].edit
        part = attached.placed[0].part
        width = attached.placed[0].slot.place.d_model
        x, y = torch.randn(2, 3, width), torch.randn(2, 3, width)
        matrix = edit.scale * torch.kron(part.first, part.second)
        if edit.residual == "learned":
            matrix = matrix + part.residual * torch.eye(width)
        torch.testing.assert_close(edit.after(part, x, y), y + x @ matrix.T, rtol=1e-4, atol=1e-5)
        assert edit.expanded(attached.placed[0].slot.place) == matrix.numel()


def test_snip_scores_every_projection_and_leaves_biases_whole(catalog: Catalog) -> None:
    stage, batch = stage_of(catalog, "sparse-adapter/b64-keep60"), tiny_batch()
    instance = tiny_instance()
    with Attached(instance, stage) as attached:
        before = {name: p.detach().clone() for name, p in attached.container.named_parameters()}
        instance.model(**batch, use_cache=False).loss.backward()
        gradients = {id(p): p.grad for p in attached.container.parameters() if p.grad is not None}
        assert attached.masked is not None
        rewound = [gradients[id(t)] * t.detach() for t in attached.masked.tensors]
        assert all(bool(score.any()) for score in rewound)  # the random choice at first keeps part of each
        choose_mask(attached, batch, {})
        assert {t.dim() for t in attached.masked.tensors} == {2}
        for name, parameter in attached.container.named_parameters():
            if name.endswith("bias"):
                assert torch.equal(parameter, before[name])
            else:
                assert bool((parameter == 0).any())
                assert bool((parameter != 0).any())
