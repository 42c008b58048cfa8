"""The real catalog, loaded once in each process: cases of many tests are its configurations. Nothing changes it."""

from __future__ import annotations

from conftest import CATALOG

from surveykit.catalog.load import load
from surveykit.catalog.records import Configuration

REAL = load(CATALOG)
CONFIGURATIONS: dict[str, Configuration] = {name: configuration for name, _, configuration in REAL.configurations()}
"""By `method/configuration`."""
