"""The views of the explorer, from the database: the survey, PEFT's benchmark, the bench, and what is counted and predicted here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from typing import Any

from surveykit.database.reading import Reader
from surveykit.site.data.explorer import NO_SIZE, Quantity, View, relative, with_known_quantities
from surveykit.site.data.explorer_parts import (
    COUNT,
    COUNTED,
    PREDICTED,
    PREDICTION,
    STORED,
    YEAR,
    Methods,
    full_tuning,
    gigabytes,
    memory_of,
)
from surveykit.site.data.explorer_survey import survey_views
from surveykit.site.text.markdown import slug

OURS = "ours"
PEFT = "peft-metamathqa"
LEAST_POINTS = 3
"""A picture of fewer marks compares nothing."""


def explorer_views(reader: Reader) -> list[View]:
    """All views: those of the survey first, those of our own figures last, models by size."""
    methods = Methods(reader)
    views = [*survey_views(reader, methods), *_peft(reader, methods), *_bench(reader, methods), *_ours(reader, methods)]
    return [with_known_quantities(view) for view in views if len(view.points) >= LEAST_POINTS]


# PEFT's benchmark


def _peft(reader: Reader, methods: Methods) -> Iterator[View]:
    if not reader.has("peft_metamathqa_spread"):
        return
    rows = reader.all(
        "SELECT r.experiment, c.method, c.configuration, c.backbone, b.name AS model_name, b.parameters,"
        " CAST(r.trainable AS BIGINT) AS trainable, CAST(r.file_size AS BIGINT) AS file_size,"
        " CAST(r.mem_reserved_max AS BIGINT) AS peak, CAST(r.train_seconds AS DOUBLE) AS seconds,"
        " CAST(r.max_steps AS INTEGER) * CAST(r.batch AS INTEGER) AS examples,"
        " CAST(r.test_accuracy AS DOUBLE) * 100 AS accuracy, CAST(r.forgetting AS DOUBLE) AS forgetting,"
        " s.least_accuracy, s.greatest_accuracy, s.least_peak_bytes, s.greatest_peak_bytes,"
        " m.trainable AS counted, m.stored_bytes, p.predicted_bytes"
        " FROM peft_metamathqa_results r JOIN claim c ON c.source = 'peft-metamathqa' AND c.table_name = 'results'"
        "  AND c.position = r.position AND c.column_name = 'trainable'"
        " JOIN backbone b ON b.id = c.backbone LEFT JOIN peft_metamathqa_spread s USING (experiment)"
        " LEFT JOIN measurement m ON m.configuration = c.configuration AND m.backbone = c.backbone"
        " LEFT JOIN memory_prediction p ON p.source = c.source AND p.table_name = c.table_name"
        "  AND p.position = c.position AND p.column_name = 'mem_reserved_max'"
        " WHERE c.method IS NOT NULL AND r.status = 'success' ORDER BY b.parameters, b.id, r.position"
    )
    for (backbone, name), group in groupby(rows, key=lambda r: (r.backbone, r.model_name)):
        found = list(group)
        several = Counter(r.method for r in found)
        points = []
        for r in found:
            point = methods.point(
                _peft_label(methods.name(r.method), r.experiment, alone=several[r.method] == 1),
                r.method, r.configuration, score=r.accuracy, memory=gigabytes(r.peak), trainable=r.trainable,
                trainable_percent=r.trainable / r.parameters * 100 if r.parameters else None,
                speed=r.examples / r.seconds, time=r.seconds / 60, file=r.file_size, forgetting=r.forgetting,
                counted=r.counted, stored=r.stored_bytes, predicted=gigabytes(r.predicted_bytes),
            )  # fmt: skip
            known = {"score": (r.least_accuracy, r.greatest_accuracy),
                     "memory": (gigabytes(r.least_peak_bytes), gigabytes(r.greatest_peak_bytes))}  # fmt: skip
            points.append(point._replace(ranges={key: ends for key, ends in known.items() if None not in ends}))
        yield View(
            PEFT, "PEFT's benchmark (MetaMathQA)", backbone, name, _PEFT_QUANTITIES,
            relative(points, "memory", "memory_percent", memory_of(points, full_tuning(reader))),
            {"x": "memory", "y": "score", "size": "trainable", "colour": "family"},
        )  # fmt: skip


def _peft_label(name: str, experiment: str, *, alone: bool) -> str:
    """A method's name, and what sets the experiment apart from others of the method: `LoRA rank32`."""
    details = experiment.partition("/")[2].split("-", 3)[-1]  # after the name of the model
    return name if alone else f"{name} {details}"


def _by_peft(
    key: str, name: str, unit: str, kind: Any, better: Any, origin: str, interval: str = "", scale: str = ""
) -> Quantity:
    return Quantity(key, name, unit, kind, better, "measured_elsewhere", origin,
                    "as PEFT's benchmark measured them", interval, scale)  # fmt: skip


_EARLIER = "lowest to highest of all published runs of the experiment, three at least"
_PEFT_QUANTITIES = (
    _by_peft("score", "accuracy on GSM8K", "%", "number", "more", "Result files of the newest run.", _EARLIER),
    _by_peft("memory", "peak memory", "GB reserved", "number", "less", "Result files of the newest run.", _EARLIER),
    _by_peft("memory_percent", "memory relative to full tuning", "%", "percent", "less",
             "Follows from the result files."),
    _by_peft("trainable", "trainable parameters", "", "count", "less", "Result files of the newest run."),
    _by_peft("trainable_percent", "share of parameters trained", "%", "percent", "less",
             "Follows from the result files and the parameters of the model."),
    _by_peft("speed", "training speed", "examples a second", "number", "more",
             "Follows from the seconds of training in the result files."),
    _by_peft("time", "training time", "minutes", "number", "less", "Result files of the newest run."),
    _by_peft("file", "size of the saved file", "", "bytes", "less", "Result files of the newest run."),
    _by_peft("forgetting", "forgetting", "", "number", "less", "Result files of the newest run.",
             scale="rise of the loss on general text"),
    COUNT, STORED, PREDICTION, YEAR,
)  # fmt: skip


# The bench


def _bench(reader: Reader, methods: Methods) -> Iterator[View]:
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


# Our own figures


def _ours(reader: Reader, methods: Methods) -> Iterator[View]:
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
