"""The survey's evidence for configurations, read from the database."""

from __future__ import annotations

import math

from surveykit.database.reading import Reader
from surveykit.fit.candidates import Evidence
from surveykit.fit.errors import PredictionError

_SIZES = ((10**9, "evaluated_under_1b"), (20 * 10**9, "evaluated_under_20b"))
"""Table 2's columns: below so many parameters; above them it is the last column."""


class Table5Error(PredictionError):
    """How far predictions in the survey's setting are from the peaks that its Table 5 prints for one of its models.

    Length and precision are those that fit the table's other models best, so that these errors are out of sample.
    """

    batch: int
    length: int
    dtype: str
    rank_correlation: float | None

    @property
    def sentence(self) -> str:
        """The error in words."""
        ranked = "" if self.rank_correlation is None else f", with a rank correlation of {self.rank_correlation:.2f}"
        return (
            f"Errors: the survey's Table 5 prints peaks of {self.runs} configurations for {self.kind}, at batch "
            f"{self.batch}. They lie between {self.low_percent:+.0f} and {self.high_percent:+.0f} % of the predicted ones, "
            f"which are {self.median_percent:.0f} % off in the median and {self.worst_percent:.0f} % at worst{ranked}. The "
            f"survey gives neither input length (at most 512) nor precision: {self.length} positions in {self.dtype} fit its "
            "other models best. Its gigabytes may be of 2^30 bytes, 7 % more than ours. All this is of T5 in the survey's "
            "setting: with another attention or with checkpointing training takes up to 13 times less."
        )


def table5_error(reader: Reader, parameters: int) -> Table5Error | None:
    """How far predicted peaks are from Table 5's on its model that is nearest in size; None without any to compare."""
    near = _nearest(reader, parameters)
    if near is None:
        return None
    found = reader.all(
        "SELECT s.*, b.name, (SELECT min(batch) FROM table5_memory p WHERE p.backbone = s.backbone) AS batch,"
        " (SELECT median(abs(error_percent)) FROM table5_memory p WHERE p.backbone = s.backbone"
        " AND p.length = s.length AND p.dtype = s.dtype AND p.read_as IS NULL) AS median_percent"
        " FROM table5_memory_setting s JOIN backbone b ON b.id = s.backbone"
        " WHERE s.sample = 'left_out' AND s.backbone = ? AND s.is_chosen",
        near,
    )
    if not found:
        return None
    (s,) = found
    return Table5Error(
        kind=s.name, sources=("lialin2023scaling",), runs=s.rows, median_percent=s.median_percent,
        worst_percent=max(abs(s.least_error_percent), abs(s.greatest_error_percent)),
        low_percent=_measured(s.greatest_error_percent), high_percent=_measured(s.least_error_percent), batch=s.batch,
        length=s.length, dtype=s.dtype, rank_correlation=s.rank_correlation,
    )  # fmt: skip


def _measured(error_percent: float) -> float:
    """How far a measured peak lies above a predicted one, in percent of this, where this is so far above the measured one."""
    return 100 / (1 + error_percent / 100) - 100


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
