"""What people type at first: each question runs, or is refused with the true reason and with what to type instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from surveykit.database import child

SELECTS = """
    id, name
    *
    DISTINCT type
    DISTINCT type, family
    count(*)
    count(*) AS methods
    type, count(*)
    family, count(*) AS methods, avg(trainable_percent_measured)
    count(DISTINCT paper)
    min(year), max(year)
    max(year) - min(year) AS years
    type, string_agg(id, ', ')
    type, list(id ORDER BY id)
    approx_count_distinct(type)
    id, round(trainable_percent_measured, 2) AS percent
    id, printf('%.2f %%', trainable_percent_measured)
    id, format('{} ({})', name, year)
    id, format('{:,}', trainable_measured)
    id, format_bytes(stored_bytes_measured)
    id, trainable_measured / 1e6 AS millions
    id, trainable_measured // 1000000
    lpad(id, 20, '.')
    rpad(name, 30, ' ') || '|'
    repeat('=', 3) || name
    name.upper()
    name.lower().replace('-', ' ')
    upper(name) AS "Name"
    name || ' (' || year || ')'
    concat_ws(' / ', id, family)
    id, string_split(overhead, '+')
    id, string_split(overhead, '+')[1]
    id, len(string_split(overhead, '+'))
    id, unnest(string_split(overhead, '+'))
    id, overhead[1:3]
    id, year::varchar
    id, year::text
    id, year::double
    id, CAST(year AS float)
    id, try_cast(section AS double)
    id, make_date(year, 1, 1)
    id, (year || '-01-01')::date
    id, (year || '-01-01')::timestamp
    id, strftime(make_date(year, 1, 1), '%Y')
    id, date_diff('year', make_date(year, 1, 1), DATE '2026-01-01')
    id, CASE WHEN bp THEN 'yes' ELSE 'no' END AS backward
    id, if(disk, 'less disk', 'as much disk')
    id, coalesce(trainable_percent_printed, 'not printed')
    id, nullif(overhead, 'none')
    id, greatest(trainable_percent_min, 0.1)
    id, log10(trainable_measured)
    id, length(name)
    id, substring(name, 1, 3)
    id, name[1]
    id, regexp_replace(name, '[^A-Za-z]', '', 'g')
    id, regexp_extract(name, '[A-Z]+')
    id, md5(name)
    id, levenshtein(id, 'lora')
    id, jaro_winkler_similarity(id, 'lora')
    id, strip_accents(name)
    id, starts_with(id, 'lo')
    id, disk AND ram
    id, disk::int + ram::int
    median(trainable_percent_measured), stddev(trainable_percent_measured)
    quantile_cont(trainable_percent_measured, 0.9)
    mode(type)
    arg_max(id, trainable_measured)
    max_by(id, year)
    corr(year, trainable_percent_measured)
    histogram(type)
    bool_or(bp)
    count(*) FILTER (bp)
    sum(CASE WHEN bp THEN 1 ELSE 0 END)
    any_value(name)
    * EXCLUDE (paper)
    COLUMNS('.*_measured')
    random()
"""
CONDITIONS = """
    type = 'R'
    type == 'R'
    type != 'R'
    type <> 'R'
    type in ('A', 'R')
    not bp
    bp is null
    bp = true
    name like 'Lo%'
    name ilike '%lora%'
    name ~ '.*LoRA'
    name.lower().contains('lora')
    lower(name) = 'lora'
    contains(id, 'adapter')
    id in ['lora', 'ia3']
    list_contains(['lora', 'ia3'], id)
    year between 2021 and 2022
    year >= 2022 and trainable_percent_measured < 1
    trainable_measured < 1e6
    trainable_measured < 1_000_000
    overhead similar to '.*ffn.*'
    string_split(overhead, '+')[1] = 'ffn'
    len(list_filter(['a'], lambda x: x = 'a')) = 1
    year::date is null or true
    year % 2 = 0
    year > 2020 or 'x' = 'y'
    paper is not distinct from null
    (type, bp) = ('A', false)
    methods.type = 'A'
    length(name) > 10
    make_date(year, 1, 1) > DATE '2021-06-01'
    make_date(year, 1, 1) > DATE '2024-01-01' - INTERVAL 3 YEAR
    name collate nocase = 'lora'
    random() <= 1
"""
STATEMENTS = """
    SELECT * FROM methods
    FROM methods
    FROM main.methods SELECT id
    SELECT count(*) FROM methods
    SELECT DISTINCT type FROM methods
    SELECT type, count(*) FROM methods GROUP BY type
    SELECT type, count(*) FROM methods GROUP BY ALL ORDER BY ALL
    SELECT type, count(*) n FROM methods GROUP BY 1 HAVING n > 2 ORDER BY 2 DESC
    SELECT m.id, p.title FROM methods m JOIN paper p ON m.paper = p.key
    SELECT id FROM methods WHERE year = (SELECT max(year) FROM methods)
    SELECT id FROM methods WHERE id NOT IN (SELECT method FROM relation)
    SELECT id FROM methods m WHERE EXISTS (SELECT 1 FROM alias a WHERE a.method = m.id)
    WITH few AS (SELECT * FROM methods WHERE trainable_percent_measured < 0.1) SELECT count(*) FROM few
    SELECT id, rank() OVER (ORDER BY trainable_measured) FROM methods
    SELECT id FROM methods QUALIFY row_number() OVER (PARTITION BY type ORDER BY id) = 1
    SELECT id, lag(year) OVER (ORDER BY year) FROM methods
    SELECT list_aggregate(list(year), 'max') FROM methods
    SELECT list_reduce([1, 2, 3], lambda x, y: x + y)
    SELECT backbone, avg(score) FROM appendix_b GROUP BY backbone
    SELECT score::double FROM appendix_b
    SELECT date_trunc('year', DATE '2024-05-06'), extract(year FROM DATE '2024-05-06')
    SELECT recipe::json->>'$.stages[0].name' FROM configuration
    SELECT [id FOR id IN ['a', 'b'] IF id > 'a']
    SELECT * FROM methods ORDER BY random() LIMIT 3
    SELECT id FROM methods UNION ALL SELECT id FROM backbone
    SELECT id FROM methods EXCEPT SELECT method FROM relation
    SELECT * FROM methods_on('t5-3b')
    FROM main.methods_on('t5-3b')
    DESCRIBE methods
    DESCRIBE SELECT id, year FROM methods
    SUMMARIZE methods
    FROM (DESCRIBE methods)
    EXPLAIN SELECT * FROM methods
    EXPLAIN ANALYZE SELECT * FROM methods
    PIVOT methods ON bp IN (true, false) USING count(*) GROUP BY type
    VALUES (1, 'a'), (2, 'b')
    SELECT 1;
"""
REFUSED = [
    ({"condition": "paper in (select key from paper)"}, "subquery is not allowed here; pass a whole SELECT with --sql"),
    ({"condition": "rank() over (order by year) = 1"}, "pass a whole SELECT with --sql"),
    ({"condition": "count(*) > 1"}, "pass a whole SELECT with --sql"),
    ({"condition": "year >= year(current_date) - 3"}, "'current_date' is not allowed: it reads the clock; write the date"),
    ({"condition": "year >= year(now()) - 3"}, "it reads the clock; write the date itself, as in DATE '2026-01-31'"),
    ({"condition": 'type = "R"'}, "text is written in single quotes, 'R'"),
    ({"condition": "types = 'R'"}, "no column 'types'; did you mean 'type'?"),
    ({"select": "id, (select count(*) from relation)"}, "pass a whole SELECT with --sql"),
    ({"select": "id FROM methods"}, "cannot contain FROM; pass a whole SELECT with --sql"),
    ({"select": "DISTINCT ON (type) id"}, "pass a whole SELECT with --sql"),
    ({"select": "lowercase(name)"}, "queries have no function 'lowercase'; did you mean 'lower'?"),
    ({"select": "count(*)", "evidence": "t5-large"}, "--evidence needs one row for each method"),
    ({"sql": "SHOW TABLES"}, "surveykit fields lists the tables"),
    ({"sql": "DESCRIBE"}, "surveykit fields lists the tables"),
    ({"sql": "PRAGMA table_info('methods')"}, "surveykit fields TABLE the columns of one"),
    ({"sql": "SELECT * FROM information_schema.tables"}, "surveykit fields lists the tables"),
    ({"sql": "FROM duckdb_tables()"}, "surveykit fields lists tables"),
    ({"sql": "SELECT bibtex FROM papers"}, "no column 'bibtex' in the tables of this query; paper has it"),
    ({"sql": "SELECT score::double FROM claim"}, "appendix_b and bench and"),
    ({"sql": "SELECT * FROM method WHERE type = 'R'"}, "no column 'type' in the tables of this query; "),
    ({"sql": "SELECT * FROM 'data.csv'"}, "no table or view 'data.csv'; surveykit fields lists the tables"),
    ({"sql": "SELECT * FROM read_csv('data.csv')"}, "'read_csv' is not allowed: it reads or writes files"),
    ({"sql": "SELECT version()"}, "'version' is not allowed: it reads settings or the state"),
    ({"sql": "SELECT main.lower(id) FROM methods"}, "write lower(…)"),
    ({"sql": "SELECT id::blob FROM methods"}, "a cast to 'blob' is not allowed; use INTEGER"),
    ({"sql": "SELECT TIMESTAMP '2024-01-01' AT TIME ZONE 'UTC'"}, "it depends on the time zone of this machine; use TIMESTAMP"),
    ({"sql": "DELETE FROM method"}, "only one SELECT is allowed"),
    ({"sql": "SELECT 1; SELECT 2"}, "only one statement is allowed, not 2"),
    ({"sql": "SELECT * FROM methods TABLESAMPLE 10%"}, "use LIMIT"),
]  # fmt: skip


def answer(database: Path, **asked: object) -> dict[str, object]:
    """What the process behind `surveykit query` answers."""
    job = {
        "database": str(database), "duckdb": None, "sql": None, "condition": None, "select": "id", "order_by": None,
        "limit": None, "backbone": None, "evidence": None, "max_rows": 10_000, "max_values": 1_000_000,
        "max_bytes": 1 << 24, "memory_bytes": 1 << 30, "seconds": 10.0,
    }  # fmt: skip
    return child.answer({**job, **asked})


def lines(text: str) -> list[str]:
    return [line.strip() for line in text.strip().splitlines()]


@pytest.mark.parametrize(
    "asked",
    [{"select": line} for line in lines(SELECTS)]
    + [{"condition": line} for line in lines(CONDITIONS)]
    + [{"sql": line} for line in lines(STATEMENTS)]
    + [
        {"select": "type, count(*) AS n", "order_by": "n DESC"},
        {"select": "type", "order_by": "count(*) DESC"},
        {"select": "DISTINCT type", "order_by": "type DESC"},
        {"select": "id, year AS y", "order_by": "y DESC, id", "evidence": "t5-large"},
        {"select": "name", "order_by": "1", "evidence": "t5-large", "limit": 2},
        {"select": "count(*)", "condition": "type = 'nothing of the kind'"},
    ],
    ids=str,
)
def test_question_is_answered(database: Path, asked: dict[str, str]) -> None:
    found = answer(database, **asked)
    assert "error" not in found, found
    assert found["rows"] or not set(asked) <= {"select", "sql"}


@pytest.mark.parametrize(("asked", "message"), REFUSED, ids=str)
def test_refusal_says_why_and_what_to_type(database: Path, asked: dict[str, str], message: str) -> None:
    found = answer(database, **asked)
    assert found.get("kind") == "query", found
    assert message in str(found["error"])


def test_evidence_belongs_to_its_row(database: Path) -> None:
    found = answer(database, select="name", order_by="year DESC, name", evidence="t5-large")
    plain = answer(database, select="name, id", order_by="year DESC, name")
    assert found["columns"] == ["name"]
    assert [method for method, _ in found["evidence"]] == [row[1] for row in plain["rows"]]  # type: ignore[attr-defined]
    assert [row[0] for row in found["rows"]] == [row[0] for row in plain["rows"]]  # type: ignore[attr-defined]
