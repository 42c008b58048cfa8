"""Questions and candidates for tests of the answer to "will it fit?"."""

from __future__ import annotations

from surveykit.catalog.training import SURVEYS
from surveykit.fit.candidates import Candidate, Evidence, MemoryBreakdown, Question
from surveykit.fit.errors import DRIVER_CONTEXT, PredictionError

ERROR = PredictionError(
    kind="eager attention", sources=("lialin2023scaling",), runs=14, median_percent=9.0, worst_percent=25.0,
    low_percent=-20.0, high_percent=25.0,
)  # fmt: skip
QUESTION = Question(
    memory=24 * 10**9 + DRIVER_CONTEXT, batch=8, length=512, setting="survey", training=SURVEYS, error=ERROR
)
"""In a memory that leaves 24 GB beside the context of the driver."""


def step(peak_gb: float, least_gb: float = 0.0) -> MemoryBreakdown:
    """A step of such a peak; weights, gradients and optimizer state are no more than `least_gb`."""
    third, peak = int(least_gb * 1e9 / 3), int(peak_gb * 1e9)
    parts = {"weights": third, "optimizer": third, "gradients": 0, "logits": 0, "activations": 0, "working": 0}
    return MemoryBreakdown(third, third, third, 1, peak, {**parts, "activations": peak - 2 * third})


def candidate(
    name: str, peak_gb: float, *, score: float | None = None, merged: str = "none", fits_at: int = 0,
    caveat: str | None = None, least_gb: float = 0.0,
) -> Candidate:  # fmt: skip
    return Candidate(
        configuration=name, name=name.title(), parts=step(peak_gb, least_gb), trainable=5, trainable_last_stage=5,
        stored_bytes=20, overhead="linear", overhead_merged=merged, flops_percent=1.0,
        merged_flops_percent=0.0, model_parameters=1000, batch_that_fits=fits_at,
        evidence=Evidence(score=score, score_on="T5-3B" if score else None, score_caveat=caveat),
    )  # fmt: skip
