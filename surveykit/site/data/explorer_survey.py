"""The survey in the explorer: rows of Table 5, each with the scores of Appendix B whose label means the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from surveykit.database.reading import Reader
from surveykit.site.data.explorer import Point, Quantity, View, relative
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
from surveykit.site.text.markdown import slug

SURVEY = "survey"


def survey_views(reader: Reader, methods: Methods) -> Iterator[View]:
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
                predicted=gigabytes(r.predicted_bytes),
            )  # fmt: skip
            score = _score_of(point, left, alone=several[r.method] == 1)
            left = [s for s in left if s is not score]
            points.append(point if score is None else _with_score(point, score))
        points += left
        yield View(
            SURVEY, "The survey (Table 5 and Appendix B)", backbone, name, _survey_quantities(reader),
            relative(points, "memory", "memory_percent", memory_of(points, full_tuning(reader))),
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


def _scores(reader: Reader, methods: Methods) -> dict[str, list[Point]]:
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

    def printed(
        key: str, name: str, unit: str, kind: Any, better: Any, origin: str, interval: str = "", scale: str = ""
    ) -> Quantity:
        return Quantity(key, name, unit, kind, better, "printed", origin, said, interval, scale)

    datasets = [r.dataset for r in reader.all("SELECT DISTINCT dataset FROM appendix_b ORDER BY 1")]
    table5 = "Table 5, as printed."
    return (
        printed("score", "score", "", "number", "more",
                "Mean of the results in Appendix B; the text we used lacks the scores of Table 4.",
                "one deviation to either side, over seeds", "mean over four data sets"),
        printed("memory", "peak memory", "GB", "number", "less", table5),
        printed("memory_percent", "memory relative to full tuning", "%", "percent", "less", "Follows from Table 5."),
        printed("trainable", "trainable parameters", "", "count", "less", table5),
        printed("trainable_percent", "share of parameters trained", "%", "percent", "less", table5),
        printed("speed", "training speed", "", "number", "more", table5, scale="full tuning = 100"),
        printed("inference", "inference speed", "", "number", "more", table5, scale="full tuning = 100"),
        *(printed(_dataset_key(name), f"score on {name}", "" if name == "CNN" else "%", "number", "more",
                  "Mean over seeds of Appendix B.", "lowest to highest seed", "ROUGE-L" if name == "CNN" else "") for name in datasets),
        COUNT, STORED, PREDICTION, YEAR,
    )  # fmt: skip
