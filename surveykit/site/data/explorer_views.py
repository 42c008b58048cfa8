"""The views of the explorer, from the database: the survey, PEFT's benchmark, the bench, and what is counted and predicted here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from surveykit.database.reading import Reader
from surveykit.site.data.explorer import NO_SIZE, Point, Quantity, View, relative, with_quantities
from surveykit.site.text.markdown import slug

SURVEY = "survey"
OURS = "ours"
PEFT = "peft-metamathqa"
LEAST_POINTS = 3
"""A picture of fewer marks compares nothing."""
_COUNTED = "as counted here"
_PREDICTED = "as predicted here"
_YEAR = Quantity("year", "year", "", "year", None, "printed", "Year of the method's paper.", "")
_STORED = Quantity(
    "stored", "bytes stored for a task", "", "bytes", "less", "instantiated",
    "What has to be kept for a task, at 4 bytes a number, counted on this model.", _COUNTED,
)  # fmt: skip
_COUNT = Quantity("counted", "trainable parameters by our count", "", "count", "less", "instantiated",
                  "Counted on the instantiated model.", _COUNTED)  # fmt: skip
_PREDICTION = Quantity(
    "predicted", "peak memory by our prediction", "GB", "number", "less", "traced",
    "A training step in the source's setting, traced on the model without weights.", _PREDICTED,
)  # fmt: skip


def explorer_views(reader: Reader) -> list[View]:
    """All views: those of the survey first, those of our own figures last, models by size."""
    methods = _Methods(reader)
    views = [*_survey(reader, methods), *_peft(reader, methods), *_bench(reader, methods), *_ours(reader, methods)]
    return [with_quantities(view) for view in views if len(view.points) >= LEAST_POINTS]


class _Methods:
    """What is known of methods, whatever the source."""

    def __init__(self, reader: Reader) -> None:
        self._by_id = {m.id: m for m in reader.all("SELECT id, name, family, type, year FROM methods")}

    def name(self, method: str) -> str:
        return str(self._by_id[method].name)

    def point(self, label: str, method: str, configuration: str | None, **values: float | None) -> Point:
        """A point with the values that are known, and the year."""
        m = self._by_id[method]
        known = {key: value for key, value in {"year": m.year, **values}.items() if value is not None}
        return Point(label, method, m.family, m.type or "none", configuration or "", known)


def _gigabytes(bytes_: int | float | None) -> float | None:
    return None if bytes_ is None else bytes_ / 1e9


def _memory_of(points: Sequence[Point], configuration: str) -> float | None:
    return next((p.values.get("memory") for p in points if p.configuration == configuration), None)


def _full_tuning(reader: Reader) -> str:
    return str(reader.one("SELECT full_tuning FROM judging").full_tuning)


# The survey: rows of Table 5, each with the scores of Appendix B whose label means the same.


def _survey(reader: Reader, methods: _Methods) -> Iterator[View]:
    rows = reader.all(
        "SELECT t.*, b.name AS model_name, m.stored_bytes, p.predicted_bytes FROM table5 t JOIN backbone b ON b.id = t.backbone"
        " LEFT JOIN measurement m ON m.configuration = t.configuration AND m.backbone = t.backbone"
        " LEFT JOIN memory_prediction p ON p.source = (SELECT word_of FROM judging) AND p.table_name = 'table5'"
        "  AND p.column_name = 'ram_gb' AND p.row_label = t.row_label AND p.backbone = t.backbone"
        " ORDER BY b.parameters, b.id, lower(t.row_label), t.row_label"
    )
    scores = _scores(reader, methods)
    for (backbone, name), group in groupby(rows, key=lambda r: (r.backbone, r.model_name)):
        found = list(group)
        several = Counter(r.method for r in found)
        left = scores.get(backbone, [])
        points = []
        for r in found:
            point = methods.point(
                methods.name(r.method) if several[r.method] == 1 else r.row_label, r.method, r.configuration,
                trainable=None if r.params_millions is None else round(r.params_millions * 1_000_000),
                trainable_percent=r.params_percent, memory=r.ram_gb, speed=r.throughput_train,
                inference=r.throughput_infer, counted=r.trainable_measured, stored=r.stored_bytes,
                predicted=_gigabytes(r.predicted_bytes),
            )  # fmt: skip
            score = _score_of(point, left, alone=several[r.method] == 1)
            left = [s for s in left if s is not score]
            points.append(point if score is None else _with_score(point, score))
        points += left
        yield View(
            SURVEY, "The survey (Table 5 and Appendix B)", backbone, name, _survey_quantities(reader),
            relative(points, "memory", "memory_percent", _memory_of(points, _full_tuning(reader))),
            {"x": "memory", "y": "score", "size": "trainable", "colour": "family"},
        )  # fmt: skip


def _score_of(point: Point, scores: Sequence[Point], *, alone: bool) -> Point | None:
    """The scores that belong to a row of Table 5: of the same configuration, else of a method with one row there.

    Of several, such as a second training schedule, the one with the shortest label.
    """
    same = [s for s in scores if s.method == point.method and (alone or s.configuration == point.configuration)]
    exact = [s for s in same if s.configuration == point.configuration]
    return min(exact or same, key=lambda s: (len(s.label), s.label), default=None)


def _with_score(point: Point, score: Point) -> Point:
    return point._replace(values={**point.values, **score.values}, ranges=score.ranges, doubts=score.doubts)


def _scores(reader: Reader, methods: _Methods) -> dict[str, list[Point]]:
    """The scores of each label of Appendix B by model: the mean over its data sets, and each data set's own mean."""
    found: dict[str, dict[str, Point]] = {}
    rows = reader.all(
        "SELECT backbone, method AS label, method_id, any_value(configuration) AS configuration, dataset,"
        " avg(score ORDER BY position) AS mean, min(score) AS least, max(score) AS most, count(*) AS runs"
        " FROM appendix_b WHERE score IS NOT NULL GROUP BY backbone, label, method_id, dataset ORDER BY ALL"
    )
    for r in rows:
        of_model = found.setdefault(r.backbone, {})
        point = of_model.setdefault(r.label, methods.point(r.label, r.method_id, r.configuration))
        key = _dataset_key(r.dataset)
        point.values[key] = r.mean
        of_model[r.label] = point._replace(
            ranges={**point.ranges, **({key: (r.least, r.most)} if r.runs > 1 else {})}
        )  # fmt: skip
    for t in reader.all("SELECT * FROM table4_recomputed WHERE score_mean IS NOT NULL"):
        point = found[t.backbone][t.method]
        point.values["score"] = t.score_mean
        ranges = {**point.ranges, "score": (t.score_mean - t.score_std, t.score_mean + t.score_std)}
        doubts = {**point.doubts, **({"score": t.caveat} if t.caveat else {})}
        found[t.backbone][t.method] = point._replace(ranges=ranges, doubts=doubts)
    for c in reader.all("SELECT * FROM score_caveat WHERE kind = 'chance'"):
        point = found[c.backbone][c.method]
        told = f"not above a constant prediction, which scores {c.constant_prediction}"
        found[c.backbone][c.method] = point._replace(doubts={**point.doubts, _dataset_key(c.dataset): told})
    return {backbone: list(points.values()) for backbone, points in found.items()}


def _dataset_key(dataset: str) -> str:
    return f"score-{slug(dataset)}"


def _survey_quantities(reader: Reader) -> tuple[Quantity, ...]:
    said = "as the survey prints them"

    def printed(key: str, name: str, unit: str, kind: Any, better: Any, origin: str, interval: str = "") -> Quantity:
        return Quantity(key, name, unit, kind, better, "printed", origin, said, interval)

    datasets = [r.dataset for r in reader.all("SELECT DISTINCT dataset FROM appendix_b ORDER BY 1")]
    table5, relative_to = "Table 5, as printed.", "full tuning = 100"
    return (
        printed("score", "score", "mean over four data sets", "number", "more",
                "Mean of the results in Appendix B; the text we used lacks the scores of Table 4.",
                "one deviation to either side, over seeds"),
        printed("memory", "peak memory", "GB", "number", "less", table5),
        printed("memory_percent", "memory relative to full tuning", "%", "percent", "less", "Follows from Table 5."),
        printed("trainable", "trainable parameters", "", "count", "less", table5),
        printed("trainable_percent", "share of parameters trained", "%", "percent", "less", table5),
        printed("speed", "training speed", relative_to, "number", "more", table5),
        printed("inference", "inference speed", relative_to, "number", "more", table5),
        *(printed(_dataset_key(name), f"score on {name}", "ROUGE-L" if name == "CNN" else "%", "number", "more",
                  "Mean over seeds of Appendix B.", "lowest to highest seed") for name in datasets),
        _COUNT, _STORED, _PREDICTION, _YEAR,
    )  # fmt: skip


# PEFT's benchmark


def _peft(reader: Reader, methods: _Methods) -> Iterator[View]:
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
                r.method, r.configuration, score=r.accuracy, memory=_gigabytes(r.peak), trainable=r.trainable,
                trainable_percent=r.trainable / r.parameters * 100 if r.parameters else None,
                speed=r.examples / r.seconds, time=r.seconds / 60, file=r.file_size, forgetting=r.forgetting,
                counted=r.counted, stored=r.stored_bytes, predicted=_gigabytes(r.predicted_bytes),
            )  # fmt: skip
            known = {"score": (r.least_accuracy, r.greatest_accuracy),
                     "memory": (_gigabytes(r.least_peak_bytes), _gigabytes(r.greatest_peak_bytes))}  # fmt: skip
            points.append(point._replace(ranges={key: ends for key, ends in known.items() if None not in ends}))
        yield View(
            PEFT, "PEFT's benchmark (MetaMathQA)", backbone, name, _PEFT_QUANTITIES,
            relative(points, "memory", "memory_percent", _memory_of(points, _full_tuning(reader))),
            {"x": "memory", "y": "score", "size": "trainable", "colour": "family"},
        )  # fmt: skip


def _peft_label(name: str, experiment: str, *, alone: bool) -> str:
    """A method's name, and what sets the experiment apart from others of the method: `LoRA rank32`."""
    details = experiment.partition("/")[2].split("-", 3)[-1]  # after the name of the model
    return name if alone else f"{name} {details}"


def _by_peft(key: str, name: str, unit: str, kind: Any, better: Any, origin: str, interval: str = "") -> Quantity:
    return Quantity(key, name, unit, kind, better, "measured_elsewhere", origin,
                    "as PEFT's benchmark measured them", interval)  # fmt: skip


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
    _by_peft("forgetting", "forgetting", "rise of the loss on general text", "number", "less",
             "Result files of the newest run."),
    _COUNT, _STORED, _PREDICTION, _YEAR,
)  # fmt: skip


# The bench


def _bench(reader: Reader, methods: _Methods) -> Iterator[View]:
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
                score=None if r.score is None else r.score * 100, memory=_gigabytes(r.peak_bytes), trainable=r.trainable,
                trainable_percent=r.trainable / r.parameters * 100 if r.trainable is not None and r.parameters else None,
                speed=r.tokens_per_second, relative_speed=r.relative_speed, inference=r.relative_inference,
                stored=r.stored_bytes, predicted=_gigabytes(r.predicted_bytes),
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
            relative(points, "memory", "memory_percent", _memory_of(points, found[0].baseline)),
            {"x": "memory", "y": "score" if scored else "speed", "size": "trainable", "colour": "family"},
        )  # fmt: skip


def _bench_quantities(device: str) -> tuple[Quantity, ...]:
    def measured(key: str, name: str, unit: str, kind: Any, better: Any, interval: str = "") -> Quantity:
        return Quantity(key, name, unit, kind, better, "measured_here", f"Measured on {device}.",
                        f"as measured here on {device}", interval)  # fmt: skip

    return (
        measured("score", "score", "%", "number", "more", "95 %, over seeds and examples"),
        measured("memory", "peak memory", "GB", "number", "less"),
        measured("memory_percent", "memory relative to the baseline", "%", "percent", "less"),
        measured("trainable", "trainable parameters", "", "count", "less"),
        measured("trainable_percent", "share of parameters trained", "%", "percent", "less"),
        measured("speed", "training speed", "tokens a second", "number", "more", "quartiles over steps"),
        measured("relative_speed", "relative training speed", "baseline = 100", "number", "more"),
        measured("inference", "relative inference speed", "baseline = 100", "number", "more"),
        _STORED, _PREDICTION, _YEAR,
    )  # fmt: skip


# Our own figures


def _ours(reader: Reader, methods: _Methods) -> Iterator[View]:
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
                memory=_gigabytes(r.peak), stored=r.stored_bytes,
                changed=r.changed / r.parameters * 100 if r.changed is not None and r.parameters else None,
            )
            for r in found
        ]  # fmt: skip
        batches = {r.batch for r in found if r.batch is not None}
        traced = any("memory" in p.values for p in points)
        yield View(
            OURS, "Our counts and predictions", backbone, name, _our_quantities(judging, batches),
            relative(points, "memory", "memory_percent", _memory_of(points, judging.full_tuning)),
            {"x": "trainable", "y": "memory" if traced else "stored", "size": NO_SIZE, "colour": "family"},
        )  # fmt: skip


def _our_quantities(judging: Any, batches: set[int]) -> tuple[Quantity, ...]:
    setting = (
        f"A training step traced on the model without weights: batch {'/'.join(map(str, sorted(batches)))}, "
        f"{judging.length} positions, {judging.dtype}."
    )
    counted = ("instantiated", "Counted on the instantiated model.", _COUNTED)
    return (
        Quantity("trainable", "trainable parameters", "", "count", "less", *counted),
        Quantity("trainable_percent", "share of parameters trained", "%", "percent", "less", *counted),
        Quantity("memory", "peak memory", "GB", "number", "less", "traced", setting, _PREDICTED),
        Quantity("memory_percent", "memory relative to full tuning", "%", "percent", "less", "traced", setting, _PREDICTED),
        _STORED,
        Quantity("changed", "changed or added weights", "% of the model", "percent", None, "instantiated",
                 "Pretrained weights whose value can differ after merging, and new ones, products multiplied out.", _COUNTED),
        _YEAR,
    )  # fmt: skip
