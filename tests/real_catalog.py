"""The real catalog, loaded once in each process: cases of many tests are its configurations, and commands that tests run in
their own process find it loaded. Nothing changes it."""

from __future__ import annotations

import csv
from dataclasses import fields

from conftest import CATALOG

from surveykit.catalog.load import load
from surveykit.catalog.load_once import load_once
from surveykit.catalog.records import Configuration

REAL = load_once(CATALOG)
CONFIGURATIONS: dict[str, Configuration] = {name: configuration for name, _, configuration in REAL.configurations()}
"""By `method/configuration`."""


def check_unchanged() -> None:
    """Refuse what some test has changed in the loaded catalog."""
    fresh = load(CATALOG)
    changed = [field.name for field in fields(REAL) if getattr(REAL, field.name) != getattr(fresh, field.name)]
    assert not changed, f"a test has changed the loaded catalog: {changed}"


def rows_of(table: str) -> int:
    """How many rows the file of a table of the survey has."""
    with (CATALOG / "sources" / "lialin2023scaling" / "tables" / f"{table}.csv").open(
        encoding="utf-8", newline=""
    ) as file:
        return len(list(csv.DictReader(file)))
