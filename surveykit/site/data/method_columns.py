"""The columns of the table of methods: what the survey claims of a method, and what we measure of it, side by side."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from markupsafe import Markup

from surveykit.site.data.judged import YES_PARTLY_NO
from surveykit.site.text import numbers
from surveykit.site.text.markdown import escape, span
from surveykit.site.text.words import FAMILIES, IDEAS, OVERHEADS, STATUSES, overhead_words, type_words, words, yes_no

NOT_MEASURED = "not measured"
WORD_OF = {"lialin2023scaling": "the survey", "ours": "surveykit"}
"""Whose word type, ticks and overhead of a method are."""
_MERGES = {"exact": "yes", "partly": "partly", "none": "no", "differs": "differs"}


class Said(NamedTuple):
    """What one source says in one cell."""

    text: str
    """In words."""
    number: float | None = None
    """For sorting and for programs, in a column of figures."""
    kinds: tuple[str, ...] = ()
    """What it counts as in the column's facet."""
    shown: Markup | None = None
    """How it is shown, if not as its text."""

    def markup(self) -> Markup:
        return escape(self.text) if self.shown is None else self.shown


Say = Callable[[Any], Said]
"""From a row of the view `methods`, with `states` (why there is no value, by name of the column) and `evaluated`."""


class Range(NamedTuple):
    """A range of a column's figures that readers ask for: at least `low`, and below `high`."""

    text: str
    low: float | None = None
    high: float | None = None


class Column(NamedTuple):
    """One column: at least one of `claimed` and `measured`."""

    key: str
    head: str
    claimed: Say | None = None
    measured: Say | None = None
    claimed_at: str | None = None
    """Cell of Table 1 or 2 that a claim is: `1 disk`."""
    measured_at: str | None = None
    """Anchor of the method's page that shows the measurement, where no printed cell is beside it."""
    numeric: bool = False
    facet: bool = False
    shown: bool = True
    """Whether the table starts with it."""
    on_model: bool = True
    """Whether the measurement depends on the model."""
    ranges: tuple[Range, ...] = ()
    """Of its figures, where they can be filtered by: those that we measured, where we did."""

    def sources(self) -> list[str]:
        return [name for name in ("claimed", "measured") if getattr(self, name) is not None]


def _tick(value: bool | None, otherwise: str) -> Said:
    text = otherwise if value is None else "yes" if value else "no"
    return Said(text, kinds=(text,), shown=yes_no(value, otherwise))


def _ticked(name: str) -> Say:
    return lambda m: _tick(getattr(m, name), m.states.get(name, NOT_MEASURED))


def _word(text: str) -> Said:
    kind = text if text in ("yes", "no", "partly") else "absent"
    return Said(text, kinds=(text,), shown=span(text, kind))


def _overhead(value: str | None, otherwise: str) -> Said:
    if value is None:
        return Said(otherwise, kinds=(otherwise,), shown=span(otherwise, "absent"))
    return Said(overhead_words(value), kinds=tuple(words(kind, OVERHEADS) for kind in value.split("+")))


def _figure(name: str, written: Callable[[Any], str]) -> Say:
    def say(m: Any) -> Said:
        value = getattr(m, name)
        return Said(NOT_MEASURED if value is None else written(value), None if value is None else float(value),
                    shown=span(numbers.ABSENT, "absent", title=NOT_MEASURED) if value is None else None)  # fmt: skip

    return say


def _printed(name: str) -> Say:
    """A figure of Table 2; a range sorts by its upper end."""

    def say(m: Any) -> Said:
        printed, upper = getattr(m, f"{name}_printed"), getattr(m, f"{name}_max")
        number = None if upper is None else float(upper)
        return Said(printed or "not printed", number, shown=None if printed else span(numbers.ABSENT, "absent"))

    return say


def _evaluated(m: Any) -> Said:
    sizes = {"under 1 B": m.evaluated_under_1b, "under 20 B": m.evaluated_under_20b, "over 20 B": m.evaluated_over_20b}
    kinds = tuple(size for size, ticked in sizes.items() if ticked)
    if all(ticked is None for ticked in sizes.values()):
        return Said("not stated", kinds=("not stated",), shown=span("not stated", "absent"))
    return Said(", ".join(kinds) or "none", kinds=kinds or ("none",))


def _type(m: Any) -> Said:
    if m.type is None:
        return Said(m.states["type"], kinds=(m.states["type"],), shown=span(m.states["type"], "absent"))
    return Said(m.type, kinds=(m.type,), shown=span(m.type, "type", title=type_words(m.type)))


def _ideas(m: Any) -> Said:
    ideas = tuple(words(name, IDEAS) for name in m.families)
    return Said(", ".join(ideas), kinds=ideas)


def _percent(value: float) -> str:
    return f"{value:.2f}"


def _whole(value: float) -> str:
    return f"{value:.0f}"


_SHARES = (Range("below 0.01 %", high=0.01), Range("below 0.1 %", high=0.1), Range("below 1 %", high=1))
_OF_FULL = (Range("below 40 %", high=40), Range("below 50 %", high=50), Range("below 75 %", high=75))
_CARDS = tuple(Range(f"below {size} GB", high=size) for size in (8, 16, 24, 48, 80))
_FILES = (Range("below 1 MB", high=1e6), Range("below 10 MB", high=1e7), Range("below 100 MB", high=1e8))
_YEARS = tuple(Range(f"{year} and later", low=year) for year in (2022, 2023, 2024, 2025))

COLUMNS = (
    Column("name", "Method", claimed=lambda m: Said(m.name)),
    Column("type", "Type", claimed=_type, claimed_at="1 type", facet=True),
    Column("trainable", "Trainable, %", _printed("trainable_percent"),
           _figure("trainable_percent_measured", numbers.percent), "2 trainable_percent", "configurations",
           numeric=True, ranges=_SHARES),
    Column("configuration", "Counted configuration",
           measured=lambda m: Said(m.configuration_name or NOT_MEASURED,
                                   shown=None if m.configuration_name else span(numbers.ABSENT, "absent")),
           measured_at="configurations", on_model=False),
    Column("ram_ratio", "Memory, % of full tuning", measured=_figure("ram_percent", _whole), measured_at="costs",
           numeric=True, ranges=_OF_FULL),
    Column("ram_gb", "Peak memory, GB", measured=_figure("ram_gb_predicted", _percent), measured_at="costs",
           numeric=True, ranges=_CARDS),
    Column("disk", "Saves disk", _ticked("disk"), _ticked("disk_measured"), "1 disk", "configurations",
           facet=True),
    Column("ram", "Saves memory", _ticked("ram"), _ticked("ram_measured"), "1 ram", "costs", facet=True),
    Column("bp", "Saves backprop", _ticked("bp"),
           lambda m: _word(YES_PARTLY_NO.get(m.bp_measured, NOT_MEASURED)), "1 bp", "costs", facet=True),
    Column("overhead", "Inference overhead", lambda m: _overhead(m.overhead, m.states["overhead"]),
           lambda m: _overhead(m.overhead_unmerged, NOT_MEASURED), "1 overhead", "costs", facet=True),
    Column("overhead_merged", "Overhead once merged", measured=lambda m: _overhead(m.overhead_merged, NOT_MEASURED),
           measured_at="costs", facet=True, shown=False),
    Column("merges", "Merges", measured=lambda m: _word(_MERGES.get(m.merges, NOT_MEASURED)), measured_at="costs",
           facet=True, on_model=False),
    Column("in_peft", "In PEFT", claimed=lambda m: _tick(m.in_peft, "no"), facet=True),
    Column("in_adapters", "In adapters", claimed=lambda m: _tick(m.in_adapters, "no"), facet=True, shown=False),
    Column("year", "Year", claimed=lambda m: Said(str(m.year), float(m.year)), numeric=True, ranges=_YEARS),
    Column("word_of", "Letters and ticks of", claimed=lambda m: Said(WORD_OF[m.word_of], kinds=(WORD_OF[m.word_of],)),
           facet=True, shown=False),
    Column("evaluated", "Evaluated at", claimed=_evaluated, facet=True, shown=False),
    Column("trainable_matched", "Trainable, %, query and value at rank 8",
           measured=_figure("trainable_percent_matched", numbers.percent), measured_at="configurations", numeric=True,
           shown=False),
    Column("changed", "Changed, %", _printed("changed_percent"), _figure("changed_percent_measured", numbers.percent),
           "2 changed_percent", "configurations", numeric=True, shown=False),
    Column("flops", "Extra inference FLOPs, %", measured=_figure("inference_flops_percent", _percent),
           measured_at="costs", numeric=True, shown=False),
    Column("stored", "Stored per task, bytes", measured=_figure("stored_bytes_measured", numbers.count),
           measured_at="configurations", numeric=True, shown=False, ranges=_FILES),
    Column("rank", "Rank of the update", measured=_figure("update_rank_measured", numbers.count),
           measured_at="configurations", numeric=True, shown=False),
    Column("family", "Family", claimed=lambda m: Said(words(m.family, FAMILIES), kinds=(words(m.family, FAMILIES),)),
           facet=True, shown=False),
    Column("families", "Ideas", claimed=_ideas, facet=True, shown=False),
    Column("after_survey", "In the survey", claimed=lambda m: _tick(not m.after_survey, "no"), facet=True, shown=False),
    Column("figures", "Figures of Table 5", claimed=lambda m: m.figures, shown=False),
)  # fmt: skip

QUICK = (
    ("Trains below 0.1 %", "trainable", "..0.1"),
    ("Saves memory (below 90 %)", "ram_ratio", "..90"),
    ("Memory below 50 %", "ram_ratio", "..50"),
    ("No overhead once merged", "overhead_merged", "none"),
    ("In PEFT", "in_peft", "yes"),
    ("2024 and later", "year", "2024.."),
)
"""Filters of one click: what they say, the column, and its value as the page's address has it."""

ABSENT = (*STATUSES.values(), NOT_MEASURED)
"""Values that say that there is none."""
FACET_ORDER = (
    "A", "S", "R", "AS", "AR", "ARS", "none", *WORD_OF.values(), "yes", "partly", "no", "differs",
    *OVERHEADS.values(), "under 1 B", "under 20 B", "over 20 B", *FAMILIES.values(), *IDEAS.values(), *ABSENT,
)  # fmt: skip
"""Values of facets in the order in which they are listed; others come before the last ones, in alphabetical order."""
