"""What is known of a configuration when it is asked whether it fits."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Parts:
    """Bytes of a training step. The parts need not be live together, so `rest` may be negative."""

    weights: int
    gradients: int
    optimizer: int
    saved: int
    """Activations kept for backward."""
    peak: int

    @property
    def rest(self) -> int:
        """What is live at the peak beyond the four parts, less what of them is not live then."""
        return self.peak - self.weights - self.gradients - self.optimizer - self.saved


@dataclass(frozen=True)
class Evidence:
    """What the survey says of a configuration, near the size that is asked for. None: it says nothing."""

    score: float | None = None
    """Mean over its datasets, recomputed from Appendix B."""
    score_on: str | None = None
    """The T5 of that score."""
    score_of: str | None = None
    """The configuration of that score, where it is another one of the method."""
    memory_gb: float | None = None
    """Peak memory that Table 5 prints for it, in its own setting."""
    evaluated: bool | None = None
    """Whether Table 2 says that its papers evaluated it at this size."""


@dataclass(frozen=True)
class Candidate:
    """A configuration on a model: what training holds, what is kept, what inference costs."""

    configuration: str
    name: str
    """Of the method, for reading."""
    parts: Parts
    """Of the stage that needs most."""
    trainable: int
    trainable_percent: float
    """Of the bare model."""
    stored_bytes: int
    overhead: str
    """Canonical kinds of inference overhead with edits beside the weights: `none`, `ffn`, `ffn+input`…"""
    overhead_merged: str
    """… with all merged that can be."""
    flops_percent: float
    """Additional FLOPs of an inference pass."""
    merged_flops_percent: float
    model_parameters: int
    """Of the bare model."""
    batch_that_fits: int | None = None
    """Largest batch that is known to fit clearly, if the one that was asked for does not; 0: not even one example."""
    is_reconstruction: bool = False
    evidence: Evidence = Evidence()


@dataclass(frozen=True)
class Question:
    """What is wanted."""

    memory: int
    """Bytes of the GPU."""
    batch: int
    length: int
    dtype: str
    target_length: int
    merge: bool = False
    max_overhead: frozenset[str] | None = None
    """Kinds of inference overhead that may be; None: any."""
    error_percent: float | None = None
    """Mean error of predicted peaks against the survey's Table 5; None where nothing was compared."""

    @property
    def margin(self) -> float:
        """The same as a share."""
        return (self.error_percent or 0.0) / 100
