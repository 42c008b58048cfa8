"""JSON Schemas of the catalog's files, for editors: from the records that the loader uses."""

from __future__ import annotations

import json

from surveykit.catalog.findings import Tellings
from surveykit.catalog.models import ModelFile
from surveykit.catalog.quantities import Quantities
from surveykit.catalog.records import Method
from surveykit.catalog.settings import Settings
from surveykit.catalog.sources import Explanations, Names, Source, Table
from surveykit.catalog.statements import DataChecks, Statements
from surveykit.record import Record

_RECORDS: dict[str, type[Record]] = {
    "data_checks": DataChecks,
    "explanations": Explanations,
    "findings": Tellings,
    "method": Method,
    "model": ModelFile,
    "names": Names,
    "quantities": Quantities,
    "settings": Settings,
    "source": Source,
    "statements": Statements,
    "table": Table,
}


def schemas() -> dict[str, str]:
    """File name → JSON Schema."""
    return {
        f"{name}.schema.json": json.dumps(record.model_json_schema(), ensure_ascii=False, indent=2) + "\n"
        for name, record in _RECORDS.items()
    }
