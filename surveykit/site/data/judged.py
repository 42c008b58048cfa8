"""A verdict on a page: always with the figure, configuration, base model and sense that it judged, all of one row.

Nothing else of the site writes the verdict of a cell, so none can stand beside a figure that it did not judge.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from markupsafe import Markup

from surveykit.database.reading import Reader
from surveykit.site.text import numbers
from surveykit.site.text.markdown import escape, slug, span
from surveykit.site.text.words import CAUSES, OUTCOMES, VERDICTS, overhead_words, words

YES_PARTLY_NO = {"none": "yes", "partial": "partly", "full": "no"}
"""How far backward runs, as an answer to whether it is saved."""
_DIFFERENT = ("differs", "partly", "outside_range")


class Judged(NamedTuple):
    """A verdict with what it judged."""

    verdict: str
    """Key of the verdict."""
    word: str
    meaning: str
    figure: str
    """Our figure, in words; a dash where nothing was measured."""
    of: str
    """Configuration, base model and sense of the figure, and how it was found; empty where nothing was measured."""
    usual: bool
    """Whether that is the default configuration on the base model of the view `methods`, in the column's own sense."""

    @property
    def differs(self) -> bool:
        return self.verdict in _DIFFERENT

    @property
    def tip(self) -> str:
        """What the verdict means, and what it judged."""
        return f"{self.meaning} Judged: {self.figure} ({self.of})." if self.of else self.meaning

    def badge(self) -> Markup:
        """The verdict in its colour."""
        return span(self.word, f"outcome {self.verdict}", title=self.tip)

    @property
    def label(self) -> str:
        """What stands before the figure: `measured` where it is the one that the method's own columns have."""
        return "measured" if self.usual else "judged"

    def markup(self) -> Markup:
        """Label, figure and verdict; the verdict alone where nothing was measured."""
        if self.figure == numbers.ABSENT:
            return self.badge()
        return span(self.label, "source") + Markup(" ") + escape(self.figure) + Markup(" ") + self.badge()


def word_badge(key: str) -> Markup:
    """A verdict by itself, in a legend or for something that has no figure."""
    word, meaning = VERDICTS.get(key) or OUTCOMES.get(key) or (words(key, OUTCOMES), "")
    return span(word, f"outcome {key}", title=meaning or None)


def reason_words(looked_at: str, cause: str, explanation: str | None) -> Markup:
    """What was looked at, and the reviewed explanation behind its cause, where there is one."""
    said = escape(looked_at)
    return (
        said + Markup(" **{}.** {}").format(escape(words(cause, CAUSES)), escape(explanation)) if explanation else said
    )


def cell_anchor(table_number: int, column: str) -> str:
    """The anchor of a cell of Table 1 or 2 on its method's page."""
    return f"table{table_number}-{slug(column)}"


def cells_of(reader: Reader) -> dict[str, dict[str, Judged]]:
    """The verdicts of Tables 1 and 2, by method and anchor."""
    found: dict[str, dict[str, Judged]] = {}
    for v in reader.all(
        "SELECT v.*, b.name AS backbone_name, c.is_default AND v.backbone = judging.judged_on AS usual"
        " FROM cell_verdict v CROSS JOIN judging LEFT JOIN backbone b ON b.id = v.backbone"
        " LEFT JOIN configuration c ON c.id = v.configuration"
    ):
        found.setdefault(v.method, {})[cell_anchor(v.table_number, v.column_name)] = judged_cell(v)
    return found


def judged_cell(v: Any) -> Judged:
    """The verdict of one row of `cell_verdict`, with `backbone_name` and `usual`."""
    word, meaning = VERDICTS[v.verdict]
    of = ""
    if v.configuration is not None:
        sense = "" if v.sense is None else f"; {v.sense_says or v.sense}"
        search = f"; found by search, {v.fitting} of {v.candidates} fit" if v.found_by == "search" else ""
        of = f"{v.configuration} on {v.backbone_name}{sense}{search}"
    usual = bool(v.usual) and bool(v.is_own_sense)
    return Judged(v.verdict, word, meaning, _figure(v), of, usual)


def judged_figure(v: Any) -> Judged:
    """The verdict of one row of `table5_verdict`, with `backbone_name` and the print's `decimals`."""
    of = "" if v.measured is None else f"{v.configuration} on {v.backbone_name}; trainable parameters"
    fits = f"; the print fits {v.fits_setup}" if v.fits_setup else ""
    figure = numbers.like_printed(v.measured, v.decimals)
    return Judged(v.outcome, *OUTCOMES[v.outcome], figure, f"{of}{fits}", usual=False)


def _figure(v: Any) -> str:
    if v.measured is None:
        return numbers.ABSENT
    if v.sense_says is not None:
        return f"{v.measured} %"
    if v.column_name == "bp":
        return YES_PARTLY_NO[v.measured]
    if v.column_name == "overhead":
        return ", merged ".join(overhead_words(kinds) for kinds in v.measured.split(", merged "))
    return str(v.measured)
