"""A verdict: one claim beside one measurement of ours in one sense."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from surveykit.catalog.claims import Claim
from surveykit.catalog.load import Catalog
from surveykit.catalog.plans import Figure
from surveykit.catalog.sources import Cause, Explanation

Word = Literal[
    "match", "within_range", "outside_range", "partly", "differs", "predicted", "not_comparable", "not_measured"
]
Outcome = Literal[
    "match", "within_range", "fits_another_setup", "other_definition", "truncated", "inconsistent", "unresolved",
    "unexplained", "predicted", "not_comparable", "not_measured",
]  # fmt: skip
FoundBy = Literal["named", "default", "search"]
SETTLED: frozenset[Word] = frozenset({"match", "within_range"})
"""Verdicts that leave nothing to explain. What is not comparable may have an explanation, and needs none."""
NEEDS_EXPLANATION: frozenset[Word] = frozenset({"partly", "differs", "outside_range"})
_OUTCOMES: dict[Cause, Outcome] = {
    "source_inconsistent": "inconsistent",
    "unresolved": "unresolved",
    "other_definition": "other_definition",
    "truncated": "truncated",
}


@dataclass(frozen=True)
class Found:
    """One look at a claim: the word, and the figure, configuration, model and sense that it judged."""

    word: Word
    measured: str | None
    """Our figure or word; None when nothing was measured."""
    sense: str | None
    """What our figure counts, or the state of the edits that it describes."""
    reason: str
    """What was compared, or why there is nothing to compare."""
    configuration: str | None = None
    model: str | None = None
    found_by: FoundBy | None = None
    """`named`: the source names configuration and model; `default`: the default configuration agrees, looked at in the
    one way that was fixed before; `search`: another configuration, model or sense does. None where nothing agrees."""
    candidates: int | None = None
    """How many figures of ours were compared with the printed one; None where nothing was."""
    fitting: int | None = None
    """How many of them agree with it."""
    value: Decimal | None = None
    """Our figure as a number, in the unit of the claim, unrounded; None for words."""


@dataclass(frozen=True)
class Here:
    """What the bench measured where a source prints a figure; nothing is judged by it."""

    value: float
    """In the unit of the claim; a score in percent, throughput with the baseline's as 100."""
    device: str
    plan: str
    tier: str
    figure: Figure
    """What was measured."""


@dataclass(frozen=True)
class Verdict:
    """What was found of a claim, with the reviewed explanation where it differs."""

    claim: Claim
    found: Found
    explanation: Explanation | None
    here: tuple[Here, ...] = ()
    """What the bench measured for it, device after device."""

    @property
    def word(self) -> Word:
        return self.found.word

    @property
    def cause(self) -> Cause | None:
        return self.explanation.cause if self.explanation else None

    @property
    def fits_setup(self) -> str | None:
        """Another configuration, which gives the printed figure."""
        setup = self.explanation.fits_setup if self.explanation else None
        return setup.configuration if setup else None

    @property
    def outcome(self) -> Outcome:
        """The word together with the explanation; `unexplained` fails the check."""
        if self.word not in NEEDS_EXPLANATION:
            return self.word  # type: ignore[return-value]
        return "unexplained" if self.cause is None else _OUTCOMES.get(self.cause, "fits_another_setup")

    @property
    def name(self) -> str:
        """Where the claim stands, for messages."""
        return f"{self.claim.source}: {self.claim.locator}"


@dataclass(frozen=True)
class Summary:
    """How the claims of one table ended."""

    source: str
    table: str
    name: str
    """Source and place, as sentences call them."""
    cells: int
    outcomes: Counter[Outcome]
    searched: Counter[Outcome]
    """Of those, how many were found by a search."""
    rows: int
    """Rows, each on one model, of which a figure was compared that names its configuration."""
    rows_match: int
    """Rows all of whose such figures match."""
    full_tuning_rows: int
    """Of those, rows of full tuning, whose count is that of the model."""

    def sentence(self) -> str:
        """One line that can be quoted."""
        parts = []
        for outcome, count in self.outcomes.most_common():
            searched = self.searched[outcome]
            found = (
                f" ({count - searched} with the default configuration, {searched} found by search)" if searched else ""
            )
            parts.append(f"{count} {_SAID[outcome][count != 1]}{found}")
        whole = f"of {self.cells} cells {', '.join(parts)}"
        if not self.rows:
            return f"{self.name}: {whole}."
        rows = "1 row matches" if self.rows == 1 == self.rows_match else f"{self.rows_match} of {self.rows} rows match"
        full = f" ({self.full_tuning_rows} of them full tuning)" if self.full_tuning_rows else ""
        return f"{self.name}: {rows} in every count{full}; {whole}."


_SAID: dict[Outcome, tuple[str, str]] = {
    "match": ("matches", "match"),
    "within_range": ("contains ours in its range", "contain ours in their range"),
    "fits_another_setup": ("differs and fits another setup", "differ and fit another setup"),
    "other_definition": ("differs by definition", "differ by definition"),
    "truncated": ("is cut off, not rounded", "are cut off, not rounded"),
    "inconsistent": ("contradicts another figure of its row", "contradict another figure of their row"),
    "unresolved": ("differs and is unresolved", "differ and are unresolved"),
    "unexplained": ("differs without an explanation", "differ without an explanation"),
    "predicted": ("is shown next to a prediction", "are shown next to a prediction"),
    "not_comparable": ("is not comparable", "are not comparable"),
    "not_measured": ("is not measured", "are not measured"),
}
"""What a cell does that ended so, and what several do."""


def summaries(verdicts: Iterable[Verdict], catalog: Catalog) -> list[Summary]:
    """One summary for each table that has verdicts, in their order."""
    tables: dict[tuple[str, str], list[Verdict]] = {}
    for verdict in verdicts:
        tables.setdefault((verdict.claim.source, verdict.claim.table), []).append(verdict)
    full_tuning = catalog.quantities.judging.full_tuning
    return [
        _summary(source, table, catalog.table_name(source, table), found, full_tuning)
        for (source, table), found in tables.items()
    ]


def _summary(source: str, table: str, name: str, verdicts: list[Verdict], full_tuning: str) -> Summary:
    rows: dict[int, list[Verdict]] = {}
    for verdict in verdicts:
        if verdict.found.found_by == "named":
            rows.setdefault(verdict.claim.position, []).append(verdict)
    matching = [row for row in rows.values() if all(v.word == "match" for v in row)]
    return Summary(
        source, table, name, len(verdicts),
        Counter(v.outcome for v in verdicts),
        Counter(v.outcome for v in verdicts if v.found.found_by == "search"),
        len(rows),
        len(matching),
        sum(row[0].found.configuration == full_tuning for row in matching),
    )  # fmt: skip
