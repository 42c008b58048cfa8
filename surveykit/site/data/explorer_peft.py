"""PEFT's benchmark in the explorer: the newest run of each experiment, with the spread of earlier ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from typing import Any

from surveykit.database.reading import Reader
from surveykit.site.data.explorer import Quantity, View, relative
from surveykit.site.data.explorer_parts import (
    COUNT,
    PREDICTION,
    STORED,
    YEAR,
    Methods,
    full_tuning,
    gigabytes,
    memory_of,
)

PEFT = "peft-metamathqa"


def peft_views(reader: Reader, methods: Methods) -> Iterator[View]:
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
