"""Other data than the survey's: its tables with columns shuffled, scaled or made equal, and rows left out."""

from __future__ import annotations

import math
from collections.abc import Iterable
from random import Random
from typing import Any

import duckdb

Columns = list[list[Any]]


class Tables:
    """The named tables and views of a database, to be copied with changes as often as needed."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, names: list[str]) -> None:
        self.tables: dict[str, tuple[list[tuple[str, str]], Columns]] = {}
        for name in sorted(names):
            found = connection.execute(f"SELECT * FROM {name} ORDER BY ALL")
            heads = [(str(d[0]), str(d[1])) for d in found.description or []]
            self.tables[name] = heads, [list(column) for column in zip(*found.fetchall(), strict=True)]

    def copy(self, queries: Iterable[str], rng: Random | None = None) -> duckdb.DuckDBPyConnection:
        """A database in memory with the tables that queries name, with other data if there is a source of chance."""
        connection = duckdb.connect(config={"threads": 1})
        text = "\n".join(queries)
        for name, (heads, columns) in self.tables.items():
            if name not in text:
                continue
            changed = columns if rng is None else _perturbed(rng, columns)
            kinds = ", ".join(f'"{head}" {kind}' for head, kind in heads)
            connection.execute(f"CREATE TABLE {name} ({kinds})")
            lists = ", ".join(f"unnest(?::{kind}[])" for _, kind in heads)
            connection.execute(f"INSERT INTO {name} SELECT {lists}", changed)
        return connection


def _perturbed(rng: Random, columns: Columns) -> Columns:
    """About half of the columns changed, and in a third of the tables some rows gone or there twice."""
    changed = [_column(rng, values) if rng.random() < 0.5 else values for values in columns]
    if rng.random() < 1 / 3:
        places = rng.choices(range(len(columns[0])), k=max(1, round(len(columns[0]) * rng.choice([0.1, 0.5, 1]))))
        changed = [[values[place] for place in places] for values in changed]
    return changed


def _column(rng: Random, values: list[Any]) -> list[Any]:
    known = [value for value in values if value is not None]
    if not known or rng.random() < 1 / 3:
        return rng.sample(values, len(values))
    if rng.random() < 1 / 4:
        return [rng.choice(known)] * len(values)
    if isinstance(known[0], bool):
        return [rng.random() < 0.5 for _ in values]
    if not isinstance(known[0], int | float):
        return [rng.choice(known) for _ in values]
    factor, spread = rng.choice([0.01, 0.1, 0.5, 0.9, 1, 1.1, 2, 10, 100]), rng.choice([0.0, 0.1, 2.0])
    factors = [factor * math.exp(rng.uniform(-spread, spread)) for _ in values]
    scaled = [None if v is None else v * f for v, f in zip(values, factors, strict=True)]
    return [round(v) if isinstance(known[0], int) and v is not None else v for v in scaled]


def holds(connection: duckdb.DuckDBPyConnection, sql: str) -> bool | None:
    """What a reading says of these data; nothing where it has no answer for them."""
    try:
        row = connection.execute(f"SELECT holds FROM ({sql.strip().rstrip(';')})").fetchone()
    except duckdb.Error:
        return None
    return row[0] if row else None


def undecided(tables: Tables, readings: dict[str, str], rounds: int, seed: int) -> dict[str, bool | None]:
    """The readings that say the same of all data that were tried, or nothing, each with what it says of the real ones."""
    with tables.copy(readings.values()) as real:
        said = {name: holds(real, sql) for name, sql in readings.items()}
    left = dict(said)
    for number in range(rounds):
        if not left:
            break
        with tables.copy([readings[name] for name in left], Random(seed * 1_000_003 + number)) as other:
            left = {
                name: was for name, was in left.items() if was is None or holds(other, readings[name]) is not (not was)
            }
    return left
