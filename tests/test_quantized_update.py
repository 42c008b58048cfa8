"""Low-rank updates for few-bit backbones: splits, second paths, and what merging leaves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import Tensor

from surveykit.catalog.load import Catalog
from surveykit.engine import Attached
from surveykit.engine.edits.hooks import Placed
from surveykit.engine.models.tiny import tiny_instance
from surveykit.engine.train.trial import randomise, trial
from surveykit.recipes import Quantization, Stage, Where
from surveykit.recipes.quantized_update import FittedLowRank

TWO_BITS = Quantization(where=Where(roles=("query",)), grid="normal_float", bits=2, block=64, scale_block=None)


@contextmanager
def attached(catalog: Catalog, name: str) -> Iterator[Attached]:
    recipe = catalog.recipe(name)
    with Attached(tiny_instance(), recipe.stages[-1]) as stage:
        yield stage


def first(stage: Attached) -> Placed:
    return stage.placed[0]


def split(first_step: str, turns: int, alpha: float = 8.0) -> tuple[Tensor, Tensor, Tensor]:
    """A pretrained matrix, the frozen one that a stage stands on, and the product that its thin matrices start with."""
    where = Where(roles=("query",))
    edit = FittedLowRank.model_validate(
        {"kind": "fitted_low_rank", "where": where, "rank": 8, "alpha": alpha, "turns": turns, "first": first_step}
    )
    stage = Stage(name="one", scope="task", edits=(edit,), train=(), base=TWO_BITS)
    with Attached(tiny_instance(), stage) as on:
        part = first(on).part
        return part.unrounded, part.frozen.detach().clone(), edit.update(part).detach()


@pytest.mark.parametrize("alpha", [8.0, 2.0])
@pytest.mark.parametrize("first_step", ["quantize", "fit"])
def test_a_split_is_nearer_to_the_pretrained_matrix_than_rounding(first_step: str, alpha: float) -> None:
    whole, frozen, product = split(first_step, 5, alpha)
    plain = (whole - TWO_BITS.rounded(whole)).norm()
    assert (whole - frozen - product).norm() < 0.95 * plain
    torch.testing.assert_close(TWO_BITS.rounded(frozen), frozen)  # it is on the grid
    assert torch.linalg.matrix_rank(product) == 8


@pytest.mark.parametrize("alpha", [8.0, 2.0])
def test_one_turn_of_loftq_leaves_the_plain_rounding_and_the_best_fit_of_the_rest(alpha: float) -> None:
    whole, frozen, product = split("quantize", 1, alpha)
    torch.testing.assert_close(frozen, TWO_BITS.rounded(whole))
    rest = torch.linalg.svdvals(whole - frozen)
    torch.testing.assert_close((whole - frozen - product).square().sum(), rest[8:].square().sum())


def test_more_turns_do_not_enlarge_the_error() -> None:
    errors = []
    for turns in (1, 2, 40):
        whole, frozen, product = split("fit", turns)
        errors.append(float((whole - frozen - product).norm()))
    assert errors == sorted(errors, reverse=True)


def test_a_fitted_base_comes_off_without_a_trace() -> None:
    instance = tiny_instance()
    before = [p.detach().clone() for p in instance.pretrained]
    edit = {"kind": "fitted_low_rank", "where": Where(roles=("query",)), "rank": 8, "alpha": 8.0, "turns": 3,
            "first": "quantize"}  # fmt: skip
    stage = Stage(name="one", scope="task", edits=(FittedLowRank.model_validate(edit),), train=(), base=TWO_BITS)
    with Attached(instance, stage) as on:
        moved = sum(int((p != old).any()) for p, old in zip(instance.pretrained, before, strict=True))
        assert moved == len(on.placed)
    assert all(torch.equal(p, old) for p, old in zip(instance.pretrained, before, strict=True))


def groups(weight: Tensor, size: int) -> Tensor:
    """Whole groups of neighbouring inputs, (groups, size)."""
    whole = weight.shape[1] - weight.shape[1] % size
    return weight[:, :whole].reshape(-1, size)


def test_merging_qa_lora_moves_zero_points_only(catalog: Catalog) -> None:
    with attached(catalog, "qa-lora/all-linear-r64-g32") as on:
        frozen = first(on).part.frozen
        before = frozen.detach().double()
        randomise(on)
        assert not on.merge()
        shift = groups(frozen.detach().double() - before, 32)
        assert shift.abs().max() > 0.1
        assert (shift - shift[:, :1]).abs().max() < 1e-6 * shift.abs().max()
        for group in groups(frozen.detach(), 32)[:50]:
            assert len(group.unique()) <= 2**4


def test_an_update_in_smaller_groups_than_the_grid_cannot_be_merged(catalog: Catalog) -> None:
    found = trial(catalog.recipe("qa-lora/qv-r8-g16"))
    assert found.merge == "none"
    assert found.obstacle == "the sum would have to be rounded to 4 bits again"
    assert found.changed_random == 0


def test_what_stands_on_unquantized_layers_is_merged_and_the_rest_stays(catalog: Catalog) -> None:
    found = trial(catalog.recipe("qlora/wo-unquantized"))
    assert found.merge == "partly"
    with attached(catalog, "qlora/wo-unquantized") as on:
        on.merge()
        assert {placed.slot.place.role for placed in on.placed} == {
            "query", "key", "value", "attention_output", "feed_forward_in",
        }  # fmt: skip


def test_merging_l4q_leaves_weights_on_a_grid(catalog: Catalog) -> None:
    with attached(catalog, "l4q/all-linear-r4-g128") as on:
        part = first(on).part
        frozen = part.frozen
        pristine = frozen.detach().clone()
        step, offset = part.step.detach(), part.offset.detach()
        with torch.no_grad():
            part.up.normal_(std=0.1)
            offset.add_(0.01)
        assert not on.merge()
        codes = (frozen.detach() - offset) / step  # one group: the tiny width is 128
        torch.testing.assert_close(codes, codes.round(), atol=1e-3, rtol=0)
        assert float(codes.min()) >= -8.001
        assert float(codes.max()) <= 7.001
        assert (frozen.detach() - pristine).norm() > 0


def test_l4q_starts_with_a_range_that_holds_every_weight(catalog: Catalog) -> None:
    with attached(catalog, "l4q/all-linear-r4-g128") as on:
        for placed in on.placed[:6]:
            whole, edit = placed.part.frozen, placed.edit
            rounded = edit.weight(placed.part, whole)  # type: ignore[attr-defined]
            step = placed.part.step.detach().repeat_interleave(128, dim=1)[:, : whole.shape[1]]
            assert ((rounded - whole).abs() <= step / 2 * 1.001).all()


def test_gradients_pass_the_rounding_of_l4q_inside_its_range_only(catalog: Catalog) -> None:
    with attached(catalog, "l4q/all-linear-r4-g128") as on:
        placed = first(on)
        part, edit = placed.part, placed.edit
        with torch.no_grad():
            part.step.div_(2)  # now the largest weights lie outside
        whole = part.frozen.detach().clone().requires_grad_(True)
        edit.weight(part, whole).sum().backward()  # type: ignore[attr-defined]
        relative = (part.frozen / part.step).detach()
        inside = (relative >= -8) & (relative <= 7)
        assert 0 < float(inside.float().mean()) < 1
        torch.testing.assert_close(whole.grad, inside.float())
        expected = torch.where(inside, relative.round() - relative, relative.clamp(-8, 7)).sum(dim=1, keepdim=True)
        torch.testing.assert_close(part.step.grad, expected, atol=1e-3, rtol=1e-4)
        torch.testing.assert_close(part.offset.grad, (~inside).float().sum(dim=1, keepdim=True))


def test_the_elastic_paths_average_and_repeat_neighbours(catalog: Catalog) -> None:
    with attached(catalog, "ir-qlora/all-linear-r64") as on:
        placed = next(p for p in on.placed if (p.slot.place.fan_in, p.slot.place.fan_out) == (128, 96))
        part, edit = placed.part, placed.edit
        with torch.no_grad():
            part.down.zero_()
            part.up.zero_()
            part.down_factor.fill_(2.0)
            part.up_factor.fill_(3.0)
        x = torch.arange(128.0)
        found = edit.after(part, x, torch.zeros(96))  # type: ignore[attr-defined]
        pooled = 2.0 * x.reshape(64, 2).mean(dim=1)
        # 64 and 96 have the common divisor 32: pairs are averaged, then taken three times.
        wanted = 3.0 * pooled.reshape(32, 2).mean(dim=1).repeat_interleave(3) * 16 / 64
        torch.testing.assert_close(found, wanted)
