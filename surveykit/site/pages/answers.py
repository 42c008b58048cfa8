"""The card at the head of a method's page: what a reader asks first, each number with its proof."""

from __future__ import annotations

import json
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

from surveykit.database.reading import Reader
from surveykit.site.pages.configurations import equations
from surveykit.site.pages.raw_results import APPENDIX_B
from surveykit.site.text import numbers
from surveykit.site.text.bars import share
from surveykit.site.text.markdown import joined, link, slug
from surveykit.site.text.proof import proof, rows_where, sql_command
from surveykit.site.text.recipe_words import in_short
from surveykit.site.text.words import LIBRARIES, overhead_words, words

AGREES = ("match", "within_range")
DIFFERS = ("differs", "partly", "outside_range")
_NOT_LIBRARIES = ("repository", "none")


def answers(reader: Reader, method: Any, page: str) -> dict[str, Any]:
    """What the card says of a method. An answer is None where nothing is known."""
    found = {
        "libraries": _libraries(reader, method.id),
        "scores": [*_survey_scores(reader, method.id, page), *_benchmark_scores(reader, method.id, page)],
        "claims": _claims(reader, method.id),
        "configuration": None, "backbone": None, "trains": None, "parameters": None, "memory": None, "merging": None,
    }  # fmt: skip
    for m in reader.of("id", method.id, _MEASURED):
        found |= {
            "configuration": m.configuration_name,
            "backbone": m.backbone_name,
            "trains": joined(in_short(json.loads(m.recipe)), "; "),
            "parameters": _parameters(reader, m),
            "memory": None if m.ram_ratio is None else _memory(m),
            "merging": None if m.overhead_merged is None else _merging(m),
        }
    return found


def _parameters(reader: Reader, m: Any) -> Any:
    others = [
        o for o in reader.of("configuration", m.configuration, _EVERYWHERE) if o.trainable_percent is not None
    ]  # fmt: skip
    least, most = (pick(others, key=lambda o: o.trainable_percent) for pick in (min, max))
    lines = [
        *equations(reader, m.configuration, m.backbone),
        f"{numbers.count(m.trainable_measured)} of {numbers.count(m.backbone_parameters)} parameters"
        f" = {numbers.percent(m.trainable_percent_measured)} %",
        f"Counted on {m.backbone_name}, built without its weights; configuration {m.configuration}.",
    ]
    asked = rows_where(
        "measured", "trainable, trainable_percent", configuration=m.configuration, backbone=m.backbone
    )  # fmt: skip
    return SimpleNamespace(
        count=numbers.parameters(m.trainable_measured),
        percent=numbers.percent(m.trainable_percent_measured),
        whole=numbers.parameters(m.backbone_parameters),
        proof=proof(lines, asked),
        models=len(others),
        least=f"{numbers.percent(least.trainable_percent)} % on {least.backbone_name}",
        most=f"{numbers.percent(most.trainable_percent)} % on {most.backbone_name}",
    )


def _memory(m: Any) -> Any:
    setting = f"batch {m.batch}, {m.length} positions, {m.dtype}"
    lines = [
        f"{numbers.count(m.peak)} bytes / {numbers.count(m.full_peak)} bytes = {numbers.significant(m.ram_ratio)}",
        f"Predicted by tracing one training step of {m.configuration} and of {m.full_tuning} on {m.backbone_name},"
        f" without weights; setting: {setting}, of which {m.target_length} are targets at most.",
    ]
    asked = sql_command(
        f"SELECT configuration, peak FROM memory_use WHERE configuration IN ('{m.configuration}', '{m.full_tuning}')"
        f" AND backbone = '{m.backbone}' AND length = {m.length} AND dtype = '{m.dtype}'"
    )
    return SimpleNamespace(
        bar=share(m.peak, m.full_peak, of="full tuning's memory"),
        percent=numbers.percent(100 * m.ram_ratio),
        peak=numbers.gigabytes(m.peak),
        full=numbers.gigabytes(m.full_peak),
        setting=setting,
        proof=proof(lines, asked),
    )


def _merging(m: Any) -> Any:
    lines = [
        f"Before merging: {_flops(m.inference_flops, m.bare_flops)}. After merging: {_flops(m.merged_flops, m.bare_flops)}.",
        f"Traced for one pass of {m.configuration} on {m.backbone_name}, without weights.",
        "Merged outputs were compared with unmerged ones on a tiny T5 with random weights." if m.merges else None,
    ]
    asked = rows_where(
        "cost", "bare_flops, inference_flops, merged_flops, overhead_unmerged, overhead_merged",
        configuration=m.configuration, backbone=m.backbone,
    )  # fmt: skip
    return SimpleNamespace(
        merges=m.merges,
        before=overhead_words(m.overhead_unmerged),
        after=overhead_words(m.overhead_merged),
        free_before=m.overhead_unmerged == "none",
        free_after=m.overhead_merged == "none",
        flops_before=numbers.extra(m.inference_flops_percent),
        flops_after=numbers.extra(m.merged_flops_percent),
        proof=proof(lines, asked),
    )


def _flops(flops: int, bare: int) -> str:
    return f"({numbers.count(flops)} − {numbers.count(bare)}) / {numbers.count(bare)} FLOPs = {numbers.extra(100 * (flops - bare) / bare)}"


def _survey_scores(reader: Reader, method: str, page: str) -> Iterable[Any]:
    """The mean score on the largest model on which the survey has one, of its best row."""
    for s in reader.of("method_id", method, _SURVEY_SCORES)[:1]:
        interval = f"{s.best} to {s.worst}" if s.best != s.worst else None
        lines = [
            f"Mean over {s.datasets} data sets of the mean over seeds; ± is the deviation over seeds.",
            f"{s.best - 1} of {s.of} rows are better, and {s.of - s.worst} worse, by more than both deviations.",
        ]
        asked = rows_where("table4_recomputed", "score_mean, score_std", method=s.method, backbone=s.backbone)
        yield SimpleNamespace(
            figure=f"{numbers.significant(s.score_mean)} ± {numbers.significant(s.score_std, 2)}",
            place=s.place, of=s.of, interval=interval, on=s.backbone_name, caveat=s.caveat,
            row=s.method, source=link("the survey's Appendix B", f"{APPENDIX_B}#{slug(s.backbone)}", page), proof=proof(lines, asked),
        )  # fmt: skip


def _benchmark_scores(reader: Reader, method: str, page: str) -> Iterable[Any]:
    """The best run in PEFT's benchmark; its interval is how far repeated runs of that experiment lay apart."""
    if not reader.has("peft_metamathqa_spread"):
        return
    for s in reader.of("method", method, _BENCHMARK_SCORES)[:1]:
        spread = f" ± {numbers.significant(s.spread, 2)}" if s.spread is not None else ""
        lines = [
            "Test accuracy of one run, the newest.",
            f"{s.runs} published runs, made as the library changed, lie {numbers.significant(s.spread)} points apart."
            if s.spread is not None else "No repeated runs were published, so there is no interval.",
        ]  # fmt: skip
        asked = sql_command(
            f"SELECT test_accuracy FROM peft_metamathqa_results WHERE experiment = '{s.row_label}'"
        )  # fmt: skip
        yield SimpleNamespace(
            figure=f"{numbers.significant(100 * s.value)}{spread} % right",
            place=s.place, of=s.of, interval=f"{s.best} to {s.worst}" if s.spread is not None else None,
            on="Llama-3.2-3B", caveat=None,
            row=s.row_label, source=link("PEFT's MetaMathQA benchmark", "sources/peft-metamathqa.md#results", page),
            proof=proof(lines, asked),
        )  # fmt: skip


def _libraries(reader: Reader, method: str) -> list[str]:
    found = reader.of("method", method, "SELECT * FROM implementation ORDER BY position")
    return list(dict.fromkeys(words(i.library, LIBRARIES) for i in found if i.library not in _NOT_LIBRARIES))


def _claims(reader: Reader, method: str) -> Any:
    """How the printed figures of a method, in all sources, ended; None where no source has one."""
    found = {
        v.verdict: v.n
        for v in reader.of(
            "method", method, "SELECT method, verdict, count(*) AS n FROM verdict WHERE method IS NOT NULL GROUP BY ALL"
        )
    }
    if not found:
        return None
    agree, differ = (sum(found.get(name, 0) for name in names) for names in (AGREES, DIFFERS))
    asked = sql_command(
        f"SELECT source, verdict, count(*) AS figures FROM verdict WHERE method = '{method}' GROUP BY ALL ORDER BY ALL"
    )
    return SimpleNamespace(
        compared=agree + differ,
        agree=agree,
        differ=differ,
        predicted=found.get("predicted", 0),
        others=sum(found.values()) - agree - differ - found.get("predicted", 0),
        proof=proof(["Printed figures of this method in all sources, by verdict."], asked),
    )


_MEASURED = """
SELECT m.*, c.recipe, b.name AS backbone_name, b.parameters AS backbone_parameters, judging.length, judging.dtype,
    judging.full_tuning, own.peak, own.batch, own.target_length, whole.peak AS full_peak,
    cost.bare_flops, cost.inference_flops, cost.merged_flops
FROM method_on_backbone m CROSS JOIN judging
JOIN backbone b ON b.id = m.backbone AND b.id = judging.judged_on
JOIN configuration c ON c.id = m.configuration
LEFT JOIN memory_use own ON own.configuration = m.configuration AND own.backbone = b.id
    AND own.length = judging.length AND own.dtype = judging.dtype
LEFT JOIN memory_use whole ON whole.configuration = judging.full_tuning AND whole.backbone = b.id
    AND whole.length = judging.length AND whole.dtype = judging.dtype
LEFT JOIN cost ON cost.configuration = m.configuration AND cost.backbone = b.id AND cost.status = 'traced'
WHERE m.trainable_measured IS NOT NULL
"""
_EVERYWHERE = """
SELECT m.configuration, m.trainable_percent, b.name AS backbone_name
FROM measured m JOIN backbone b ON b.id = m.backbone WHERE m.is_default ORDER BY b.parameters, b.id
"""
_SURVEY_SCORES = """
WITH scored AS (SELECT * FROM table4_recomputed WHERE score_mean IS NOT NULL)
SELECT t.*, b.name AS backbone_name, rank() OVER (PARTITION BY t.backbone ORDER BY t.score_mean DESC) AS place,
    count(*) OVER (PARTITION BY t.backbone) AS of,
    (SELECT 1 + count(*) FROM scored o WHERE o.backbone = t.backbone
        AND o.score_mean - o.score_std > t.score_mean + t.score_std) AS best,
    (SELECT count(*) FROM scored o WHERE o.backbone = t.backbone
        AND o.score_mean + o.score_std >= t.score_mean - t.score_std) AS worst
FROM scored t JOIN backbone b ON b.id = t.backbone
ORDER BY b.parameters DESC, t.score_mean DESC, t.method
"""
_BENCHMARK_SCORES = """
WITH scored AS (
    SELECT c.row_label, c.method, TRY_CAST(c.printed AS DOUBLE) AS value FROM claim c
    WHERE c.source = 'peft-metamathqa' AND c.table_name = 'results' AND c.column_name = 'test_accuracy'
        AND TRY_CAST(c.printed AS DOUBLE) IS NOT NULL
),
repeated AS (SELECT experiment, max(runs) AS runs, max(accuracy_spread) AS spread FROM peft_metamathqa_spread GROUP BY experiment)
SELECT t.*, r.runs, r.spread, rank() OVER (ORDER BY t.value DESC) AS place, count(*) OVER () AS of,
    (SELECT 1 + count(*) FROM scored o WHERE o.value > t.value + r.spread / 100) AS best,
    (SELECT count(*) FROM scored o WHERE o.value >= t.value - r.spread / 100) AS worst
FROM scored t LEFT JOIN repeated r ON r.experiment = t.row_label
ORDER BY t.value DESC, t.row_label
"""
