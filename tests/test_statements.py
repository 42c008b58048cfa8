"""Statements: no query is decided before it sees the data, and what is said of each follows from its figures."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from perturbed import Tables, holds, undecided
from pydantic import ValidationError

from surveykit.catalog.load import Catalog
from surveykit.catalog.statements import Statement
from surveykit.database.audit import OF_THE_AUDIT
from surveykit.database.child import check_statement, readable

PARTS = "method IN ('prompt-tuning', 'mam-adapter', 'unipelt', 'compacter', 'compacter-plus-plus')"
ADDING = "row_label NOT IN ('Full tuning', 'LN tuning')"
# Readings so narrow that chance hardly finds other data for them: changes that turn their answer round.
WITNESSES = {
    "abstract-fifteen-methods 2": "UPDATE said SET value = 15",
    "additive-largest 2": "UPDATE table1 SET type = 'R'",
    "below-half-a-million 1": "UPDATE table5 SET params_millions = 0.4 WHERE row_label = 'KronA'",
    "far-six-percent 2": "UPDATE table2 SET changed_min = 6.2",
    "full-tuning-12-20 1": "UPDATE table5 SET ram_gb = 0.06 * params_millions",
    "full-tuning-12-20 2": "UPDATE table5 SET ram_gb = 0.03 * params_millions",
    "inference-slowdown-ranges 1": "UPDATE table5 SET throughput_infer = least(throughput_infer, 67) "
    f"WHERE backbone = 't5-large' AND {ADDING}",
    "inference-slowdown-ranges 2": "UPDATE table5 SET throughput_infer = CASE backbone WHEN 't5-large' "
    f"THEN least(throughput_infer, 67) ELSE 80 END WHERE backbone = 't5-large' OR row_label = 'IA3' AND {ADDING}",
    "intro-five-datasets 1": "INSERT INTO appendix_b BY NAME SELECT 'CB' AS dataset",
    "intro-five-datasets 2": "INSERT INTO table3 BY NAME SELECT 'CB' AS dataset",
    "intro-fourteen-methods 2": "UPDATE table5 SET method = row_label WHERE row_label = 'LoRA (all)'",
    "intro-prompt-hybrid-cost 2": f"UPDATE table5 SET ram_gb = 50 WHERE {PARTS}",
    "intro-thirty-in-depth 2": "INSERT INTO method BY NAME SELECT '5.' || range AS section FROM range(20, 40)",
    "intro-thirty-methods 1": "INSERT INTO table1 BY NAME SELECT 'new' AS method FROM range(2)",
    "intro-thirty-methods 2": "INSERT INTO table2 BY NAME SELECT 'new' AS method FROM range(7)",
    "intro-thirty-methods 3": "DELETE FROM table1 WHERE method = 'spot'",
    "largest-memory-gain 1": "UPDATE table5 SET ram_gb = CASE method WHEN 'ln-tuning' THEN 40 ELSE 100 END "
    "WHERE method IN ('ln-tuning', 'full-tuning') AND backbone = 't5-11b'",
    "largest-memory-gain 2": "UPDATE table5 SET ram_gb = 100 WHERE method = 'full-tuning' AND backbone = 't5-11b'",
    "learning-rates-of-setup 1": "UPDATE said SET printed = '1e-5', value = 1e-5 WHERE printed = '5e-5'",
    "no-bitfit 1": "UPDATE table5 SET method = 'bitfit'",
    "no-sparse-methods 1": "UPDATE appendix_b SET method_id = 'fishmask'",
    "only-houlsby-and-lora-reach-full-tuning 2": "UPDATE table4_recomputed SET score_mean = 80 "
    "WHERE method = 'Adapters (Houlsby)'",
    "peft-adamss-lora-147k 1": "UPDATE peft_docs_counts SET trainable = '371,669'",
    "pfeiffer-gap-up-to-15 1": "UPDATE table4_recomputed SET score_mean = 61 "
    "WHERE method = 'Adapters (Pfeiffer)' AND backbone = 't5-11b'",
    "pfeiffer-gap-up-to-15 2": "UPDATE appendix_b SET score = CASE method WHEN 'Adapters (Houlsby)' THEN 90 ELSE 75 END",
    "pfeiffer-gap-up-to-15 3": "UPDATE table4_recomputed SET score_mean = 60 "
    "WHERE method = 'Adapters (Pfeiffer)' AND backbone = 't5-3b'",
    "prefix-shared-by-layers 2": "UPDATE table5 SET params_millions = 0.1 WHERE method = 'prompt-tuning'",
    "prompt-t5-xl-20k 1": "UPDATE backbone SET d_model = 4096",
    "prompt-t5-xl-20k 2": "UPDATE backbone SET d_model = 4096",
    "soft-prompts-few-parameters 2": "UPDATE table5 SET params_percent = 0.1 "
    "WHERE method IN ('prompt-tuning', 'prefix-tuning')",
    "table-2-methods 1": "INSERT INTO table2 BY NAME SELECT 'new' AS method FROM range(5)",
    "table2-summary 2": "INSERT INTO table2 BY NAME SELECT method FROM table1",
    "table6-summary 1": "UPDATE table1 SET ram = true",
    "taxonomy-over-thirty 1": "INSERT INTO table1 BY NAME SELECT 'new' AS method FROM range(3)",
    "three-more-slowdowns 1": "UPDATE table5 SET throughput_train = CASE row_label WHEN 'MAM' THEN 80 "
    "WHEN 'Compacter' THEN 95 WHEN 'Unipelt' THEN 60 ELSE 90 END",
    "three-more-slowdowns 2": "UPDATE table5 SET throughput_train = CASE row_label WHEN 'MAM' THEN 80 "
    "WHEN 'Compacter' THEN 95 WHEN 'Unipelt' THEN 60 ELSE 90 END",
    "two-more-seeds 2": "INSERT INTO appendix_b SELECT a.* REPLACE (50.0 AS score) FROM appendix_b AS a, range(3)",
    "two-orders-of-magnitude 1": "UPDATE table5 SET ram_gb = 10, "
    "params_millions = CASE WHEN row_label IN ('KronA', 'Compacter') THEN 0.001 ELSE 10 END",
    "two-orders-of-magnitude 2": "UPDATE table5 SET ram_gb = 10, "
    "params_millions = CASE WHEN row_label IN ('KronA', 'Compacter') THEN 0.001 ELSE 10 END",
}  # fmt: skip


@pytest.fixture(scope="module")
def connection(database: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(database), read_only=True) as opened:
        yield opened


@pytest.fixture(scope="module")
def readings(catalog: Catalog) -> dict[str, str]:
    statements = [s for folder in catalog.sources.values() for s in folder.statements]
    return {f"{s.id} {i}": r.sql for s in statements for i, r in enumerate(s.readings, start=1)}


@pytest.fixture(scope="module")
def read(connection: duckdb.DuckDBPyConnection, readings: dict[str, str]) -> dict[str, frozenset[str]]:
    names = readable(connection)
    return {name: check_statement(connection, sql, names) for name, sql in readings.items()}


@pytest.fixture(scope="module")
def tables(connection: duckdb.DuckDBPyConnection, read: dict[str, frozenset[str]]) -> Tables:
    return Tables(connection, sorted(frozenset().union(*read.values())))


def test_no_reading_rests_on_our_own_words(read: dict[str, frozenset[str]]) -> None:
    """A sentence is tested by what the survey prints or what was measured, not by how we paraphrase another one."""
    assert [name for name, found in read.items() if not found or found & OF_THE_AUDIT] == []


def test_every_reading_can_be_decided_either_way(tables: Tables, readings: dict[str, str]) -> None:
    """Other data give another answer: found here by chance, or known by a witness."""
    assert WITNESSES.keys() <= readings.keys()
    left = undecided(tables, {name: sql for name, sql in readings.items() if name not in WITNESSES}, rounds=400, seed=0)
    assert left == {}


@pytest.mark.parametrize("name", WITNESSES)
def test_a_witness_turns_the_answer_round(tables: Tables, readings: dict[str, str], name: str) -> None:
    with tables.copy([readings[name], WITNESSES[name]]) as copied:
        before = holds(copied, readings[name])
        copied.execute(WITNESSES[name])
        assert (before, holds(copied, readings[name])) in ((True, False), (False, True))


def test_a_query_that_no_data_decide_is_found(tables: Tables) -> None:
    constants = {
        "share": "SELECT round(100 * 78 / 139) = 56 AND 78.0 / 139 > 0.56 AS holds FROM table2",
        "width": "SELECT round(5 * 2048 / 1000) = 20 AS holds, count(*) AS rows FROM backbone",
        "steps": "SELECT floor(300000 / 32.0 / 1000) = 9 AS holds FROM table3 LIMIT 1",
        "always": "SELECT count(*) >= 0 AS holds FROM table5",
        "no answer": "SELECT NULL::BOOLEAN AS holds FROM table5",
    }
    decided = {"rows": "SELECT count(*) = 23 AS holds FROM table2"}
    assert undecided(tables, constants | decided, rounds=20, seed=0).keys() == constants.keys()


def test_a_headline_gives_figures_that_its_queries_give(connection: duckdb.DuckDBPyConnection) -> None:
    """Every number of a headline is a figure of its readings, as it is or in percent, or a number of the sentence."""
    found = connection.execute(
        "SELECT s.id, s.headline, concat_ws(' ', s.says, s.locator, string_agg(r.reading || ' ' || f.figures, ' ')) "
        "FROM statement AS s JOIN statement_reading AS r ON r.statement = s.id "
        "JOIN statement_result AS f ON f.statement = s.id AND f.position = r.position GROUP BY s.id, s.headline, s.says, s.locator"
    ).fetchall()
    assert len(found) > 100
    strange = {
        identifier: missing
        for identifier, headline, sources in found
        if (missing := [n for n in _numbers(headline) if not _stands(n, _numbers(sources))])
    }
    assert strange == {}


NAMES = re.compile(
    r"T5-\w+|Tables? \d( and \d)?|Sections? \d[\d.]*(( to| and) \d[\d.]*)?|\(2020a\)|\(IA\)3|rank \d|Appendix \w|\d?e-\d"
)


def _numbers(text: str) -> list[str]:
    return re.findall(r"\d+(?:\.\d+)?", NAMES.sub(" ", text.replace("t5-", "T5-")).replace(",", ""))


def _stands(number: str, sources: list[str]) -> bool:
    decimals = len(number.partition(".")[2])
    wanted = float(number)
    return any(round(abs(float(s)) * times, decimals) == wanted for s in sources for times in (1, 100, 0.01, 1e-6))


def test_headlines_differ(catalog: Catalog) -> None:
    headlines = [s.headline for folder in catalog.sources.values() for s in folder.statements]
    assert len(set(headlines)) == len(headlines)


def _a_statement(**changes: object) -> Statement:
    reading = {"reading": "literally", "sql": "SELECT count(*) = 1 AS holds FROM table5"}
    given = {
        "id": "one-row", "locator": "Section 1", "says": "There is one row.", "headline": "Table 5 has 270 rows.",
        "readings": [reading], "status": "contradicted", "note": "There are 270.", "correction": "Say 270 rows.",
        "innocent": "The sentence may be older than the table.",
    }  # fmt: skip
    return Statement.model_validate_json(json.dumps(given | changes))


def test_a_contradiction_has_an_innocent_explanation() -> None:
    assert _a_statement().innocent
    with pytest.raises(ValidationError, match="innocent explanation"):
        _a_statement(innocent=None)
    with pytest.raises(ValidationError, match="innocent explanation"):
        _a_statement(status="holds", correction=None)


@pytest.mark.parametrize(
    "headline", ["Short.", "It has no full stop at its end", "Two lines\nstand here.", "x" * 160 + "."]
)
def test_a_headline_is_one_plain_line(headline: str) -> None:
    with pytest.raises(ValidationError, match="headline"):
        _a_statement(headline=headline)
