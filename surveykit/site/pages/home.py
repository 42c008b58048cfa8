"""The first page: what was found, in ten seconds."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

from markupsafe import Markup

from surveykit.database.reading import Reader
from surveykit.site.data.judged import word_badge
from surveykit.site.text import numbers
from surveykit.site.text.markdown import escape, link
from surveykit.site.text.verdict_tables import explanation_anchor, setup_link
from surveykit.site.text.words import OUTCOMES, VERDICTS

HOME = "index.md"
_CARDS: list[tuple[Any, ...]] = [
    (
        "Choose a method",
        "Filter by what it saves, what it costs in inference, what it needs in memory and where it is implemented.",
        ("All methods in a table", "methods/index.md"),
        ("What fits my GPU?", "choose.md"),
    ),
    (
        "Compare",
        "Two to five methods side by side: claims, measurements, formulas, scores and code.",
        ("Compare methods", "compare.md"),
    ),
    (
        "Browse the taxonomy",
        "Additive, selective and reparametrization-based methods, and those that combine them.",
        ("Taxonomy", "taxonomy.md"),
        ("Methods by family", "methods/index.md#families"),
    ),
    (
        "See the discrepancies",
        "Every printed figure that is not our count: which other setup it fits, what was tried, what is still open.",
        ("Discrepancies", "discrepancies.md"),
        ("Table 5, checked", "table5.md"),
    ),
]
"""Title, text, and links of the four ways in."""


def home_context(reader: Reader, existing: Collection[str]) -> dict[str, Any]:
    """What the first page shows.

    Args:
        existing: paths of the other pages; the cards lead only to what there is.
    """
    summary = reader.one("SELECT * FROM summary, table5_summary")
    return {
        "summary": summary,
        "instantiated": reader.one("SELECT count(DISTINCT method) AS n FROM configuration").n,
        "parts": [
            (Markup(name), getattr(summary, name), word)
            for name, (word, _) in OUTCOMES.items()
            if getattr(summary, name)
        ],
        "cells": _cells(reader),
        "cards": [(title, text, _links(links, existing)) for title, text, *links in _CARDS],
        "telling": _telling(reader),
    }


def _links(links: list[tuple[str, str]], existing: Collection[str]) -> list[Markup]:
    return [link(text, place, HOME) for text, place in links if place.partition("#")[0] in existing]


def _cells(reader: Reader) -> list[tuple[int, Markup, int]]:
    """How the cells of Tables 1 and 2 ended, those first that are judged; of each, how many were found by search."""
    found = reader.all(
        "SELECT verdict, count(*) AS n, count(*) FILTER (found_by = 'search') AS searched FROM cell_verdict WHERE verdict NOT IN ('not_comparable', 'not_measured')"
        " GROUP BY verdict ORDER BY list_position(?, verdict)",
        list(VERDICTS),
    )
    return [(v.n, word_badge(v.verdict), v.searched) for v in found]


def _telling(reader: Reader) -> list[Markup]:
    """Of each cause the difference that is largest as a factor; three of them."""
    largest: dict[str, Any] = {}
    for v in reader.all(
        "SELECT v.*, m.trainable, (SELECT name FROM configuration WHERE id = v.configuration) AS setup FROM table5_verdict v"
        " JOIN measurement m ON m.configuration = v.configuration AND m.backbone = v.backbone"
        " WHERE v.column_name = 'params_millions' AND v.outcome = 'fits_another_setup' AND m.trainable > 0 AND v.value_min > 0"
        " ORDER BY v.locator"
    ):
        v.ratio = float(v.value_min) / float(v.measured)
        known = largest.get(v.cause)
        if known is None or abs(math.log(v.ratio)) > abs(math.log(known.ratio)):
            largest[v.cause] = v
    ordered = sorted(largest.values(), key=lambda v: -abs(math.log(v.ratio)))
    return [_sentence(reader, v) for v in ordered[:3]]


def _sentence(reader: Reader, v: Any) -> Markup:
    place = f"discrepancies.md#{explanation_anchor(v.method, v.row_label, v.position)}"
    more = f"{numbers.factor(v.ratio)} fewer" if v.ratio >= 1 else f"{numbers.factor(1 / v.ratio)} as many"
    name = link(f"{v.row_label} on {v.backbone_name}", place, HOME)
    printed = escape(
        f"the table prints {v.printed} million trainable parameters; for the setup that the row is read as, {v.setup}, we"
        f" count {numbers.count(v.trainable)},"
    )
    counted = escape(f"{more}. The printed figure matches the count of")
    return Markup(f"**{name}**: {printed} {counted} {setup_link(reader, v.fits_setup, HOME)}.")
