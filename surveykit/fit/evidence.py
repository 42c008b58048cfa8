"""The survey's evidence for configurations, read from the database."""

from __future__ import annotations

import math

from surveykit.database.reading import Reader
from surveykit.fit.candidates import Evidence

_SIZES = ((10**9, "evaluated_under_1b"), (20 * 10**9, "evaluated_under_20b"))
"""Table 2's columns: below so many parameters; above them it is the last column."""


def mean_error_percent(reader: Reader) -> float | None:
    """Mean absolute error of predicted peaks against Table 5 in the setting that fits best; None without any."""
    found = reader.one("SELECT avg(abs(error_percent)) AS error FROM memory_prediction WHERE is_best_setting")
    return None if found.error is None else float(found.error)


def evidence(reader: Reader, parameters: int) -> dict[str, Evidence]:
    """What the survey says near a size of model, by configuration; what it does not speak of is not there.

    A row of the experiment that was read as another configuration of the method stands for the default one as well.
    """
    near = _nearest(reader, parameters)
    evaluated = next((column for below, column in _SIZES if parameters < below), "evaluated_over_20b")
    methods = reader.all(
        f"SELECT id, configuration, {evaluated} AS evaluated FROM method_on_backbone"
        " WHERE backbone = (SELECT min(backbone) FROM method_on_backbone)"
    )
    defaults = {m.id: m.configuration for m in methods}
    known = {c.id: c.method for c in reader.all("SELECT id, method FROM configuration")}
    evaluations = {m.id: m.evaluated for m in methods}
    scores, memory = _scores(reader, near), _memory(reader, near)
    name = reader.one("SELECT name FROM backbone WHERE id = ?", near).name if near else None
    found = {}
    for configuration, method in known.items():
        is_default = configuration == defaults.get(method)
        score = scores.get(configuration) or (scores.get(method) if is_default else None)
        found[configuration] = Evidence(
            score=score[0] if score else None,
            score_on=name if score else None,
            score_of=score[1] if score and score[1] != configuration else None,
            memory_gb=memory.get(configuration),
            evaluated=evaluations.get(method),
        )
    return found


def _nearest(reader: Reader, parameters: int) -> str | None:
    """The T5 of the survey's experiment that is nearest in size, as a factor."""
    backbones = reader.all("SELECT id, parameters FROM backbone WHERE survey_label IS NOT NULL")
    return min(backbones, key=lambda b: abs(math.log(b.parameters / parameters))).id if backbones else None


def _scores(reader: Reader, backbone: str | None) -> dict[str, tuple[float, str]]:
    """Score and configuration of each row of the experiment, by configuration and, first come, by method."""
    found: dict[str, tuple[float, str]] = {}
    for row in reader.all(
        "SELECT t.method_id, t.score_mean, p.configuration FROM table4_recomputed t JOIN printed_name p"
        " ON p.table_label = 'Appendix B' AND p.printed = t.method"
        " LEFT JOIN configuration c ON c.id = p.configuration"
        " WHERE t.backbone = ? AND t.score_mean IS NOT NULL AND p.configuration IS NOT NULL"
        " ORDER BY c.is_default DESC NULLS LAST, t.method",
        backbone,
    ):
        score = (float(row.score_mean), row.configuration)
        found.setdefault(row.configuration, score)
        found.setdefault(row.method_id, score)
    return found


def _memory(reader: Reader, backbone: str | None) -> dict[str, float]:
    rows = reader.all("SELECT configuration, ram_gb FROM table5 WHERE backbone = ?", backbone)
    return {row.configuration: float(row.ram_gb) for row in rows if row.ram_gb is not None}
