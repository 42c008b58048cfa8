"""Numbers as the site writes them: three significant digits, groups of digits, one unit for a kind."""

from __future__ import annotations

import pytest

from surveykit.site.text import numbers


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0"), (0.3198, "0.320"), (0.004016, "0.00402"), (9.996, "10.0"), (10.4805, "10.5"), (99.96, "100"),
        (737.668, "738"), (1234.5, "1,230"), (-0.5, "-0.500"),
    ],
)  # fmt: skip
def test_three_significant_digits(value: float, shown: str) -> None:
    assert numbers.significant(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "–"), (999, "999"), (184_320, "184,320"), (2_359_296, "2.36 million"), (999_600_000, "1.00 billion"),
        (1_211_985_408, "1.21 billion"),
    ],
)  # fmt: skip
def test_parameters_are_exact_while_they_are_few(value: int | None, shown: str) -> None:
    assert numbers.parameters(value) == shown


def test_units_stand_with_their_numbers() -> None:
    assert numbers.gigabytes(13_648_232_452) == "13.6 GB"
    assert numbers.extra(0.3224) == "+0.322 %"
    assert numbers.extra(-2.0) == "−2.00 %"
    assert numbers.percent(100.0) == "100"


@pytest.mark.parametrize(
    ("percent", "decimals", "shown"),
    [(1.26, 1, "+1.3 %"), (-1.26, 1, "−1.3 %"), (-0.004, 1, "+0.0 %"), (0.0, 0, "+0 %"), (-0.4, 0, "+0 %"), (-7.6, 0, "−8 %")],
)  # fmt: skip
def test_an_error_has_a_sign_and_nothing_is_below_nothing(percent: float, decimals: int, shown: str) -> None:
    assert numbers.error(percent, decimals) == shown
