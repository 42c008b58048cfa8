"""A page for each source, and the list of them: what it claims, how it was read, and each judged cell beside ours."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from markupsafe import Markup

from surveykit.database.reading import Reader
from surveykit.site.data.judged import word_badge
from surveykit.site.pages.audit import checked_statements, data_checks, survey_of
from surveykit.site.pages.checked_tables import JUDGED, summaries
from surveykit.site.text import numbers
from surveykit.site.text.markdown import Cell, escape, external, link, table
from surveykit.site.text.words import VERDICTS, words

SOURCES = "sources/index.md"
_KINDS = {
    "survey": "a survey", "paper": "a paper", "benchmark": "a benchmark", "documentation": "documentation",
    "draft": "a draft",
}  # fmt: skip
_TIERS = {"printed": "claimed", "measured_elsewhere": "measured by the source itself"}


def path_of(key: str) -> str:
    """The page of a source."""
    return f"sources/{key}.md"


def sources_context(reader: Reader) -> dict[str, Any]:
    """What the list of sources shows."""
    found = reader.all("SELECT * FROM sources ORDER BY claims DESC, source")
    shown = [name for name in (*JUDGED, "not_comparable") if any(getattr(s, name) for s in found)]
    rows: list[list[Cell]] = [
        [
            link(s.name, path_of(s.source), SOURCES), words(s.kind, _KINDS), str(s.date), _TIERS[s.tier],
            numbers.count(s.claims), *(numbers.count(getattr(s, name)) for name in shown),
        ]
        for s in found
    ]  # fmt: skip
    heads = ["Source", "Kind", "Version of", "Its figures are", "Cells", *(VERDICTS[name][0] for name in shown)]
    return {
        "sources": table(heads, rows, "llll" + "r" * (len(heads) - 4)),
        "count": len(found),
        "cells": numbers.count(sum(s.claims for s in found)),
        "legend": [(word_badge(name), VERDICTS[name][1]) for name in shown],
    }


def source_contexts(reader: Reader) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Each source with what its page shows."""
    for s in reader.all(
        "SELECT source.*, paper.url, paper.title FROM source LEFT JOIN paper ON paper.key = source.paper"
    ):
        page, has_pages = path_of(s.key), s.key == survey_of(reader)
        yield (
            s,
            {
                "name": s.name,
                "kind": words(s.kind, _KINDS),
                "tier": _TIERS[s.tier],
                "date": str(s.date),
                "read": s.read,
                "where": _where(s),
                "missing": reader.all("SELECT * FROM missing_in_source WHERE source = ? ORDER BY locator, what", s.key),
                "statements": [] if has_pages else checked_statements(reader, s.key),
                "checks": [] if has_pages else data_checks(reader, s.key),
                "tables": summaries(reader, s.key, page),
            },
        )


def _where(s: Any) -> Markup:
    if s.repository:
        name, _, rest = s.repository.partition("@")
        revision, _, file = rest.partition(":")
        address = f"https://github.com/{name}/{'blob' if file else 'tree'}/{revision}{f'/{file}' if file else ''}"
        return external(f"{name} at {revision[:10]}{f', {file}' if file else ''}", address)
    return external(s.title, s.url) if s.title else escape("a draft that is not published")
