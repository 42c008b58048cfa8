"""Backbones of the catalog without weights, built once: whatever is counted on one is taken off again."""

from __future__ import annotations

from surveykit.catalog.models import Model
from surveykit.engine import Instance, build

_BUILT: dict[str, Instance] = {}


def bare(record: Model) -> Instance:
    if record.id not in _BUILT:
        _BUILT[record.id] = build(record)
    return _BUILT[record.id]
