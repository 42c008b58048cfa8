"""Methods in words and figures: what `show`, `compare` and `cite` print."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from surveykit.database.reading import Listing, Reader
from surveykit.errors import SurveyError, nearest


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


def portrait(reader: Reader, name: str) -> list[str]:
    """Paragraphs: name and place, idea, trade-off, what it did when it was run, and what stands in the way, if anything."""
    name = method_id(reader, name)
    m = reader.one("SELECT * FROM method JOIN paper ON paper.key = method.paper WHERE method.id = ?", name)
    words = [f"{m.name}: {m.title} ({m.year}). Survey section {m.section}, {m.family.replace('_', ' ')}."]
    words += [m.idea, f"Trade-off: {m.tradeoff}"]
    words += [f"Reconstruction: {m.reconstruction}"] if m.reconstruction else []
    return words + ([f"Not instantiated: {m.not_instantiated}"] if m.not_instantiated else [])


def facts(reader: Reader, name: str) -> Listing:
    """The argument about a method, claim beside evidence: cells of Tables 1 and 2, figures of Table 5, what the default
    configuration costs on T5-Large, and its counts on every backbone."""
    return reader.listing(
        """
        SELECT what, claimed, measured, measured_of, verdict, evidence FROM (
            SELECT 1 AS part, list_position(['type', 'disk', 'ram', 'bp', 'overhead'], name) AS place,
                   'effective ' || name AS what, coalesce(value, status) AS claimed,
                   NULL::VARCHAR AS measured, NULL::VARCHAR AS measured_of, NULL::VARCHAR AS verdict, source || ': ' || locator AS evidence
            FROM attribute WHERE method = $name
            UNION ALL
            SELECT 2, table_number * 100 + row_number() OVER (PARTITION BY table_number ORDER BY locator),
                   'Table ' || table_number || ', ' || column_name, printed, measured,
                   configuration || ' on ' || backbone || coalesce(', ' || sense, ''),
                   coalesce(verdict || ', found by ' || nullif(found_by, 'default'), verdict) || coalesce(' (' || cause || ')', ''), reason || coalesce(' ' || explanation, '')
            FROM cell_verdict WHERE method = $name
            UNION ALL
            SELECT 3, 5, 'Table 5, ' || column_name || ' on ' || backbone, printed,
                   CAST(round(measured, 4) AS VARCHAR), configuration || ' on ' || backbone,
                   coalesce(cause || ' (' || outcome || ')', verdict),
                   coalesce(explanation, locator)
            FROM verdict WHERE method = $name
            UNION ALL
            SELECT 3, 6, 'Table 5, ram_gb on ' || backbone || ' (' || row_label || ')', CAST(CAST(printed_gb AS DOUBLE) AS VARCHAR),
                   CAST(round(CAST(predicted_gb AS DOUBLE), 2) AS VARCHAR), configuration || ' on ' || backbone, 'predicted',
                   printf('batch %d, %d positions, %s: %+.0f %%', batch, length, dtype, error_percent)
            FROM memory_prediction WHERE method = $name AND is_best_setting
            UNION ALL
            SELECT 3, 7, 'score on ' || backbone || ' (' || method || '), recomputed', NULL,
                   CAST(round(score_mean, 2) AS VARCHAR), NULL, NULL,
                   coalesce('doubtful: ' || caveat || coalesce('; the mean would then be ' || round(score_if_fraction, 2), ''), 'Appendix B')
            FROM table4_recomputed WHERE method_id = $name AND score_mean IS NOT NULL
            UNION ALL
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
        name=method_id(reader, name),
    )


_COMPARED = (
    "type", "disk", "ram", "bp", "overhead", "family", "section", "year", "trainable_percent_printed",
    "changed_percent_printed", "evaluated_under_1b", "evaluated_under_20b", "evaluated_over_20b", "in_peft",
    "in_adapters", "word_of", "configuration", "configuration_name", "trainable_measured",
    "trainable_percent_measured", "configuration_matched", "trainable_matched", "added_measured",
    "stored_measured", "changed_percent_measured", "update_rank_measured", "ram_ratio", "bp_measured",
    "overhead_unmerged", "overhead_merged", "inference_flops_percent", "merged_flops_percent", "merges",
    "figures_match", "figures_differ", "cells_match", "cells_found_by_search", "cells_differ",
)  # fmt: skip


def side_by_side(reader: Reader, names: Sequence[str], backbone: str) -> Listing:
    """One column per method, one row per property.

    Raises:
        SurveyError: fewer than two methods, or a name that is not in the catalog.
    """
    names = [method_id(reader, name) for name in names]
    if len(set(names)) < 2:
        raise SurveyError("compare needs two different methods at least")
    known = [row.id for row in reader.all("SELECT id FROM backbone ORDER BY parameters")]
    if backbone not in known:
        raise SurveyError(f"there is no backbone '{backbone}'{nearest(backbone, known)}")
    methods = {row.id: row for row in reader.all("SELECT * FROM methods_on(?)", backbone)}
    chosen = list(dict.fromkeys(names))
    rows: list[tuple[Any, ...]] = [
        (column, *(getattr(methods[name], column) for name in chosen)) for column in _COMPARED
    ]
    # A year is a name, not an amount: as text it keeps its digits together.
    rows[_COMPARED.index("year")] = ("year", *(str(methods[name].year) for name in chosen))
    formulas = {row.method: row.formula_trainable for row in reader.all("SELECT * FROM configuration WHERE is_default")}
    rows.append(("formula", *(formulas.get(name) for name in chosen)))
    for size in known:
        # Of two rows of one method the one that is read as its default configuration comes last, and stays.
        ours = (
            "SELECT method_id, score_mean, caveat, score_if_fraction FROM table4_recomputed JOIN printed_name ON printed_name.printed = "
            "table4_recomputed.method AND printed_name.table_label = 'Appendix B' LEFT JOIN configuration ON "
            "configuration.id = printed_name.configuration WHERE backbone = ? ORDER BY is_default, datasets"
        )
        scores = {row.method_id: row for row in reader.all(ours, size)}
        if scores:
            shown = [scores.get(name) for name in chosen]
            rows.append((f"score on {size}, recomputed", *(row and row.score_mean for row in shown)))
            if any(row is not None and row.caveat for row in shown):
                rows.append((f"score on {size}, caveat", *(row and row.caveat for row in shown)))
    return ["property", *chosen], rows


def citations(reader: Reader, names: Sequence[str]) -> list[str]:
    """BibTeX entries of methods or papers, each once, in the order of the names."""
    papers = {row.key: row.bibtex for row in reader.all("SELECT key, bibtex FROM paper")}
    methods = {row.id: row.paper for row in reader.all("SELECT id, paper FROM method")}
    for name in names:
        if name not in methods and name not in papers:
            raise SurveyError(f"there is no method or paper '{name}'{nearest(name, [*methods, *papers])}")
    return [papers[key] for key in dict.fromkeys(methods.get(name, name) for name in names)]
