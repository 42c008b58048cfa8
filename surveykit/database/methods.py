"""Methods in words and figures: what `show`, `compare` and `cite` print."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from surveykit.catalog.hyper_parameters import HyperParameter, hyper_parameters
from surveykit.database.reading import Reader
from surveykit.errors import SurveyError, nearest
from surveykit.recipes import Recipe


@dataclass(frozen=True)
class Fact:
    """Something claimed or measured of a method. What nobody claimed or measured is None."""

    what: str
    claimed: str | None
    """As printed."""
    measured: str | None
    measured_of: str | None
    """Configuration and model that our figure is of."""
    verdict: str | None
    evidence: str | None
    """Where the claim stands, or why the verdict is what it is."""


@dataclass(frozen=True)
class Portrait:
    """One method: every claim beside what was measured."""

    method: str
    """Its id."""
    paragraphs: tuple[str, ...]
    """Name and place, idea, trade-off, and what stands in the way of instantiating it, if anything."""
    facts: tuple[Fact, ...]
    hyper_parameters: tuple[HyperParameter, ...]
    """Of its default configuration, each with its value and what it can be: what `--set` changes."""


@dataclass(frozen=True)
class Comparison:
    """Methods side by side."""

    backbone: str
    """Of the measurements."""
    methods: tuple[str, ...]
    """Ids, each once, in the order in which they were named."""
    properties: Mapping[str, tuple[Any, ...]]
    """Of each property one value for each method, in the order of `methods`."""
    notes: tuple[str, ...] = ()
    """What has to be said of changes of the configurations, a line each."""


def method_id(reader: Reader, name: str) -> str:
    """The id of the method of this id, name or other name, whatever its case.

    Raises:
        SurveyError: there is no such method; the nearest is named.
    """
    known: dict[str, str] = {}
    for row in reader.all(
        "SELECT id, name FROM (SELECT method AS id, name, 1 AS n FROM alias UNION ALL SELECT id, name, 2 FROM method"
        " UNION ALL SELECT id, id, 3 FROM method) ORDER BY n, id"
    ):
        known[row.name.casefold()] = row.id  # an id wins over a name, and a name over another name
    if name.casefold() not in known:
        raise SurveyError(f"there is no method '{name}'{nearest(name, sorted(set(known.values())))}")
    return known[name.casefold()]


def portrait(reader: Reader, name: str) -> Portrait:
    """A method by its id, name or other name.

    Raises:
        SurveyError: there is no such method.
    """
    name = method_id(reader, name)
    m = reader.one("SELECT * FROM method JOIN paper ON paper.key = method.paper WHERE method.id = ?", name)
    family = f"{f'Survey section {m.section}, ' if m.section else ''}{m.family.replace('_', ' ')}."
    words = [f"{m.name}: {m.title} ({m.year}). {family[0].upper()}{family[1:]}"]
    ideas = reader.all("SELECT name FROM idea WHERE method = ? ORDER BY position", name)
    words += [f"Ideas: {', '.join(idea.name.replace('_', ' ') for idea in ideas)}."]
    words += [m.idea, f"Trade-off: {m.tradeoff}"]
    words += [f"Reconstruction: {m.reconstruction}"] if m.reconstruction else []
    words += [f"Not instantiated: {m.not_instantiated}"] if m.not_instantiated else []
    recipes = reader.all("SELECT recipe FROM configuration WHERE method = ? AND is_default", name)
    settable = [one for row in recipes for one in hyper_parameters(Recipe.model_validate_json(row.recipe))]
    return Portrait(name, tuple(words), tuple(_facts(reader, name)), tuple(settable))


def _facts(reader: Reader, name: str) -> list[Fact]:
    """The argument about a method, claim beside evidence: what sources say of the method as such or what of their figures
    is judged, what the default configuration costs on one model, and its counts on every model."""
    _, rows = reader.listing(
        f"""
        SELECT what, claimed, measured, measured_of, verdict, evidence FROM (
            SELECT 1 AS part, list_position(['type', 'disk', 'ram', 'bp', 'overhead'], name) AS place,
                   'effective ' || name AS what, coalesce(value, status) AS claimed,
                   NULL::VARCHAR AS measured, NULL::VARCHAR AS measured_of, NULL::VARCHAR AS verdict, source || ': ' || locator AS evidence
            FROM attribute WHERE method = $name
            UNION ALL
            SELECT 2, row_number() OVER (ORDER BY source <> word_of, source, table_name, place, locator),
                   if(source = word_of, '', source || ': ') || locator, printed, measured,
                   configuration || ' on ' || backbone || coalesce(', ' || sense, ''),
                   verdict || if(found_by = 'search', ', found by search', '')
                       || coalesce(' (' || cause || coalesce(': ' || fits_setup, '') || ')', ''),
                   reason || coalesce(' ' || explained, '')
            FROM ({_JUDGED}), judging
            UNION ALL
            {_RECOMPUTED if reader.has("table4_recomputed") else ""}
            SELECT 4, fact.place, fact.what, NULL, fact.value, configuration || ' on ' || backbone, NULL,
                   'configuration ' || configuration_name
            FROM methods, LATERAL (VALUES
                (1, 'memory, share of full tuning', CAST(round(ram_ratio, 3) AS VARCHAR)),
                (2, 'backward runs into blocks', bp_measured),
                (3, 'activation gradients, share of full tuning', CAST(round(bp_share, 3) AS VARCHAR)),
                (4, 'inference overhead, unmerged / merged', overhead_unmerged || ' / ' || overhead_merged),
                (5, 'extra FLOPs in inference, %, unmerged / merged',
                    round(inference_flops_percent, 3) || ' / ' || round(merged_flops_percent, 3)),
                (6, 'entries that change, %', CAST(round(changed_percent_measured, 4) AS VARCHAR)),
                (7, 'rank of the update', CAST(update_rank_measured AS VARCHAR)),
                (8, 'merges on a tiny T5', merges)
            ) AS fact (place, what, value)
            WHERE id = $name AND bp_measured IS NOT NULL
            UNION ALL
            SELECT 5, backbone.parameters, 'trainable / added / stored on ' || backbone.id, NULL,
                   measurement.trainable || ' / ' || measurement.added || ' / ' || measurement.stored,
                   configuration.id || ' on ' || backbone.id, NULL,
                   'formula ' || configuration.formula_trainable
            FROM measurement
            JOIN configuration ON configuration.id = measurement.configuration
            JOIN backbone ON backbone.id = measurement.backbone
            WHERE configuration.method = $name AND configuration.is_default
        ) ORDER BY part, place, what
        """,
        name=name,
    )
    return [Fact(*row) for row in rows]


_JUDGED = """
            SELECT v.source, v.table_name, v.locator, v.printed, v.measured, v.configuration, v.backbone, v.sense, v.verdict,
                   v.found_by, v.cause, v.fits_setup, v.reason, v.explained, min(v.position) AS place
            FROM verdict v JOIN claim c USING (source, table_name, position, column_name)
            WHERE v.method = $name AND (v.verdict <> 'not_comparable' OR (c.model_label IS NULL AND c.backbone IS NULL))
            GROUP BY ALL
"""
"""Equal cells of several runs are one: of a count, only the first tells something."""
_RECOMPUTED = """
            SELECT 3, 0, 'score on ' || backbone || ' (' || method || '), recomputed', NULL,
                   CAST(round(score_mean, 2) AS VARCHAR), NULL, NULL,
                   coalesce('doubtful: ' || caveat || coalesce('; the mean would then be ' || round(score_if_fraction, 2), ''), 'Appendix B')
            FROM table4_recomputed WHERE method_id = $name AND score_mean IS NOT NULL
            UNION ALL
"""
_COMPARED = (
    "type", "disk", "ram", "bp", "overhead", "family", "families", "section", "after_survey", "year",
    "trainable_percent_printed", "changed_percent_printed", "evaluated_under_1b", "evaluated_under_20b",
    "evaluated_over_20b", "in_peft", "in_adapters", "word_of", "configuration", "configuration_name",
    "trainable_measured", "trainable_percent_measured", "configuration_matched", "trainable_matched", "added_measured",
    "stored_measured", "changed_percent_measured", "update_rank_measured", "ram_ratio", "bp_measured",
    "overhead_unmerged", "overhead_merged", "inference_flops_percent", "merged_flops_percent", "merges",
    "figures_match", "figures_differ", "cells_match", "cells_found_by_search", "cells_differ",
)  # fmt: skip


def side_by_side(reader: Reader, names: Sequence[str], backbone: str) -> Comparison:
    """Methods, with what was measured on a backbone.

    Raises:
        SurveyError: fewer than two methods, or a name that is not in the catalog.
    """
    names = [method_id(reader, name) for name in names]
    if len(set(names)) < 2:
        raise SurveyError("compare needs at least two different methods")
    known = [row.id for row in reader.all("SELECT id FROM backbone ORDER BY parameters")]
    if backbone not in known:
        raise SurveyError(f"there is no backbone '{backbone}'{nearest(backbone, known)}")
    methods = {row.id: row for row in reader.all("SELECT * FROM methods_on(?)", backbone)}
    chosen = list(dict.fromkeys(names))
    rows = {column: tuple(getattr(methods[name], column) for name in chosen) for column in _COMPARED}
    # A year is a name, not an amount: as text it keeps its digits together.
    rows["year"] = tuple(map(str, rows["year"]))
    formulas = {row.method: row.formula_trainable for row in reader.all("SELECT * FROM configuration WHERE is_default")}
    rows["formula"] = tuple(formulas.get(name) for name in chosen)
    if reader.has("table4_recomputed"):
        rows |= _scores(reader, chosen)
    return Comparison(backbone, tuple(chosen), rows)


def _scores(reader: Reader, names: Sequence[str]) -> dict[str, tuple[Any, ...]]:
    """Scores of the survey's experiment, recomputed, on each of its models, with what speaks against them."""
    # Of two rows of one method the one that is read as its default configuration comes last, and stays.
    scores = {
        (row.backbone, row.method_id): row
        for row in reader.all(
            "SELECT backbone, method_id, score_mean, caveat FROM table4_recomputed JOIN printed_name ON printed_name.printed = "
            "table4_recomputed.method AND printed_name.source = 'lialin2023scaling' AND table_name = 'appendix_b' LEFT JOIN "
            "configuration ON configuration.id = printed_name.configuration ORDER BY is_default, datasets"
        )
    }
    rows: dict[str, tuple[Any, ...]] = {}
    for model in reader.all(
        "SELECT id FROM backbone WHERE id IN (SELECT backbone FROM table4_recomputed) ORDER BY parameters"
    ):
        shown = [scores.get((model.id, name)) for name in names]
        rows[f"score on {model.id}, recomputed"] = tuple(row and row.score_mean for row in shown)
        if any(row is not None and row.caveat for row in shown):
            rows[f"score on {model.id}, caveat"] = tuple(row and row.caveat for row in shown)
    return rows


def citations(reader: Reader, names: Sequence[str]) -> list[str]:
    """BibTeX entries of methods or papers, each once, in the order of the names.

    Raises:
        SurveyError: there is no such method or paper.
    """
    papers = {row.key: row.bibtex for row in reader.all("SELECT key, bibtex FROM paper")}
    methods = {row.id: row.paper for row in reader.all("SELECT id, paper FROM method")}
    for name in names:
        if name not in methods and name not in papers:
            raise SurveyError(f"there is no method or paper '{name}'{nearest(name, [*methods, *papers])}")
    return [papers[key] for key in dict.fromkeys(methods.get(name, name) for name in names)]
