"""The survey's evidence for configurations, read from the database."""

from __future__ import annotations

import math

from surveykit.database.reading import Reader
from surveykit.fit.candidates import Evidence

_SIZES = ((10**9, "evaluated_under_1b"), (20 * 10**9, "evaluated_under_20b"))
"""Table 2's columns: below so many parameters; above them it is the last column."""


def evidence(reader: Reader, parameters: int, model: str | None = None) -> dict[str, Evidence]:
    """What the survey says near a size of model, by configuration; what it does not speak of is not there.

    A row of the experiment that was read as another configuration of the method stands for the default one as well.

    Args:
        model: the id of the backbone that is asked for, where it is one of the catalog.
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
    scores, memory = (_scores(reader, near), _memory(reader, near)) if near else ({}, {})
    name = reader.one("SELECT name FROM backbone WHERE id = ?", near).name if near else None
    found = {}
    for configuration, method in known.items():
        is_default = configuration == defaults.get(method)
        score = scores.get(configuration) or (scores.get(method) if is_default else None)
        found[configuration] = Evidence(
            score=score[0] if score else None,
            score_on=name if score else None,
            score_of=score[1] if score and score[1] != configuration else None,
            score_caveat=score[2] if score else None,
            memory_gb=memory[configuration][0] if configuration in memory else None,
            memory_batch=memory[configuration][1] if configuration in memory and model == near else None,
            evaluated=evaluations.get(method),
        )
    return found


def _nearest(reader: Reader, parameters: int) -> str | None:
    """The T5 of the survey's experiment that is nearest in size, as a factor; None where the catalog lacks the survey."""
    if not reader.has("table5"):
        return None
    backbones = reader.all("SELECT id, parameters FROM backbone WHERE id IN (SELECT backbone FROM table5)")
    return min(backbones, key=lambda b: abs(math.log(b.parameters / parameters))).id if backbones else None


def _scores(reader: Reader, backbone: str) -> dict[str, tuple[float, str, str | None]]:
    """Score, configuration and caveat of each row of the experiment, by configuration and, first come, by method."""
    found: dict[str, tuple[float, str, str | None]] = {}
    for row in reader.all(
        "SELECT t.method_id, t.score_mean, t.score_if_fraction, t.caveat, p.configuration FROM table4_recomputed t"
        " JOIN printed_name p ON p.source = 'lialin2023scaling' AND p.table_name = 'appendix_b' AND p.printed = t.method"
        " LEFT JOIN configuration c ON c.id = p.configuration"
        " WHERE t.backbone = ? AND t.score_mean IS NOT NULL AND p.configuration IS NOT NULL"
        " ORDER BY c.is_default DESC NULLS LAST, t.method",
        backbone,
    ):
        otherwise = "" if row.score_if_fraction is None else f", then the mean is {row.score_if_fraction:.1f}"
        caveat = None if row.caveat is None else f"{row.caveat}{otherwise}"
        score = (float(row.score_mean), row.configuration, caveat)
        found.setdefault(row.configuration, score)
        found.setdefault(row.method_id, score)
    return found


def _memory(reader: Reader, backbone: str) -> dict[str, tuple[float, int | None]]:
    """Printed gigabytes and their batch, by configuration: the one that the row is held to be of."""
    rows = reader.all(
        "SELECT coalesce(p.read_as, t.configuration) AS configuration, t.ram_gb, p.batch FROM table5 t LEFT JOIN"
        " (SELECT DISTINCT backbone, row_label, read_as, batch FROM table5_memory) p USING (backbone, row_label)"
        " WHERE t.backbone = ? AND t.ram_gb IS NOT NULL",
        backbone,
    )
    return {row.configuration: (float(row.ram_gb), row.batch) for row in rows}
