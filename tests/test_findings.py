"""Findings: each difference, contradiction and odd row once, with numbers from the database, ranked, and told fairly."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from functools import partial
from pathlib import Path

import duckdb
import pytest
from conftest import CATALOG, SURVEY
from pydantic import ValidationError

from surveykit.catalog.finding_relations import check_findings
from surveykit.catalog.findings import AUTOMATIC, Chosen, Telling, factor, filled, in_words, number, typed_numbers
from surveykit.catalog.load import Catalog
from surveykit.catalog.loading import Loading
from surveykit.database import audit
from surveykit.database.child import readable
from surveykit.database.findings import SLIGHT, results, weight
from surveykit.database.reading import Reader, reading
from surveykit.site.pages.findings import IN_FULL, path_of
from surveykit.site.rendering import Page
from surveykit.site.text.markdown import escape
from surveykit.site.text.verdict_tables import explanation_anchor

DIFFERS = "verdict IN ('differs', 'partly', 'outside_range')"


def test_every_difference_contradiction_and_odd_row_is_in_one_finding(database: Path) -> None:
    with reading(database) as reader:
        parts = reader.all("SELECT * FROM finding_part")
        explained = reader.all(
            f"SELECT DISTINCT source, explanation FROM verdict WHERE {DIFFERS} AND explanation IS NOT NULL"
        )
        contradicted = reader.all("SELECT source, id FROM statements WHERE status = 'contradicted'")
        odd = reader.all("SELECT source, id FROM data_audit WHERE found > 0")
        unexplained = reader.all("SELECT DISTINCT source, row_label FROM verdict WHERE outcome = 'unexplained'")
    keys = [(p.source, p.kind, p.explanation, p.name) for p in parts]
    assert len(keys) == len(set(keys))
    wanted = {(v.source, "explanation", v.explanation, None) for v in explained}
    wanted |= {(s.source, "statement", None, s.id) for s in contradicted}
    wanted |= {(c.source, "data_check", None, c.id) for c in odd}
    wanted |= {(v.source, "unexplained", None, v.row_label) for v in unexplained}
    assert explained
    assert contradicted
    assert odd
    assert wanted <= set(keys)
    # Beyond these, only figures that we do not count, and that the catalog tells all the same.
    beyond = {(source, position) for source, _, position, _ in set(keys) - wanted}
    with reading(database) as reader:
        told = reader.all(
            "SELECT source, explanation FROM finding_part JOIN finding USING (source) WHERE finding.id = finding"
        )
    assert beyond <= {(t.source, t.explanation) for t in told}


def test_every_headline_could_be_filled(database: Path) -> None:
    with reading(database) as reader:
        assert reader.all("SELECT id, fault FROM finding WHERE fault IS NOT NULL") == []


def test_the_two_numbers_are_a_printed_figure_and_ours(database: Path, catalog: Catalog) -> None:
    told = {(key, t.id) for key, folder in catalog.sources.items() for t in folder.tellings if t.bars}
    cells = """
        SELECT count(*) AS n FROM finding_part AS p
        JOIN explanation_figure AS f ON f.source = p.source AND f.explanation = p.explanation
        JOIN claim AS c ON c.source = f.source AND c.printed = f.printed AND c.column_name = f.column_name
        JOIN verdict AS v ON (v.source, v.table_name, v.position, v.column_name) = (c.source, c.table_name, c.position, c.column_name)
        WHERE p.source = ? AND p.finding = ? AND abs(c.value_min / ? - 1) < 1e-9 AND abs(v.value / ? - 1) < 1e-9
    """
    seen = 0
    with reading(database) as reader:
        for f in reader.all("SELECT * FROM finding WHERE first_value IS NOT NULL"):
            if f.factor is not None:
                low, high = sorted((f.first_value, f.second_value))
                assert math.isclose(f.factor, high / low), f.id
            if (f.source, f.id) in told:
                continue
            assert reader.one(cells, f.source, f.id, f.first_value, f.second_value).n, f.id
            seen += 1
    assert seen > 10


def test_the_weightiest_finding_says_what_the_database_says(database: Path) -> None:
    """The row Prompt tuning, counted here once more from the verdicts themselves."""
    with reading(database) as reader:
        f = reader.one("SELECT * FROM finding WHERE rank = 1")
        most = reader.one(
            "SELECT max(c.value_min / v.value) AS times, count(*) AS cells FROM verdict v"
            " JOIN claim c USING (source, table_name, position, column_name)"
            " WHERE v.source = ? AND v.table_name = 'table5' AND v.row_label = 'Prompt tuning' AND v.verdict = 'differs'"
            " AND v.column_name LIKE 'params_%'",
            SURVEY,
        )
    assert f.cells == most.cells
    assert abs(f.factor - float(most.times)) < 1
    assert f.headline == f"The “Prompt tuning” row counts prefix tuning, {round(float(most.times), -1):.0f} times more"


def test_numbers_of_data_findings_are_counted_again(database: Path) -> None:
    with reading(database) as reader:
        found = {f.id: f for f in reader.all("SELECT * FROM finding WHERE kind = 'data'")}
        not_better = reader.one("SELECT found FROM data_audit WHERE id = 'mean-at-or-below-constant'").found
        equal = reader.one("SELECT found FROM data_audit WHERE id = 'no-spread-over-seeds'").found
        fitting = reader.one("SELECT found FROM data_audit WHERE id = 'answers-that-fit-no-count'").found
    assert found["no-better-than-constant"].headline.startswith(f"{not_better} averages")
    assert found["no-better-than-constant"].cells == not_better == found["no-better-than-constant"].first_value
    assert found["no-spread-over-seeds"].cells == equal
    assert found["answers-that-fit-no-count"].first_value == fitting


def test_ranks_follow_weights_and_do_not_depend_on_the_day(database: Path, catalog: Catalog) -> None:
    with duckdb.connect(str(database), read_only=True) as connection:
        kept = connection.execute("SELECT source, id, rank, weight FROM finding ORDER BY rank").fetchall()
        again = dict(results(Reader(connection), catalog, partial(audit.one_row, connection, readable(connection))))
    rows = next(rows for table, rows in again.items() if table.__name__ == "Finding")
    assert [(r.source, r.id, r.rank, r.weight) for r in rows] == kept  # type: ignore[attr-defined]
    assert [rank for _, _, rank, _ in kept] == list(range(1, len(kept) + 1))
    assert [(-w, s, i) for s, i, _, w in kept] == sorted((-w, s, i) for s, i, _, w in kept)


@pytest.mark.parametrize(
    ("times", "cells", "against", "is_open", "slight", "expected"),
    [(4.0, 1, False, False, False, 3.0), (None, 3, True, True, False, 5.0), (2.0**20, 0, False, False, False, 10.0),
     (4.0, 1, True, True, True, 6 * SLIGHT)],
)  # fmt: skip
def test_the_weight_is_the_sum_that_the_page_states(
    times: float | None, cells: int, against: bool, is_open: bool, slight: bool, expected: float
) -> None:
    assert weight(times, cells, against_itself=against, is_open=is_open, slight=slight) == expected


def test_whatever_accuses_names_an_innocent_explanation(database: Path) -> None:
    with reading(database) as reader:
        silent = reader.all("SELECT id FROM finding WHERE innocent IS NULL AND (against_itself OR kind <> 'figures')")
        first = reader.all("SELECT id, innocent FROM finding WHERE rank <= ? AND NOT is_open", IN_FULL)
        headlines = " ".join(f.headline.lower() for f in reader.all("SELECT headline FROM finding"))
    assert silent == []
    assert [f.id for f in first if not f.innocent] == []
    for word in ("wrong", "error", "mistake", "false", "fake", "incorrect", "misleading"):
        assert word not in headlines.split()


def test_pages_have_every_finding_and_every_old_anchor(pages: dict[str, Page], database: Path) -> None:
    with reading(database) as reader:
        found = reader.all("SELECT * FROM finding ORDER BY rank")
        old = reader.all(
            "SELECT DISTINCT method, row_label, position FROM table5_verdict WHERE verdict = 'differs' AND position IS NOT NULL"
        )
        errata = reader.all("SELECT id FROM errata WHERE source = ?", SURVEY)
    index = str(pages["findings/index.md"].content)
    for f in found:
        page = str(pages[path_of(f.source)].content)
        assert f"## {escape(f.headline)} {{ #{f.id} }}" in page
        assert escape(f.headline) in index
        assert f"({f.source}.md#{f.id})" in index
    assert index.count("## ") == min(IN_FULL, len(found)) + 3
    survey = str(pages[path_of(SURVEY)].content)
    anchors = {explanation_anchor(v.method, v.row_label, v.position) for v in old} | {e.id for e in errata}
    assert anchors
    for anchor in anchors:
        assert f"{{ #{anchor} }}" in survey or f'id="{anchor}"' in survey, anchor


def test_the_first_page_shows_the_three_weightiest(pages: dict[str, Page], database: Path) -> None:
    text = str(pages["index.md"].content)
    with reading(database) as reader:
        found = reader.all("SELECT * FROM finding ORDER BY rank LIMIT 4")
    places = [text.index(escape(f.headline)) for f in found[:3]]
    assert places == sorted(places)
    assert escape(found[3].headline) not in text
    for f in found[:3]:
        assert escape(f.first_text) in text
        assert escape(f.second_text) in text
        assert f"({path_of(f.source)}#{f.id})" in text


def test_bars_are_drawn_to_scale(pages: dict[str, Page], database: Path) -> None:
    with reading(database) as reader:
        f = reader.one("SELECT * FROM finding WHERE id = 'boolq-on-202-examples'")
    drawn = re.findall(r'class="(first|second)" width="([\d.]+)"', str(pages[path_of(SURVEY)].content))
    widths = [(float(a), float(b)) for (_, a), (_, b) in zip(drawn[::2], drawn[1::2], strict=True)]
    assert any(abs(a / b - f.first_value / f.second_value) < 0.001 for a, b in widths)
    assert {max(pair) for pair in widths} == {100.0}


def telling(**changes: object) -> Telling:
    fields = {"id": "x", "headline": "A row prints {factor} times more", "data_checks": ("y",)} | changes
    return Telling.model_validate(fields)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"headline": "A row prints 690 times more than we count"}, "contains the number 690"),
        ({"headline": "A row {prints times more than we count"}, "expected '}'"),
        ({"headline": None}, "give a headline"),
        ({"data_checks": ()}, "name its parts"),
        ({"status": "reported"}, "where and when"),
        ({"reported": "github.com/x/y/issues/1, 2026-11-29"}, "only if it was"),
        ({"explanations": ({},)}, "name the table"),
        ({"bars": ({"says": "a", "figure": "b"},)}, "two numbers"),
    ],
)
def test_a_telling_that_does_not_hold_together_is_refused(changes: dict[str, object], said: str) -> None:
    assert telling().status == "not_reported"
    with pytest.raises(ValidationError, match=re.escape(said)):
        telling(**changes)


def test_names_are_no_typed_numbers() -> None:
    assert typed_numbers("(IA)3 on T5-11B in Table 5, Sections 6.1 and 11.2, Llama-3.2-3B, {cells} of {n:words}") == []
    assert typed_numbers("T5-3B has 5,120 of them") == ["5,120"]


def test_numbers_in_a_headline() -> None:
    assert filled("{cells:words} rows, {factor} times, {n}", {"cells": 9, "factor": 691.2, "n": 3270}) == (
        "Nine rows, 690 times, 3,270"
    )
    assert [factor(n) for n in (1.5, 3.94, 16.2, 691.2, 1016.6)] == ["1.5", "3.9", "16", "690", "1,000"]
    assert [number(n) for n in (5, 12345, 0.123456, 13.812, "a")] == ["5", "12,345", "0.123", "13.8", "a"]
    assert [in_words(n) for n in (0, 12, 13, 2.5)] == ["no", "twelve", "13", "2.5"]
    with pytest.raises(KeyError):
        filled("{nothing}", {})


def test_headlines_use_names_that_queries_have(catalog: Catalog) -> None:
    assert any(t.names for folder in catalog.sources.values() for t in folder.tellings)
    assert AUTOMATIC.isdisjoint({name for f in catalog.sources.values() for t in f.tellings for name in t.names})


def test_faults_of_findings_yaml_are_said_with_their_place(catalog: Catalog) -> None:
    """What names nothing, takes what belongs to another, or asks for a column that no query has."""
    loading = Loading(CATALOG)
    told = (
        telling(data_checks=("no-such-check",)),
        telling(id="a", data_checks=("blank-seeds",)),
        telling(id="b", data_checks=("blank-seeds",)),
        telling(id="b", data_checks=("blank-scores",), headline="A row prints {no_such_column} times more"),
        telling(id="c", data_checks=(), explanations=(Chosen(row="no such row"),)),
    )
    folder = replace(catalog.sources[SURVEY], tellings=told)
    check_findings(folder, CATALOG / "sources" / SURVEY / "findings.yaml", loading)
    said = " ".join(problem.message for problem in loading.problems)
    for words in (
        "no data check 'no-such-check'",
        "belongs to 'a' already",
        "'b' appears twice",
        "no query has a column 'no_such_column'",
        "no explanation of this source fits",
    ):
        assert words in said
