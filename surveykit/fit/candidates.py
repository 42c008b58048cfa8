"""What is known of a configuration when it is asked whether it fits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from surveykit.catalog.training import Compute, Training
from surveykit.fit.errors import ALLOCATOR_PERCENT, DRIVER_CONTEXT, PredictionError

Standing = Literal["fits", "tight", "does not fit"]
STANDINGS: tuple[Standing, ...] = ("fits", "tight", "does not fit")


@dataclass(frozen=True)
class MemoryBreakdown:
    """Bytes of a training step, in the stage that needs most."""

    weights: int
    gradients: int
    """Of all that is trained, when the optimizer begins its step."""
    optimizer: int
    saved: int
    """Activations kept for backward, when forward ends."""
    peak: int
    parts: Mapping[str, int] = field(default_factory=dict, hash=False)
    """Bytes at the moment of the peak: weights, optimizer, gradients, logits, activations, working. They add up to it.
    Empty where a peak is computed from recorded ones."""

    @property
    def passing(self) -> int:
        """Gradients and activations that are live at the peak. Weights and optimizer state are live throughout, so that
        the three add up to the peak."""
        return self.peak - self.weights - self.optimizer

    @property
    def least(self) -> int:
        """Weights, all gradients and optimizer state: no attention kernel and no checkpointing takes less."""
        return self.weights + self.gradients + self.optimizer


@dataclass(frozen=True)
class Evidence:
    """What the survey says of a configuration, near the size that is asked for. None: it says nothing."""

    score: float | None = None
    """Mean over its datasets, recomputed from Appendix B."""
    score_on: str | None = None
    """The T5 of that score."""
    score_of: str | None = None
    """The configuration of that score, where it is another one of the method."""
    score_caveat: str | None = None
    """Why that score is doubtful; None where nothing speaks against it."""
    memory_gb: float | None = None
    """Peak memory that Table 5 prints for it, in its own setting."""
    memory_batch: int | None = None
    """The batch of that figure, where it was measured on the very model that is asked for."""
    evaluated: bool | None = None
    """Whether Table 2 says that its papers evaluated it at this size."""

    @property
    def ranked_score(self) -> float | None:
        """The score, unless it is doubtful."""
        return self.score if self.score_caveat is None else None


@dataclass(frozen=True)
class Candidate:
    """A configuration on a model: what training holds, what is kept, what inference costs."""

    configuration: str
    name: str
    """Of the method, for reading."""
    parts: MemoryBreakdown
    trainable: int
    """Parameters that the optimizer updates, in the stage in which they are most."""
    trainable_last_stage: int
    """… in the last stage, which is run for each task."""
    stored_bytes: int
    """To keep for each task, at 4 bytes a number."""
    overhead: str
    """Canonical kinds of inference overhead with edits beside the weights: `none`, `ffn`, `ffn+input`…"""
    overhead_merged: str
    """… with all merged that can be."""
    flops_percent: float
    """Additional FLOPs of an inference pass."""
    merged_flops_percent: float
    model_parameters: int
    """Of the bare model."""
    compute: Compute | None = None
    """Of a training step, in the last stage; None where no step was traced."""
    batch_that_fits: int | None = None
    """Largest batch that is known to fit clearly, if the one that was asked for does not; 0: not even one example."""
    size: str | None = None
    """The hyper-parameter that a budget of trained parameters set, and its value."""
    is_reconstruction: bool = False
    evidence: Evidence = Evidence()

    @property
    def trainable_percent(self) -> float:
        """Of the bare model."""
        return 100 * self.trainable / self.model_parameters

    @property
    def trainable_last_stage_percent(self) -> float:
        return 100 * self.trainable_last_stage / self.model_parameters


@dataclass(frozen=True)
class Question:
    """What is wanted."""

    memory: int
    """Bytes of the GPU."""
    batch: int
    """Examples at once on each device."""
    length: int
    """Positions of an input: of the longest, where inputs differ."""
    setting: str
    """The named setting that `training` is of, or was before fields of it were overridden."""
    training: Training
    target_length: int = 8
    merge: bool = False
    max_overhead: frozenset[str] | None = None
    """Kinds of inference overhead that may be; None: any."""
    error: PredictionError | None = None
    """Of predictions in such a setting; None where nothing was compared."""
    allocator_percent: float = ALLOCATOR_PERCENT
    """What the allocator reserves beyond what it hands out."""

    @property
    def room(self) -> int:
        """Bytes that torch may reserve on the GPU."""
        return self.memory - DRIVER_CONTEXT

    def low(self, peak: int) -> int:
        """The smallest peak that a predicted one may mean."""
        return peak if self.error is None else self.error.low(peak)

    def high(self, peak: int) -> int:
        """The largest one; where nothing was compared, some percent are kept for the allocator."""
        return round(peak * (1 + ALLOCATOR_PERCENT / 100)) if self.error is None else self.error.high(peak)

    def reserved(self, peak: int) -> int:
        """What the allocator reserves for a predicted peak where there is room; it gives back what it does not use."""
        return round(peak * (1 + self.allocator_percent / 100))

    def standing(self, peak: int) -> Standing:
        """Whether a predicted peak fits: even if it is the largest that it may mean, within the errors, or not."""
        if self.high(peak) <= self.room:
            return "fits"
        return "tight" if self.low(peak) <= self.room else "does not fit"
