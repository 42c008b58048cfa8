"""Printed figures are exact decimals, compared at their own rounding."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from surveykit.catalog.figures import parse_figure


@pytest.mark.parametrize(
    ("printed", "low", "high", "decimals", "bound"),
    [
        ("12.69", "12.69", "12.69", 2, "exact"),
        ("0.30", "0.30", "0.30", 2, "exact"),
        ("0.05-0.07", "0.05", "0.07", 2, "exact"),
        ("0.1 - 6", "0.1", "6", 1, "exact"),
        (">0.5", "0.5", "0.5", 1, "above"),
        ("200", "200", "200", 0, "exact"),
    ],
)
def test_reads_figures_as_printed(printed: str, low: str, high: str, decimals: int, bound: str) -> None:
    figure = parse_figure(printed)
    assert (figure.low, figure.high) == (Decimal(low), Decimal(high))
    assert (figure.decimals, figure.bound, figure.printed) == (decimals, bound, printed)


@pytest.mark.parametrize("printed", ["", "-", "about 3", "1,5", "6-0.1", "3%", "1-2-3", "∞"])
def test_refuses_what_is_no_figure(printed: str) -> None:
    with pytest.raises(ValueError, match=r"figure|range"):
        parse_figure(printed)


def test_equals_within_half_a_unit_of_the_last_place() -> None:
    assert parse_figure("0.34").covers(Decimal("0.344064"))
    assert parse_figure("0.34").covers(Decimal("0.345"))
    assert not parse_figure("0.34").covers(Decimal("0.3450001"))
    assert not parse_figure("0.3440").covers(Decimal("0.3441"))
    assert parse_figure("0.05-0.07").covers(Decimal("0.06"))
    assert not parse_figure(">0.5").covers(Decimal("0.5"))


@given(st.decimals(min_value=0, max_value=99999, places=4), st.integers(0, 4))
def test_a_value_equals_its_own_rounding(value: Decimal, places: int) -> None:
    printed = str(value.quantize(Decimal(1).scaleb(-places)))
    assert parse_figure(printed).covers(value)
