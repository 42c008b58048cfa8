"""Few-bit backbones and the updates made for them: levels, sizes, rounding, splits, and what merging leaves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from surveykit.catalog.load import Catalog
from surveykit.engine import Attached
from surveykit.engine.hooks import Placed
from surveykit.engine.tiny import tiny_instance
from surveykit.engine.trial import randomise, trial
from surveykit.recipes import Quantization, Stage, Where
from surveykit.recipes.quantization import Shift, normal_float
from surveykit.recipes.quantized_update import FittedLowRank

# The table that bitsandbytes publishes for its 4-bit normal float.
NF4 = [-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
       -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
       0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0]  # fmt: skip


def grid(name: str = "normal_float", bits: int = 4, block: int = 64, scale_block: int | None = None) -> Quantization:
    return Quantization.model_validate(
        {"where": Where(roles=("query",)), "grid": name, "bits": bits, "block": block, "scale_block": scale_block}
    )


def normal(rows: int, columns: int) -> Tensor:
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(4))


@contextmanager
def attached(catalog: Catalog, name: str) -> Iterator[Attached]:
    recipe = catalog.recipe(name)
    with Attached(tiny_instance(), recipe.stages[-1]) as stage:
        yield stage


def first(stage: Attached) -> Placed:
    return stage.placed[0]


def test_the_levels_of_four_bits_are_the_published_ones() -> None:
    torch.testing.assert_close(torch.tensor(normal_float(4)), torch.tensor(NF4), rtol=0, atol=2e-7)


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_levels_rise_from_minus_one_through_zero_to_one(bits: int) -> None:
    levels = normal_float(bits)
    assert len(set(levels)) == 2**bits
    assert list(levels) == sorted(levels)
    assert (levels[0], levels[2 ** (bits - 1) - 1], levels[-1]) == (-1.0, 0.0, 1.0)


@pytest.mark.parametrize(
    ("quantization", "for_each"),
    [
        (grid(scale_block=256), 0.5 + 1 / 64 + 4 / (64 * 256)),
        (grid(), 0.5 + 4 / 64),
        (grid(bits=3, scale_block=256), 0.375 + 1 / 64 + 4 / (64 * 256)),
        (grid("uniform", block=32), 0.5 + 4 / 32),
        (grid(scale_block=256).model_copy(update={"shift": Shift(reach=0.1, steps=3)}), 0.5 + 2 / 64 + 8 / (64 * 256)),
    ],
    ids=["double", "single", "three-bits", "uniform", "shifted"],
)
def test_bytes_for_each_parameter(quantization: Quantization, for_each: float) -> None:
    entries = 1024 * 4096
    assert quantization.bytes(entries) == for_each * entries


def test_double_quantization_gives_the_size_that_is_usually_quoted() -> None:
    assert round(grid(scale_block=256).bytes(2**20) / 2**20, 5) == 0.51587


def test_a_started_block_takes_a_scale_of_its_own() -> None:
    assert grid().bytes(65) == 33 + 8
    assert grid(scale_block=256).bytes(65) == 33 + 2 + 4


@pytest.mark.parametrize("block", [64, 256])
def test_a_normal_float_rounds_normal_weights_better_than_even_levels(block: int) -> None:
    weight = normal(256, 256)
    scale = weight.reshape(-1, block).abs().amax(dim=1, keepdim=True) / 7.5
    even = (((weight.reshape(-1, block) / scale - 0.5).round() + 0.5) * scale).reshape(weight.shape)
    found = grid(block=block).rounded(weight)
    assert (found - weight).square().mean() < (even - weight).square().mean()
    # With a zero point of its own, each block of the uniform grid uses all of its levels; still more is lost.
    assert (found - weight).abs().mean() < (grid("uniform", block=block).rounded(weight) - weight).abs().mean()


def test_rounded_weights_are_levels_times_the_largest_of_the_block() -> None:
    weight = normal(4, 96)  # blocks of 64 run across rows of 96
    blocks = grid().rounded(weight).reshape(-1, 64)
    relative = blocks / weight.reshape(-1, 64).abs().amax(dim=1, keepdim=True)
    assert (relative[..., None] - torch.tensor(NF4)).abs().amin(dim=-1).max() < 1e-6
    torch.testing.assert_close(grid().rounded(grid().rounded(weight)), grid().rounded(weight))


def test_quantizing_the_scales_costs_little() -> None:
    weight = normal(256, 256)
    once, twice = (float((grid(scale_block=n).rounded(weight) - weight).norm()) for n in (None, 256))
    assert once < twice < 1.01 * once


def test_groups_of_a_uniform_grid_end_with_the_row() -> None:
    weight = torch.stack([torch.linspace(0, 1, 40), torch.linspace(100, 101, 40)])
    assert (grid("uniform", block=32).rounded(weight) - weight).abs().max() < 1 / 15 / 2


def test_one_more_bit_rounds_better() -> None:
    weight = normal(64, 128)
    for name in ("normal_float", "uniform"):
        errors = [float((grid(name, bits).rounded(weight) - weight).norm()) for bits in (2, 3, 4, 8)]
        assert errors == sorted(errors, reverse=True)


@pytest.mark.parametrize("wrong", [{"scale_block": 256}, {"shift": {"reach": 0.1, "steps": 1}}])
def test_a_uniform_grid_has_no_second_scales_and_no_shifts(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="a uniform grid has neither"):
        Quantization.model_validate({**grid("uniform").model_dump(), **wrong})


def test_shifts_are_kept_in_groups() -> None:
    with pytest.raises(ValidationError, match="which is null"):
        Quantization.model_validate({**grid().model_dump(), "shift": {"reach": 0.1, "steps": 1}})


def entropy(blocks: Tensor) -> Tensor:
    """Of the nearest levels, for each block; counted one by one."""
    relative = blocks / blocks.abs().amax(dim=1, keepdim=True)
    codes = (relative[..., None] - torch.tensor(normal_float(4))).abs().argmin(dim=-1)
    shares = [torch.bincount(row, minlength=16) / len(row) for row in codes]
    return torch.stack([-(share[share > 0] * share[share > 0].log()).sum() for share in shares])


def test_the_chosen_shift_has_the_highest_entropy() -> None:
    blocks, shift = normal(20, 64), Shift(reach=0.1, steps=5)
    chosen = shift.best(blocks, normal_float(4))
    middle = blocks.median(dim=1, keepdim=True).values
    widest = (blocks - middle).abs().amax(dim=1, keepdim=True)
    farthest = 0.1 / float(torch.distributions.Normal(0.0, 1.0).icdf(torch.tensor(0.9677083)))
    tried = [entropy(blocks - (middle + farthest * n / 5 * widest)) for n in range(-5, 6)]
    torch.testing.assert_close(entropy(blocks - chosen), torch.stack(tried).amax(dim=0))
    assert (entropy(blocks - chosen) > entropy(blocks)).float().mean() > 0.9


def test_shifts_are_put_back_after_rounding() -> None:
    weight = normal(32, 64) + 5
    shifted = grid(scale_block=256).model_copy(update={"shift": Shift(reach=0.1, steps=5)})
    plain = (grid(scale_block=256).rounded(weight) - weight).norm()
    assert (shifted.rounded(weight) - weight).norm() < 0.5 * plain


def split(first_step: str, turns: int, alpha: float = 8.0) -> tuple[Tensor, Tensor, Tensor]:
    """A pretrained matrix, the frozen one that a stage stands on, and the product that its thin matrices start with."""
    where = Where(roles=("query",))
    edit = FittedLowRank.model_validate(
        {"kind": "fitted_low_rank", "where": where, "rank": 8, "alpha": alpha, "turns": turns, "first": first_step}
    )
    stage = Stage(name="one", scope="task", edits=(edit,), train=(), base=grid(bits=2))
    with Attached(tiny_instance(), stage) as on:
        part = first(on).part
        return part.unrounded, part.frozen.detach().clone(), edit.update(part).detach()


@pytest.mark.parametrize("alpha", [8.0, 2.0])
@pytest.mark.parametrize("first_step", ["quantize", "fit"])
def test_a_split_is_nearer_to_the_pretrained_matrix_than_rounding(first_step: str, alpha: float) -> None:
    whole, frozen, product = split(first_step, 5, alpha)
    plain = (whole - grid(bits=2).rounded(whole)).norm()
    assert (whole - frozen - product).norm() < 0.95 * plain
    torch.testing.assert_close(grid(bits=2).rounded(frozen), frozen)  # it is on the grid
    assert torch.linalg.matrix_rank(product) == 8


@pytest.mark.parametrize("alpha", [8.0, 2.0])
def test_one_turn_of_loftq_leaves_the_plain_rounding_and_the_best_fit_of_the_rest(alpha: float) -> None:
    whole, frozen, product = split("quantize", 1, alpha)
    torch.testing.assert_close(frozen, grid(bits=2).rounded(whole))
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
    stage = Stage(name="one", scope="task", edits=(FittedLowRank.model_validate(edit),), train=(), base=grid(bits=2))
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
