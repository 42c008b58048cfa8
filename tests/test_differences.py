"""The rank of a change: what rounding adds to it does not count."""

from __future__ import annotations

import pytest
import torch

from surveykit.engine.train.differences import rank


@pytest.mark.parametrize("size", [1.0, 1e-2, 1e-4])
def test_rounding_the_sum_with_a_weight_adds_no_rank(size: float) -> None:
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(96, 96, generator=generator)
    update = size * torch.randn(96, 2, generator=generator) @ torch.randn(2, 96, generator=generator)
    assert rank((weight + update) - weight, weight) == 2


def test_a_change_of_full_rank_is_counted_whole_and_that_of_a_vector_not_at_all() -> None:
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(24, 16, generator=generator)
    assert rank(torch.randn(24, 16, generator=generator), weight) == 16
    assert rank(torch.zeros(24, 16), weight) == 0
    assert rank(torch.ones(16), weight[0]) == 0
