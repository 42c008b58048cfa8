"""JSON Schemas of the catalog's files, for editors: from the records that the loader uses."""

from __future__ import annotations

import json

from surveykit.catalog.backbones import Backbone
from surveykit.catalog.quantities import Quantities
from surveykit.catalog.records import Method
from surveykit.catalog.tables import DataChecks, Statements
from surveykit.record import Record

_RECORDS: dict[str, type[Record]] = {
    "backbone": Backbone,
    "data_checks": DataChecks,
    "method": Method,
    "quantities": Quantities,
    "statements": Statements,
}


def schemas() -> dict[str, str]:
    """File name → JSON Schema."""
    return {
        f"{name}.schema.json": json.dumps(record.model_json_schema(), ensure_ascii=False, indent=2) + "\n"
        for name, record in _RECORDS.items()
    }
