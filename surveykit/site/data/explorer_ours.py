"""What is counted and predicted here in the explorer: default configurations on each model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from typing import Any

from surveykit.database.reading import Reader
from surveykit.site.data.explorer import NO_SIZE, Quantity, View, relative
from surveykit.site.data.explorer_parts import (
    COUNTED,
    PREDICTED,
    STORED,
    YEAR,
    Methods,
    gigabytes,
    memory_of,
)

OURS = "ours"


def our_views(reader: Reader, methods: Methods) -> Iterator[View]:
    """Default configurations; on models where a method's default was not counted, those of it that were."""
    rows = reader.all(
        "SELECT m.backbone, b.name AS model_name, b.parameters, c.id AS configuration, c.method, c.name, m.trainable,"
        " m.stored_bytes, m.changed + m.expanded AS changed, u.peak, u.batch"
        " FROM measurement m JOIN configuration c ON c.id = m.configuration JOIN backbone b ON b.id = m.backbone"
        " CROSS JOIN judging j LEFT JOIN memory_use u ON u.configuration = m.configuration AND u.backbone = m.backbone"
        "  AND u.length = j.length AND u.dtype = j.dtype"
        " WHERE m.trainable IS NOT NULL AND (c.is_default OR NOT EXISTS (SELECT 1 FROM measurement o JOIN configuration d"
        "  ON d.id = o.configuration WHERE d.is_default AND d.method = c.method AND o.backbone = m.backbone))"
        " ORDER BY b.parameters, b.id, c.id"
    )
    judging = reader.one("SELECT * FROM judging")
    for (backbone, name), group in groupby(rows, key=lambda r: (r.backbone, r.model_name)):
        found = list(group)
        several = Counter(r.method for r in found)
        points = [
            methods.point(
                methods.name(r.method) if several[r.method] == 1 else f"{methods.name(r.method)}, {r.name}",
                r.method, r.configuration, trainable=r.trainable,
                trainable_percent=r.trainable / r.parameters * 100 if r.parameters else None,
                memory=gigabytes(r.peak), stored=r.stored_bytes,
                changed=r.changed / r.parameters * 100 if r.changed is not None and r.parameters else None,
            )
            for r in found
        ]  # fmt: skip
        batches = {r.batch for r in found if r.batch is not None}
        traced = any("memory" in p.values for p in points)
        yield View(
            OURS, "Our counts and predictions", backbone, name, _our_quantities(judging, batches),
            relative(points, "memory", "memory_percent", memory_of(points, judging.full_tuning)),
            {"x": "trainable", "y": "memory" if traced else "stored", "size": NO_SIZE, "colour": "family"},
        )  # fmt: skip


def _our_quantities(judging: Any, batches: set[int]) -> tuple[Quantity, ...]:
    setting = (
        f"A training step traced on the model without weights: batch {'/'.join(map(str, sorted(batches)))}, "
        f"{judging.length} positions, {judging.dtype}."
    )
    counted = "Counted on the instantiated model."
    return (
        Quantity("trainable", "trainable parameters", "", "count", "less", "instantiated", counted, COUNTED),
        Quantity("trainable_percent", "share of parameters trained", "%", "percent", "less", "instantiated", counted, COUNTED),
        Quantity("memory", "peak memory", "GB", "number", "less", "traced", setting, PREDICTED),
        Quantity("memory_percent", "memory relative to full tuning", "%", "percent", "less", "traced", setting, PREDICTED),
        STORED,
        Quantity("changed", "changed or added weights", "%", "percent", None, "instantiated",
                 "Pretrained weights whose value can differ after merging, and new ones, products multiplied out.", COUNTED,
                 scale="% of the model"),
        YEAR,
    )  # fmt: skip
