"""Every figure, verdict, statement and explanation of the survey, a line of JSON each, from a built database.

surveykit build --output x.duckdb && python tests/extract/dump_survey.py x.duckdb

The queries of `survey_facts.sql` are all that knows the schema.
"""

from __future__ import annotations

import json
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

QUERIES = Path(__file__).parent / "survey_facts.sql"


def facts(database: Path, queries: Path = QUERIES) -> list[str]:
    """The lines, sorted. Fractions have 6 significant digits: the rest depends on the order in which they are summed.

    Args:
        database: a file that `surveykit build` wrote.
        queries: SELECTs whose rows are facts.
    """
    with duckdb.connect(str(database), read_only=True) as connection:
        statements = connection.extract_statements(queries.read_text(encoding="utf-8"))
        return sorted(line for statement in statements for line in _lines(connection.execute(statement)))


def _lines(result: duckdb.DuckDBPyConnection) -> list[str]:
    columns = [(name, str(kind)) for name, kind, *_ in result.description or []]
    return [
        json.dumps({name: _neutral(value, kind) for (name, kind), value in zip(columns, row, strict=True)},
                   ensure_ascii=False)
        for row in result.fetchall()
    ]  # fmt: skip


def _neutral(value: Any, kind: str = "") -> Any:
    match value:
        case str() if kind == "JSON":
            return _neutral(json.loads(value))
        case None | bool() | int() | str():
            return value
        case float() | Decimal():
            return float(f"{value:.6g}")
        case list():
            return [_neutral(item) for item in value]
        case dict():
            return {key: _neutral(item) for key, item in value.items()}
    return str(value)  # a date


if __name__ == "__main__":
    sys.stdout.buffer.write("".join(f"{line}\n" for line in facts(Path(sys.argv[1]))).encode())
