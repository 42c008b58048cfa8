"""What the engine found, as it stands in catalog/measured."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from surveykit.record import BackboneId, ConfigurationId, Day, InDatabase, Record, RunId

Count = Annotated[int | None, Field(ge=0, le=10**16)]
"""A number that was found: far below what 64 bits hold, so that a hundred times as much does too, as percentages need."""
Whole = Annotated[int, Field(ge=1, le=10**9)]
"""A number that was chosen, such as a batch."""
Dtype = Literal["bfloat16", "float32"]
_HASH = "Hash of the recipe, the base model, the settings and the code that was run; another hash now means that the row is stale"
Key = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$"), InDatabase(comment=_HASH)]


class Recorded(Record):
    """A line of a file that `surveykit measure` writes. Its digest is that of its values, so that no other hand's
    figure passes for a measured one."""

    nullable: ClassVar[tuple[str, ...]] = ()
    """Fields that may be null where something was found. Where nothing was, all figures are, and there is a reason."""
    rounded: ClassVar[tuple[str, ...]] = ()
    """Figures over which the last bit of a floating-point number decides, so that processors differ in them a little."""

    @classmethod
    def values_of(cls) -> list[str]:
        """Names of the fields but `digest`, which every such record has last."""
        return [name for name in cls.model_fields if name != "digest"]

    @classmethod
    def figures(cls) -> list[str]:
        """Names of the fields that hold what was found."""
        return [name for name in cls.model_fields if name not in NOT_FOUND]

    @classmethod
    def digest_of(cls, values: Mapping[str, Any]) -> str:
        """Sixteen hex digits over names and values; an empty text is null, as in the file."""
        named = [[name, None if values.get(name) == "" else values.get(name)] for name in cls.values_of()]
        return hashlib.sha256(json.dumps(named, ensure_ascii=True).encode()).hexdigest()[:16]

    @model_validator(mode="before")
    @classmethod
    def _sealed(cls, values: dict[str, Any]) -> dict[str, Any]:
        """What is measured now has no digest yet; what is read has one."""
        return values if "digest" in values else {**values, "digest": cls.digest_of(values)}

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        values = self.model_dump()
        if values["digest"] != self.digest_of(values):
            raise ValueError(f"edited by hand or damaged; measure it again: surveykit measure{self._again()}")
        status, reason = getattr(self, "status", None), getattr(self, "reason", None)
        if status is None:
            return self
        found = status in ("counted", "traced", "run")
        if found != (reason is None):
            raise ValueError(f"what was {status} has {'no reason' if found else 'a reason'}")
        for name in self.figures():
            empty = values[name] is None
            if empty if found and name not in self.nullable else not (found or empty):
                raise ValueError(f"{name}: {'empty' if empty else 'a figure'} although it was {status}")
        return self

    def _again(self) -> str:
        configuration = getattr(self, "configuration", None)
        return "" if configuration is None else f" {configuration.split('/')[0]}"


NOT_FOUND = ("configuration", "backbone", "batch", "length", "target_length", "dtype", "training", "status", "reason", "provenance",
             "key", "run", "digest")  # fmt: skip
"""Fields that say what was measured, how it went and whence it comes; all others are figures, which are found."""


class Measurement(Recorded):
    """What the engine counted for one configuration on one backbone."""

    identity = ("configuration", "backbone")

    configuration: ConfigurationId
    backbone: BackboneId
    status: Literal["counted", "failed"]
    """Whether it was counted."""
    reason: str | None
    """Why it failed; NULL when it did not."""
    trainable: Count
    """Trainable parameters: those that the optimizer updates, in the stage that updates most."""
    trainable_task: Count
    """Trainable parameters in the last stage, which is run for each task."""
    effective: Count
    """Trainable parameters of the last stage that a mask lets change."""
    trained_pretrained: Count
    """Pretrained parameters among the trainable ones of the last stage."""
    added: Count
    """Parameters that the method adds to the model, as trained."""
    expanded: Count
    """Parameters added after merging, with low-rank and Kronecker products multiplied out."""
    stored: Count
    """Numbers to keep for each task."""
    stored_shared: Count
    """Numbers to keep once for all tasks."""
    stored_bytes: Count
    """Bytes to keep for each task, with the indices of sparse forms and seeds, at 4 bytes a number; a file that keeps
    trained base weights in 2 bytes is half as large."""
    changed: Count
    """Pretrained weights whose value can differ after merging."""
    update_rank: Count
    """Largest rank of the change to a pretrained matrix."""
    optimizer_state: Count
    """Numbers that the optimizer keeps, in the stage with most."""
    quantized: Count
    """Pretrained numbers that the last stage keeps quantized."""
    provenance: Literal["config", "header", "weights"]
    """What the base model was built from: its configuration, the header of the published file, or its weights."""
    key: Key
    run: RunId
    digest: str
    """Of all other values."""


COUNTS = (
    "trainable", "trainable_task", "effective", "trained_pretrained", "added", "expanded", "stored", "stored_shared",
    "stored_bytes", "changed", "update_rank", "optimizer_state", "quantized",
)  # fmt: skip
"""The counts of a measurement, in the order of its fields."""


class Cost(Recorded):
    """Where backward runs and what inference costs, for one configuration on one backbone. From a traced forward pass."""

    identity = ("configuration", "backbone")

    configuration: ConfigurationId
    backbone: BackboneId
    status: Literal["traced", "refused"]
    """Whether it was traced."""
    reason: str | None
    """Why it cannot run; NULL when it can."""
    blocks: Count
    """Blocks (layers) of the base model."""
    blocks_backward: Count
    """Blocks that the backward pass enters."""
    blocks_input_gradient: Count
    """Blocks whose input receives a gradient."""
    activation_gradient_flops: Count
    """FLOPs for gradients of activations in the blocks' own layers, in training."""
    forward_flops: Count
    """FLOPs of matrix multiplications of a training step's forward pass."""
    backward_flops: Count
    """FLOPs of matrix multiplications of a training step's backward pass."""
    inference_flops: Count
    """FLOPs of matrix multiplications of one inference pass before merging."""
    merged_flops: Count
    """FLOPs of matrix multiplications of one inference pass after merging."""
    bare_flops: Count
    """FLOPs of matrix multiplications of one inference pass of the base model alone."""
    inference_elementwise: Count
    """Values that elementwise operations write in one inference pass before merging."""
    merged_elementwise: Count
    """Values that elementwise operations write in one inference pass after merging."""
    bare_elementwise: Count
    """Values that elementwise operations write in one inference pass of the base model alone."""
    inference_parameters: Count
    """Parameters beyond those of the base model before merging."""
    merged_parameters: Count
    """Parameters beyond those of the base model after merging."""
    inference_positions: Count
    """Positions added to an input or to the keys of an attention before merging."""
    merged_positions: Count
    """Positions added to an input or to the keys of an attention after merging."""
    overhead_unmerged: str | None
    """Kinds of inference overhead before merging, joined by +: ffn, linear, gating, input, decoder; or none."""
    overhead_merged: str | None
    """Kinds of inference overhead after merging, joined by +; or none."""
    key: Key
    run: RunId
    digest: str

    @property
    def backward(self) -> Literal["none", "partial", "full"] | None:
        """How far backward reaches into the blocks: none, partial or full; NULL where nothing was traced."""
        if self.blocks_backward is None:
            return None
        if not self.blocks_backward:
            return "none"
        return "full" if self.blocks_backward == self.blocks else "partial"


class MemoryUse(Recorded):
    """Predicted peak memory of training, for one configuration on one backbone in one setting. Bytes."""

    identity = ("configuration", "backbone", "length", "dtype")

    configuration: ConfigurationId
    backbone: BackboneId
    batch: Whole
    """Examples in a batch."""
    length: Whole
    """Tokens of the encoder's input."""
    target_length: Whole
    """Tokens of the decoder's input."""
    dtype: Dtype
    """Number format of weights, gradients, activations and optimizer state."""
    status: Literal["traced", "refused"]
    """Whether it was traced."""
    reason: str | None
    """Why it cannot run; NULL when it can."""
    peak: Count
    """Predicted peak of a training step in the last stage, including optimizer state, in bytes."""
    peak_any_stage: Count
    """Predicted peak of a training step in the stage with the highest peak, in bytes."""
    weights: Count
    """Parameters and buffers, of the base model and of the method, in bytes."""
    gradients: Count
    """Gradients of parameters, in bytes."""
    optimizer: Count
    """Optimizer state, in bytes."""
    saved: Count
    """Activations kept for the backward pass, in bytes."""
    key: Key
    run: RunId
    digest: str


class Prediction(Recorded):
    """Predicted memory of a training step whose memory a source prints: one configuration on one model. Bytes."""

    identity = ("configuration", "backbone", "batch", "length", "target_length", "training")

    configuration: ConfigurationId
    backbone: BackboneId
    batch: Whole
    """Examples at once on a device."""
    length: Whole
    """Positions of an example."""
    target_length: Whole
    """Positions of the decoder's input, for models with encoder and decoder."""
    training: str
    """How the step runs: the fields in which it differs from the survey's setting."""
    status: Literal["traced", "refused"]
    """Whether it was traced."""
    reason: str | None
    """Why it cannot run; NULL when it can."""
    peak: Count
    """Predicted peak of the step in the stage with the highest peak, including optimizer state, in bytes."""
    weights: Count
    """Parameters and buffers, of the base model and of the method, in bytes."""
    gradients: Count
    """Gradients of parameters, in bytes."""
    optimizer: Count
    """Optimizer state, in bytes."""
    peak_weights: Count
    """At the moment of the peak: parameters and buffers, in bytes."""
    peak_optimizer: Count
    """At the moment of the peak: optimizer state, in bytes."""
    peak_gradients: Count
    """At the moment of the peak: gradients of parameters, in bytes."""
    peak_logits: Count
    """At the moment of the peak: logits and what the loss derives from them, in bytes."""
    peak_activations: Count
    """At the moment of the peak: activations kept for the backward pass, in bytes."""
    peak_working: Count
    """At the moment of the peak: everything else, which an operation needs while it runs, in bytes."""
    key: Key
    run: RunId
    digest: str

    @property
    def step(self) -> str:
        """The text by which a source's step finds it, as `Step.key`."""
        return f"{self.batch} x {self.length}, {self.target_length}: {self.training}"


class TrialRow(Recorded):
    """What one configuration did when it was trained for real on a tiny T5."""

    identity = ("configuration",)
    nullable = ("loss_falls", "stray", "obstacle")
    rounded = ("changed_trained",)  # an entry that a step moves by less than its last bit has not changed

    configuration: ConfigurationId
    status: Literal["run", "refused"]
    """Whether it ran."""
    reason: str | None
    """Why it cannot run; NULL when it can."""
    loss_falls: Literal["yes", "no"] | None
    """Whether a few steps lower the loss in every stage; NULL where nothing is trained."""
    stray: str | None
    """A tensor that changed and should not have; NULL where there is none."""
    merge: Literal["exact", "partly", "none", "differs"] | None
    """Result of merging: exact, partly (some weights cannot be merged), none, or differs."""
    obstacle: str | None
    """Why something cannot be merged; NULL when all can."""
    restored: Literal["yes", "no"] | None
    """Whether the base model and the saved file alone gave the same outputs."""
    saved_bytes: Count
    """Bytes that a task stores, as saved."""
    changed: Count
    """Pretrained parameters that can change on the tiny model, by the count."""
    changed_random: Count
    """Pretrained parameters that differed after a random update was merged."""
    changed_trained: Count
    """Pretrained parameters that differed after three optimizer steps in each stage."""
    update_rank: Count
    """Rank of the change by the count."""
    rank: Count
    """Rank of the change by its singular values, after the random update."""
    key: Key
    run: RunId
    digest: str


class Run(Recorded):
    """The environment that measurements came from."""

    identity = ("run",)

    run: str
    """Name of the run, which measurements refer to."""
    date: Day
    """Day on which it last changed a record."""
    surveykit: str
    """Version of surveykit."""
    python: str
    """Version of Python."""
    torch: str
    """Version of torch."""
    transformers: str
    """Version of transformers."""
    digest: str
