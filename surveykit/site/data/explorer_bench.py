"""The bench in the explorer: a view for each plan, device, model and task that has results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from typing import Any

from surveykit.database.reading import Reader
from surveykit.site.data.explorer import Quantity, View, relative
from surveykit.site.data.explorer_parts import (
    PREDICTION,
    STORED,
    YEAR,
    Methods,
    gigabytes,
    memory_of,
)
from surveykit.site.text.markdown import slug


def bench_views(reader: Reader, methods: Methods) -> Iterator[View]:
    rows = reader.all(
        "SELECT b.*, c.method, k.name AS model_name, k.parameters, m.stored_bytes, p.baseline FROM bench b"
        " JOIN configuration c ON c.id = b.configuration JOIN plan p ON p.id = b.plan"
        " LEFT JOIN backbone k ON k.id = b.model"
        " LEFT JOIN measurement m ON m.configuration = b.configuration AND m.backbone = b.model"
        " ORDER BY b.plan, b.device, k.parameters, b.model, b.task, b.position"
    )
    for (plan, device, model, task), group in groupby(rows, key=lambda r: (r.plan, r.device, r.model, r.task)):
        found = list(group)
        several = Counter(r.method for r in found)
        points = []
        for r in found:
            point = methods.point(
                methods.name(r.method) if several[r.method] == 1 else r.configuration, r.method, r.configuration,
                score=None if r.score is None else r.score * 100, memory=gigabytes(r.peak_bytes), trainable=r.trainable,
                trainable_percent=r.trainable / r.parameters * 100 if r.trainable is not None and r.parameters else None,
                speed=r.tokens_per_second, relative_speed=r.relative_speed, inference=r.relative_inference,
                stored=r.stored_bytes, predicted=gigabytes(r.predicted_bytes),
            )  # fmt: skip
            ranges = {}
            if r.score is not None:
                ranges["score"] = (r.score_low * 100, r.score_high * 100)
            if r.tokens_per_second is not None:
                ranges["speed"] = (r.tokens_low, r.tokens_high)
            doubts = {"score": f"not above chance, {r.chance * 100:.1f} %"} if r.above_chance is False else {}
            points.append(point._replace(ranges=ranges, doubts=doubts))
        name = (found[0].model_name or model) + (f", {task}" if task else "")
        scored = any("score" in p.values for p in points)
        yield View(
            f"bench-{plan}-{slug(device)}", f"Bench: {plan} on {device}", f"{model}-{task}" if task else model, name,
            _bench_quantities(device),
            relative(points, "memory", "memory_percent", memory_of(points, found[0].baseline)),
            {"x": "memory", "y": "score" if scored else "speed", "size": "trainable", "colour": "family"},
        )  # fmt: skip


def _bench_quantities(device: str) -> tuple[Quantity, ...]:
    def measured(
        key: str, name: str, unit: str, kind: Any, better: Any, interval: str = "", scale: str = ""
    ) -> Quantity:
        return Quantity(key, name, unit, kind, better, "measured_here", f"Measured on {device}.",
                        f"as measured here on {device}", interval, scale)  # fmt: skip

    return (
        measured("score", "score", "%", "number", "more", "95 %, over seeds and examples"),
        measured("memory", "peak memory", "GB", "number", "less"),
        measured("memory_percent", "memory relative to the baseline", "%", "percent", "less"),
        measured("trainable", "trainable parameters", "", "count", "less"),
        measured("trainable_percent", "share of parameters trained", "%", "percent", "less"),
        measured("speed", "training speed", "tokens a second", "number", "more", "quartiles over steps"),
        measured("relative_speed", "relative training speed", "", "number", "more", scale="baseline = 100"),
        measured("inference", "relative inference speed", "", "number", "more", scale="baseline = 100"),
        STORED, PREDICTION, YEAR,
    )  # fmt: skip
