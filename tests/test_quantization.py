"""Few-bit backbones: levels, sizes, rounding, shifts."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from surveykit.recipes import Quantization, Where
from surveykit.recipes.quantization import Shift, normal_float

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


def test_the_levels_of_four_bits_are_the_published_ones() -> None:
    torch.testing.assert_close(torch.tensor(normal_float(4)), torch.tensor(NF4), rtol=0, atol=1e-6)


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
