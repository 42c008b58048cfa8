"""The first page: what surveykit is, the weightiest findings, and the ways in."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from markupsafe import Markup

from surveykit.database.reading import Reader
from surveykit.site.data.judged import word_badge
from surveykit.site.pages.audit import survey_of
from surveykit.site.pages.findings import FINDINGS, path_of, weightiest
from surveykit.site.text import numbers
from surveykit.site.text.markdown import link
from surveykit.site.text.words import OUTCOMES, VERDICTS

HOME = "index.md"
_FIRST = 3
"""Findings on the first screen."""
_WAYS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("Choose", "Answer four questions and get two or three methods that fit your model, memory and purpose.", ("choose.md",)),
    ("Explorer", "All methods in one picture: parameters, memory, time and score.", ("explorer.md",)),
    ("Findings", "Contradictions in surveys, papers and documentation, ranked.", (FINDINGS,)),
    ("Methods", "Every method in a table: filter, sort, compare, and get the code.", ("methods/index.md",)),
)  # fmt: skip
"""Name, text and pages of the four ways in; each leads to the first of its pages that exists."""


def home_context(reader: Reader, existing: Collection[str]) -> dict[str, Any]:
    """What the first page shows.

    Args:
        existing: paths of the other pages; the ways in lead only to what there is.
    """
    summary = reader.one("SELECT * FROM summary, table5_summary")
    return {
        "summary": summary,
        "claims": numbers.count(summary.claims),
        "findings": [_linked(f) for f in weightiest(reader, HOME, _FIRST)],
        "count": reader.one("SELECT count(*) AS n FROM finding").n,
        "survey_findings": path_of(survey_of(reader)),
        "parts": [
            (Markup(name), getattr(summary, name), word)
            for name, (word, _) in OUTCOMES.items()
            if getattr(summary, name)
        ],
        "cells": _cells(reader),
        "ways": [
            (link(name, place, HOME), text)
            for name, text, pages in _WAYS
            if (place := next((page for page in pages if page in existing), None))
        ],
    }


def _linked(f: Any) -> Any:
    f.title = link(f.headline, f.address, HOME)
    return f


def _cells(reader: Reader) -> list[tuple[int, Markup, int]]:
    """How the cells of Tables 1 and 2 ended, those first that are judged; of each, how many were found by search."""
    found = reader.all(
        "SELECT verdict, count(*) AS n, count(*) FILTER (found_by = 'search') AS searched FROM cell_verdict WHERE verdict NOT IN ('not_comparable', 'not_measured')"
        " GROUP BY verdict ORDER BY list_position(?, verdict)",
        list(VERDICTS),
    )
    return [(v.n, word_badge(v.verdict), v.searched) for v in found]
