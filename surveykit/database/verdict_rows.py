"""Rows of the tables that hold verdicts: claims beside what is recorded."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from surveykit.catalog.load import Catalog
from surveykit.verify.cells import judge_cells
from surveykit.verify.evidence import Evidence
from surveykit.verify.memory import predictions, settings
from surveykit.verify.verdicts import judge

_PLACES = Decimal(1).scaleb(-10)


def verdict_tables(catalog: Catalog) -> Iterator[tuple[str, list[tuple[Any, ...]]]]:
    """Table by table: parameter figures of Table 5, cells of Tables 1 and 2, memory of Table 5."""
    yield "verdict", [
        (
            v.locator, v.method, v.row, v.configuration, v.backbone, v.column, v.printed,
            None if v.measured is None else v.measured.quantize(_PLACES),
            v.verdict, v.outcome, v.cause, v.explanation, v.fits_setup,
        )
        for v in judge(catalog, catalog.measurements)
    ]  # fmt: skip
    yield "cell_verdict", [
        (
            v.locator, v.method, v.table, v.row, v.column, v.printed, v.configuration, v.backbone, v.measured,
            v.verdict, v.sense, v.reason, v.found_by, v.candidates, v.fitting, v.cause, v.explanation, v.fits_setup,
        )
        for v in judge_cells(Evidence(catalog, catalog.measurements, catalog.costs, catalog.memory))
    ]  # fmt: skip
    found = predictions(catalog)
    ranked = settings(found)
    best = next(((s.length, s.dtype) for s in ranked), None)
    yield (
        "memory_setting",
        [
            (s.length, s.dtype, s.rows, float(s.mean_error_percent), s.rank_correlation, (s.length, s.dtype) == best)
            for s in ranked
        ],
    )
    yield "memory_prediction", [
        (
            p.backbone, p.row, p.method, p.configuration, p.batch, p.length, p.dtype, Decimal(p.printed),
            p.predicted_gb.quantize(_PLACES), float(p.error_percent), (p.length, p.dtype) == best,
        )
        for p in found
    ]  # fmt: skip
