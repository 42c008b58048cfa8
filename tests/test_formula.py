"""Formulas: exact whole-number arithmetic, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from surveykit import formula
from surveykit.arithmetic import near_square_factor
from surveykit.errors import FormulaError

SYMBOLS = {"A": 72, "r": 8, "d": 1024, "I": 4096}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2*A*r*(d + I)", 2 * 72 * 8 * 5120),
        ("d // 3 - 2**3 + I % 1000", 1024 // 3 - 8 + 96),
        ("-A + min(d, I) + max(1, 2) + near_square(768)", -72 + 1024 + 2 + 24),
    ],
)
def test_evaluates(text: str, value: int) -> None:
    assert formula.evaluate(text, SYMBOLS) == value


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')", "d.bit_length()", "d / 2", "1.5 * d", "True", "[d]", "d if A else I",
        "(lambda: 1)()", "d and I", "open('x')", "f'{d}'", "d := 2", "2 *", "", "min(*[1])", "min(key=1)", "'a' * 9",
    ],
)  # fmt: skip
def test_refuses_everything_that_is_not_arithmetic(text: str) -> None:
    with pytest.raises(FormulaError):
        formula.evaluate(text, SYMBOLS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2*rr", "unknown symbol 'rr'; did you mean 'r'"),
        ("d // 0", "divides by zero"),
        ("9**9**9", "exponents go from 0 to 8"),
        ("root(0 - 1)", "root needs a number from 0"),
        ("near_square(0)", "needs a number from 1"),
        ("sqrt(d)", "calls 'sqrt'; formulas have min, max, near_square, nearest_divisor, root"),
    ],
)
def test_explains_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(FormulaError, match=message.replace("*", r"\*").replace("(", r"\(")):
        formula.evaluate(text, SYMBOLS)


def test_definitions_may_use_those_before_them_and_not_the_backbones() -> None:
    assert formula.bind({"b": "d // 16", "w": "2*b"}, SYMBOLS)["w"] == 128
    with pytest.raises(FormulaError, match="cannot be defined again"):
        formula.bind({"d": "1"}, SYMBOLS)


def test_fills_in_numbers() -> None:
    assert formula.fill_in("2*A*r*(d + I) - 3", SYMBOLS) == "2 × 72 × 8 × (1,024 + 4,096) − 3"
    assert formula.names_in("min(A, r) + d") == {"A", "r", "d"}


@given(st.integers(1, 200_000))
def test_near_square_factor_is_the_largest_divisor_up_to_the_root(number: int) -> None:
    factor = near_square_factor(number)
    assert number % factor == 0
    assert factor * factor <= number
    assert not any(number % other == 0 for other in range(factor + 1, int(number**0.5) + 1))
