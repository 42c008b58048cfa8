"""Predictions from what is recorded in the database: any batch and length on the backbones of the catalog, no torch."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from surveykit.database.reading import Reader
from surveykit.fit.candidates import Candidate, Evidence, MemoryBreakdown, Question
from surveykit.fit.evidence import evidence
from surveykit.fit.ranking import standing
from surveykit.fit.scaling import Coefficients, Known, Scaling, Traced, passing, scaling

WIDTHS = {"bfloat16": 2, "float32": 4}
"""Bytes of a number."""
LARGEST_BATCH = 1024
"""Batches beyond it are not looked for."""
_FULL = "full-tuning/all"


@dataclass(frozen=True)
class Recorded:
    """A default configuration on a backbone: what does not depend on the setting, and its memory by width."""

    candidate: Candidate
    method: str
    scalings: dict[str, Scaling]

    def at(self, question: Question) -> Candidate:
        """The candidate with its memory in a setting, and the largest batch that fits clearly."""
        scale = self.scalings[question.training.dtype]
        parts = scale.at(question.batch, question.length)
        low, high = 0, LARGEST_BATCH + 1  # what fits, and what does not or is not looked for
        while high - low > 1:
            middle = (low + high) // 2
            asked = replace(question, batch=middle)
            fits = standing(scale.at(middle, question.length).peak, asked, self.candidate.evidence) == "fits"
            low, high = (middle, high) if fits else (low, middle)
        return replace(self.candidate, parts=parts, batch_that_fits=low)


def recorded(reader: Reader, backbone: str) -> list[Recorded]:
    """The default configurations that were traced at three lengths on a backbone."""
    steps = _steps(reader, backbone)
    known = evidence(reader, reader.one("SELECT parameters FROM backbone WHERE id = ?", backbone).parameters, backbone)
    forward = {
        dtype: passing(points for (_, width), points in steps.items() if width == dtype and len(points) == 3)
        for dtype in WIDTHS
    }
    found = []
    for m in reader.all(_SQL, backbone):
        widths = {}
        for dtype, width in WIDTHS.items():
            points, full = steps[m.configuration, dtype], steps[_FULL, dtype]
            if len(points) == 3 and len(full) == 3:
                widths[dtype] = scaling(points, full, _known(m, width, forward[dtype])).rounded()
        if len(widths) == len(WIDTHS):
            found.append(Recorded(_candidate(m, known), m.id, widths))
    return found


def _steps(reader: Reader, backbone: str) -> defaultdict[tuple[str, str], list[Traced]]:
    found: defaultdict[tuple[str, str], list[Traced]] = defaultdict(list)
    for m in reader.all("SELECT * FROM memory_use WHERE backbone = ? AND status = 'traced'", backbone):
        parts = MemoryBreakdown(m.weights, m.gradients, m.optimizer, m.saved, m.peak)
        found[m.configuration, m.dtype].append(Traced(m.batch, m.length, parts, m.peak_any_stage))
    return found


def _known(m: Any, width: int, forward: Coefficients) -> Known:
    return Known(
        positions=m.inference_positions,
        logits=2 * width * m.target_length * m.vocabulary,
        gradients=width * m.trainable,
        optimizer=width * m.optimizer_state,
        masks=m.trainable_task if m.is_masked else 0,
        largest=width * m.vocabulary * m.d_model,
        decoder=width * (m.decoder + m.vocabulary * m.d_model),
        crossing=width * m.decoder_layers * 2 * m.inner_width,
        forward=forward,
    )


def _candidate(m: Any, known: dict[str, Evidence]) -> Candidate:
    return Candidate(
        configuration=m.configuration,
        name=m.name,
        parts=MemoryBreakdown(0, 0, 0, 0, 0),  # in no setting yet
        trainable=m.trainable,
        trainable_last_stage=m.trainable_task,
        stored_bytes=m.stored_bytes,
        overhead=m.overhead_unmerged,
        overhead_merged=m.overhead_merged,
        flops_percent=100 * (m.inference_flops - m.bare_flops) / m.bare_flops,
        merged_flops_percent=100 * (m.merged_flops - m.bare_flops) / m.bare_flops,
        model_parameters=m.parameters,
        is_reconstruction=m.reconstruction is not None,
        evidence=known.get(m.configuration, Evidence()),
    )


def fitted_backbones(reader: Reader) -> Iterator[Any]:
    """Backbones with recorded memory, id and name, the smallest first."""
    yield from reader.all(
        "SELECT id, name, parameters FROM backbone WHERE id IN (SELECT backbone FROM memory_use WHERE status = 'traced')"
        " ORDER BY parameters"
    )


_SQL = """
SELECT
    method.id, method.name, method.reconstruction, configuration.id AS configuration,
    json_extract(configuration.recipe, '$.stages[#-1].mask') IS NOT NULL
        AND json_type(configuration.recipe, '$.stages[#-1].mask') <> 'NULL' AS is_masked,
    backbone.parameters, backbone.vocabulary, backbone.d_model, backbone.inner_width, backbone.decoder_layers,
    CAST(backbone.decoder_layers AS BIGINT) * backbone.d_model
        * (8 * backbone.inner_width + CASE WHEN backbone.gated THEN 3 ELSE 2 END * backbone.d_ff) AS decoder,
    measurement.trainable, measurement.trainable_task, measurement.optimizer_state, measurement.stored_bytes,
    cost.overhead_unmerged, cost.overhead_merged, cost.inference_flops, cost.merged_flops, cost.bare_flops,
    cost.inference_positions,
    (SELECT max(target_length) FROM memory_use
        WHERE memory_use.configuration = configuration.id AND memory_use.backbone = backbone.id) AS target_length
FROM configuration
JOIN method ON method.id = configuration.method
JOIN measurement ON measurement.configuration = configuration.id
JOIN backbone ON backbone.id = measurement.backbone
JOIN cost ON cost.configuration = configuration.id AND cost.backbone = backbone.id
WHERE configuration.is_default AND backbone.id = ? AND measurement.status = 'counted' AND cost.status = 'traced'
    AND measurement.trainable > 0
ORDER BY configuration.id
"""
