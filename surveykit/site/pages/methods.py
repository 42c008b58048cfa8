"""The index of methods, and one page for each."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

from markupsafe import Markup

from surveykit import formula
from surveykit.database.reading import Reader
from surveykit.site.data.method_table import (
    DATA,
    FIRST_PAGE,
    INDEX,
    ROWS_ON_A_PAGE,
    SCRIPT,
    Measured,
    hidden_at_first,
    markdown_table,
    widest,
)
from surveykit.site.drawing.pictures import figure
from surveykit.site.drawing.svg import Picture
from surveykit.site.pages.answers import answers
from surveykit.site.pages.audit import survey_of
from surveykit.site.pages.claims import claims_by_source
from surveykit.site.pages.configurations import configuration_context, place
from surveykit.site.pages.experiment import experiment_rows, score_rows
from surveykit.site.pages.measured import cell_rows, cost_rows, trial_sentence
from surveykit.site.pages.new_methods import METHODS_FEED
from surveykit.site.text.corrections import Sources
from surveykit.site.text.markdown import code, escape, external, fence, joined, link, table, target
from surveykit.site.text.snippets import Snippet, snippets
from surveykit.site.text.verdict_tables import explanation_blocks, verdict_table
from surveykit.site.text.words import (
    COLUMNS,
    FAMILIES,
    IDEAS,
    LIBRARIES,
    RELATIONS,
    SOURCES,
    STATUSES,
    SYMBOLS,
    overhead_words,
    type_words,
    words,
    yes_no,
)  # fmt: skip


def index_context(reader: Reader, rows: list[Any], measured: Measured) -> dict[str, Any]:
    """What the index shows.

    Args:
        rows: of the table, by `method_rows`.
        measured: what its measured columns are of.
    """
    families = [
        (
            words(f.family, FAMILIES),
            joined(link(name, f"methods/{i}.md", INDEX) for i, name in zip(f.ids, f.names, strict=True)),
        )
        for f in reader.all(
            "SELECT family, list(id ORDER BY lower(name), id) AS ids, list(name ORDER BY lower(name), id) AS names"
            " FROM method GROUP BY family ORDER BY list_position(?, family)",
            list(FAMILIES),
        )
    ]
    return {
        "methods": markdown_table(rows, measured.models[0].name),
        "measured_on": measured.models[0].name,
        "setting": measured.setting,
        "feed": METHODS_FEED,
        "table_script": Markup(SCRIPT),
        "data": Markup(DATA),
        "script": Markup(target(FIRST_PAGE, INDEX)),
        "rows_on_a_page": ROWS_ON_A_PAGE,
        "hidden_at_first": " ".join(map(str, hidden_at_first())),
        "widest": " ".join(map(str, widest(rows))),
        "at_most": {
            q.id: f"{q.at_most.normalize():f}"
            for q in reader.all("SELECT id, at_most FROM quantity WHERE at_most IS NOT NULL")
        },
        "families": families,
        "summary": reader.one("SELECT * FROM summary, table5_summary"),
    }


def method_contexts(
    reader: Reader, blocks: Mapping[str, Picture], sources: Sources
) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Each method with what its page shows, in alphabetical order.

    Args:
        blocks: pictures of where methods sit, by method.
        sources: where corrections go.
    """
    survey = survey_of(reader)
    backbones = reader.all("SELECT * FROM backbone ORDER BY parameters, id")
    judging = reader.one("SELECT * FROM judging")
    written = snippets(reader)
    for method in reader.all(
        "SELECT method.*, families, after_survey, year FROM method JOIN methods USING (id) ORDER BY lower(method.name), id"
    ):
        page = f"methods/{method.id}.md"
        configurations = reader.of(
            "method", method.id, "SELECT * FROM configuration WHERE varies IS NULL ORDER BY NOT is_default, id"
        )
        told = snippet_blocks(written.get(method.id, []), page)
        yield (
            method,
            {
                "method": method,
                "not_instantiated": getattr(method, "not_instantiated", None),
                "aliases": [a.name for a in reader.of("method", method.id, "SELECT * FROM alias ORDER BY name")],
                "family": words(method.family, FAMILIES),
                "ideas": ", ".join(words(name, IDEAS) for name in method.families),
                "paper": _paper(reader, method.paper),
                "verdicts": verdict_table(reader, page, method.id),
                "explanations": explanation_blocks(reader, page, method.id),
                "taxonomy": _taxonomy(reader, method.id),
                "answers": answers(reader, method, page),
                "survey": survey,
                "claims": claims_by_source(reader, method.id, page, survey),
                "cells": cell_rows(reader, method.id),
                "costs": cost_rows(reader, method.id),
                "block": figure(blocks[method.id], page) if method.id in blocks else None,
                "experiment": experiment_rows(reader, method.id),
                "scores": score_rows(reader, method.id, page),
                "snippets": told,
                "corrections": _corrections(method, page, sources),
                "trial": trial_sentence(reader, method.id),
                "configurations": [configuration_context(reader, c, backbones, page) for c in configurations],
                "symbols": _symbols(method.pseudocode, configurations),
                "relations": _relations(reader, method.id, page),
                "implementations": _implementations(reader, method.id, told),
                "judging": judging,
                "bibtex": fence(_paper(reader, method.paper).bibtex, "bibtex"),
            },
        )


def _paper(reader: Reader, key: str) -> Any:
    (paper,) = reader.of("key", key, "SELECT * FROM paper")
    url = paper.url or (f"https://doi.org/{paper.doi}" if paper.doi else None)
    first, *others = paper.authors.split("; ")
    paper.cited = escape(f"{first.split(',')[0]}{' et al.' if others else ''}, ") + external(paper.title, url)
    return paper


def _taxonomy(reader: Reader, method: str) -> Markup:
    rows = []
    attributes = {a.name: a for a in reader.of("method", method, "SELECT * FROM attribute")}
    for name in ("type", "disk", "ram", "bp", "overhead"):
        found = attributes[name]
        shown: str | Markup
        if found.value is None:
            shown = words(found.status, STATUSES)
        elif name == "type":
            shown = f"{found.value} ({type_words(found.value)})" if found.value != "none" else type_words("none")
        elif name == "overhead":
            shown = overhead_words(found.value)
        else:
            shown = yes_no(found.value == "true")
        rows.append([words(name, COLUMNS), shown, words(found.source, SOURCES), found.locator])
    return table(["Column", "Value", "Source", "Where"], rows, "llll")


def _symbols(pseudocode: str, configurations: list[Any]) -> list[tuple[Markup, str]]:
    """The symbols of the backbone in a method's formulas, and in shapes of its pseudo-code, with their meaning."""
    used = {name for shape in re.findall(r": \(([^()]*)\)", pseudocode) for name in re.findall(r"\w+", shape)}
    for c in configurations:
        for text in (c.formula_trainable, c.formula_added, c.formula_stored, *json.loads(c.formula_let).values()):
            used |= formula.names_in(text)
    return [(code(name), meaning) for name, meaning in SYMBOLS.items() if name in used]


def _relations(reader: Reader, method: str, page: str) -> list[Markup]:
    rows = reader.of(
        "owner",
        method,
        "SELECT kind, other AS id, name, false AS reverse, method AS owner FROM relation JOIN method ON id = other"
        " UNION ALL SELECT kind, method, name, true, other FROM relation JOIN method ON id = method ORDER BY ALL",
    )
    return [
        escape(RELATIONS.get(r.kind, (words(r.kind, {}), "is named by"))[r.reverse])
        + Markup(" ")
        + link(r.name, f"methods/{r.id}.md", page)
        for r in rows
    ]


def _corrections(method: Any, page: str, sources: Sources) -> Markup:
    """Links that edit the method's file and that report an error, as far as there is a place for them."""
    ways = (
        ("Edit this entry", sources.edit(f"methods/{method.id}.yaml")),
        ("Report an error", sources.report(method.name, page)),
    )
    return joined((external(text, address) for text, address in ways if address), " · ")


def snippet_blocks(found: list[Snippet], page: str) -> list[Any]:
    """Code that puts the method on a model, with what it was written from."""
    return [
        SimpleNamespace(
            label=words(s.library, LIBRARIES),
            code=fence(s.code, "python"),
            origin=link(s.configuration_name, place(s.configuration), page) if s.configuration else None,
            is_default=s.is_default,
            notes=s.notes,
        )
        for s in found
    ]


def _implementations(reader: Reader, method: str, told: list[Any]) -> list[Any]:
    """Where code can be had. What `told`, the blocks of code, say already is not said again."""
    found = reader.of("method", method, "SELECT * FROM implementation ORDER BY position")
    for i in found:
        i.label = words(i.library, LIBRARIES)
        if any(s.label == i.label for s in told):
            i.note = None  # it stands with the code
        i.shown = external(i.name, f"https://github.com/{i.name}") if i.library == "repository" else code(i.name)
    return found
