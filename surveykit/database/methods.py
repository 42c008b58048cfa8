"""Methods in words and figures: what `show`, `compare` and `cite` print."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from surveykit.database.reading import Reader
from surveykit.errors import SurveyError, nearest

Listing = tuple[list[str], list[tuple[Any, ...]]]


def check_method(reader: Reader, name: str) -> None:
    """Raises SurveyError when there is no such method; the nearest is named."""
    known = [row.id for row in reader.all("SELECT id FROM method ORDER BY id")]
    if name not in known:
        raise SurveyError(f"there is no method '{name}'{nearest(name, known)}")


def portrait(reader: Reader, name: str) -> list[str]:
    """Paragraphs: name and place, idea, trade-off, and what stands in the way of measuring, if anything."""
    check_method(reader, name)
    m = reader.one("SELECT * FROM method JOIN paper ON paper.key = method.paper WHERE method.id = ?", name)
    words = [f"{m.name}: {m.title} ({m.year}). Survey section {m.section}, {m.family.replace('_', ' ')}."]
    words += [m.idea, f"Trade-off: {m.tradeoff}"]
    words += [f"Reconstruction: {m.reconstruction}"] if m.reconstruction else []
    return words + ([f"Not instantiated: {m.not_instantiated}"] if m.not_instantiated else [])


def facts(reader: Reader, name: str) -> Listing:
    """Every claim and every measurement of a method: what, claimed, measured, verdict, where it comes from."""
    check_method(reader, name)
    return reader.listing(
        """
        SELECT what, claimed, measured, verdict, source FROM (
            SELECT 1 AS part, 0 AS place, 'effective ' || name AS what, coalesce(value, status) AS claimed,
                   NULL::VARCHAR AS measured, NULL::VARCHAR AS verdict, source || ': ' || locator AS source
            FROM attribute WHERE method = $name
            UNION ALL
            SELECT 2, table_number, column_name, coalesce(printed, status), NULL, NULL, locator
            FROM claim WHERE method = $name AND table_number < 5 AND column_name NOT IN ('type', 'disk', 'ram', 'bp', 'overhead')
            UNION ALL
            SELECT 3, 5, column_name || ' on ' || backbone, printed,
                   CAST(round(measured, 4) AS VARCHAR), coalesce(cause || ' (' || outcome || ')', verdict), locator
            FROM verdict WHERE method = $name
            UNION ALL
            SELECT 4, backbone.parameters, configuration.id || ' on ' || backbone.id || ': trainable / added / stored', NULL,
                   measurement.trainable || ' / ' || measurement.added || ' / ' || measurement.stored, NULL,
                   'formula ' || configuration.formula_trainable
            FROM measurement
            JOIN configuration ON configuration.id = measurement.configuration
            JOIN backbone ON backbone.id = measurement.backbone
            WHERE configuration.method = $name AND configuration.is_default
        ) ORDER BY part, place, what
        """,
        name=name,
    )


_COMPARED = (
    "type", "disk", "ram", "bp", "overhead", "family", "section", "year", "trainable_percent_printed",
    "changed_percent_printed", "evaluated_under_1b", "evaluated_under_20b", "evaluated_over_20b", "in_peft",
    "in_adapters", "configuration", "trainable_measured", "trainable_percent_measured", "added_measured",
    "stored_measured", "figures_match", "figures_differ",
)  # fmt: skip


def side_by_side(reader: Reader, names: Sequence[str], backbone: str) -> Listing:
    """One column per method, one row per property.

    Raises:
        SurveyError: fewer than two methods, or a name that is not in the catalog.
    """
    if len(set(names)) < 2:
        raise SurveyError("compare needs two different methods at least")
    for name in names:
        check_method(reader, name)
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
            "SELECT method_id, score_mean FROM table4_recomputed JOIN printed_name ON printed_name.printed = "
            "table4_recomputed.method AND printed_name.table_label = 'Appendix B' LEFT JOIN configuration ON "
            "configuration.id = printed_name.configuration WHERE backbone = ? ORDER BY is_default, datasets"
        )
        scores = {row.method_id: row.score_mean for row in reader.all(ours, size)}
        if scores:
            rows.append((f"score on {size}, recomputed", *(scores.get(name) for name in chosen)))
    return ["property", *chosen], rows


def citations(reader: Reader, names: Sequence[str]) -> list[str]:
    """BibTeX entries of methods or papers, each once, in the order of the names."""
    papers = {row.key: row.bibtex for row in reader.all("SELECT key, bibtex FROM paper")}
    methods = {row.id: row.paper for row in reader.all("SELECT id, paper FROM method")}
    for name in names:
        if name not in methods and name not in papers:
            raise SurveyError(f"there is no method or paper '{name}'{nearest(name, [*methods, *papers])}")
    return [papers[key] for key in dict.fromkeys(methods.get(name, name) for name in names)]
