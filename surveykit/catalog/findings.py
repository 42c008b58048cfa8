"""How findings are told: a headline whose numbers the database fills in, what belongs together, and what its authors know.

A finding is an explanation, a statement or a data check of the source, or several of these that share a cause. The
texts stay with these; a source needs an entry here only where a headline or a group is wanted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from string import Formatter
from typing import Literal, Self

from pydantic import Field, model_validator

from surveykit.catalog.sources import Cause, Explanation
from surveykit.record import ID_PATTERN, Record

AUTOMATIC = frozenset({"factor", "cells"})
"""Numbers that every headline may use: how far apart the two numbers are, and how many printed cells are affected."""
_NAMES = re.compile(r"(?<!\w)(?:(?:Tables?|Sections?|Figures?) \d[\d.]*(?: and \d[\d.]*)*|\(?[A-Za-z][\w.+()-]*)")
_WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")

Reported = Literal["not_reported", "reported", "confirmed", "corrected", "rejected"]


class Chosen(Record):
    """The explanations of a source that fit in all that is said here."""

    table: str | None = None
    row: str | None = None
    """Label of the row."""
    model: str | None = None
    """One of the models whose figures are explained."""
    cause: Cause | None = None

    @model_validator(mode="after")
    def _chooses(self) -> Self:
        if self == Chosen.model_construct():
            raise ValueError("name the table, row, model or cause of the explanations")
        return self

    def fits(self, explanation: Explanation) -> bool:
        return (
            self.table in (None, explanation.table)
            and self.row in (None, explanation.row)
            and (self.model is None or self.model in explanation.models)
            and self.cause in (None, explanation.cause)
        )


class Bar(Record):
    """One of the two numbers that a finding sets side by side."""

    says: str = Field(max_length=60)
    """What it is."""
    figure: str
    """The column that has it, of `figures` or of a query of the finding's parts."""
    unit: str | None = None


class Telling(Record):
    """How one finding is told."""

    id: str = Field(pattern=ID_PATTERN)
    """Its anchor on the page of findings."""
    headline: str | None = Field(default=None, min_length=15, max_length=160)
    """The finding in one sentence without a full stop, numbers as {name} or {name:words}; a statement has its own."""
    explanations: tuple[Chosen, ...] = ()
    statements: tuple[str, ...] = ()
    data_checks: tuple[str, ...] = ()
    figures: str | None = None
    """A SELECT of one row with further numbers; `cells` and `factor` replace those that are counted."""
    bars: tuple[Bar, ...] = Field(default=(), max_length=2)
    """The two numbers; without them, the printed and the measured figure that are furthest apart."""
    is_part: bool = False
    """Whether the first number is a part of the second, so that their ratio says nothing of the finding's size."""
    against_itself: bool = False
    """Whether the source's own text, formula or data settle it; contradicted statements always count so."""
    locator: str | None = None
    """Where it stands, in the place of what its parts say."""
    innocent: str | None = Field(default=None, min_length=20)
    """An innocent explanation, in short; without it, what its parts say."""
    remark: str | None = Field(default=None, min_length=10)
    """What makes it small or uncertain; it then counts a quarter."""
    status: Reported = "not_reported"
    """Whether the authors of the source know of it, and what they answered."""
    reported: str | None = Field(default=None, min_length=8)
    """Where and when they were told; needed once they were."""

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        if not (self.explanations or self.statements or self.data_checks):
            raise ValueError("name its parts: explanations, statements or data_checks")
        if self.headline is None and (self.explanations or self.data_checks or len(self.statements) > 1):
            raise ValueError("give a headline: only a single statement has its own")
        if (self.status == "not_reported") != (self.reported is None):
            raise ValueError("say in `reported` where and when it was reported to the authors, and only if it was")
        if len(self.bars) == 1:
            raise ValueError("give two numbers to compare, or none")
        for fault in typed_numbers(self.headline or ""):
            raise ValueError(f"the headline contains the number {fault}: name a column instead, as in {{cells}}")
        return self

    @property
    def names(self) -> set[str]:
        """Columns that the headline and the two numbers need."""
        return {*placeholders(self.headline or ""), *(bar.figure for bar in self.bars)} - AUTOMATIC


class Tellings(Record):
    """findings.yaml."""

    findings: tuple[Telling, ...]


def placeholders(template: str) -> Iterable[str]:
    """The names in a headline; ValueError where its braces are no template."""
    return [name for _, name, _, _ in Formatter().parse(template) if name is not None]


def typed_numbers(template: str) -> list[str]:
    """Numbers that stand in a headline as text, those in names such as T5-11B or Table 5 aside."""
    plain = "".join(text for text, *_ in Formatter().parse(template))
    return re.findall(r"\d[\d.,]*", _NAMES.sub(" ", plain))


def filled(template: str, values: Mapping[str, object]) -> str:
    """A headline with its numbers.

    Raises:
        KeyError: no column has a name that it asks for.
    """
    text = ""
    for before, name, form, _ in Formatter().parse(template):
        text += before
        if name is not None:
            value = values[name]
            text += in_words(value) if form == "words" else factor(value) if name == "factor" else number(value)
    return text[:1].upper() + text[1:]


def number(value: object) -> str:
    """A number with its digits in groups, to three significant digits where it is no whole number."""
    if not isinstance(value, int | float | Decimal) or isinstance(value, bool):
        return str(value)
    if value == int(value):
        return f"{int(value):,}"
    return f"{float(value):,.0f}" if abs(float(value)) >= 1000 else f"{float(value):.3g}"


def factor(value: object) -> str:
    """How many times, to two significant digits."""
    ratio = float(value) if isinstance(value, int | float | Decimal) else 1.0
    if ratio < 10:
        return f"{ratio:.2g}"
    return f"{round(ratio, 2 - len(str(int(ratio)))):,.0f}"


def in_words(value: object) -> str:
    """A whole number up to twelve as a word."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(_WORDS):
        return _WORDS[value]
    return number(value)
