"""What the engine found, as it stands in catalog/measured."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from surveykit.catalog.days import check_day
from surveykit.record import Record

Count = Annotated[int | None, Field(ge=0, le=10**16)]
"""A number that was found: far below what 64 bits hold, so that a hundred times as much does too, as percentages need."""
Whole = Annotated[int, Field(ge=1, le=10**9)]
"""A number that was chosen, such as a batch."""
Dtype = Literal["bfloat16", "float32"]
Key = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]


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


NOT_FOUND = ("configuration", "backbone", "batch", "length", "target_length", "dtype", "status", "reason", "provenance",
             "key", "run", "digest")  # fmt: skip
"""Fields that say what was measured, how it went and whence it comes; all others are figures, which are found."""


class Measurement(Recorded):
    """What the engine counted for one configuration on one backbone."""

    identity = ("configuration", "backbone")

    configuration: str
    """method/configuration"""
    backbone: str
    status: Literal["counted", "failed"]
    reason: str | None
    """Why it failed; null when it did not."""
    trainable: Count
    """Parameters that the optimizer holds, in the largest stage."""
    trainable_task: Count
    """… in the last stage that is run for each task."""
    effective: Count
    """Of those of that stage, the ones that may move."""
    trained_pretrained: Count
    """Pretrained parameters among the trainable ones of that stage."""
    added: Count
    """New parameters, as trained."""
    expanded: Count
    """New entries of the network once all that can is merged, with products written out."""
    stored: Count
    """Numbers to keep for each task."""
    stored_shared: Count
    """Numbers to keep once for all tasks."""
    stored_bytes: Count
    """Bytes to keep for each task, at 4 bytes a number, with the indices of sparse forms and seeds."""
    changed: Count
    """Entries of the pretrained weights that can differ once all that can is merged."""
    update_rank: Count
    """Largest rank of the change of a pretrained matrix."""
    optimizer_state: Count
    """Numbers that the optimizer keeps, in the stage in which they are most."""
    quantized: Count
    """Pretrained numbers that the last stage holds in few bits."""
    provenance: Literal["config", "header", "weights"]
    """What the backbone was built from."""
    key: Key
    """Staleness key: recipe, backbone, settings, code."""
    run: str
    """The run that found it, a key of runs.csv."""
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

    configuration: str
    backbone: str
    status: Literal["traced", "refused"]
    reason: str | None
    """Why it cannot run; null when it can."""
    blocks: Count
    """Blocks of the backbone."""
    blocks_backward: Count
    """Blocks in which backward runs at all."""
    blocks_input_gradient: Count
    """Blocks whose input receives a gradient."""
    activation_gradient_flops: Count
    """FLOPs for gradients of activations in the blocks' own layers, in training."""
    forward_flops: Count
    """FLOPs of matrix multiplications of a training step's forward pass."""
    backward_flops: Count
    inference_flops: Count
    """… of one inference pass, edits beside the weights."""
    merged_flops: Count
    """… with all merged that can be."""
    bare_flops: Count
    """… of the bare backbone."""
    inference_elementwise: Count
    """Numbers that elementwise operations write in an inference pass, edits beside the weights."""
    merged_elementwise: Count
    bare_elementwise: Count
    inference_parameters: Count
    """Numbers of the network beyond the backbone's."""
    merged_parameters: Count
    inference_positions: Count
    """Positions added to an input or to the keys of an attention."""
    merged_positions: Count
    overhead_unmerged: str | None
    """Kinds of overhead with edits beside the weights: none, ffn, ffn+input…"""
    overhead_merged: str | None
    key: Key
    run: str
    digest: str

    @property
    def backward(self) -> Literal["none", "partial", "full"] | None:
        """How far backward reaches: into no block, into some, into all; None where nothing was traced."""
        if self.blocks_backward is None:
            return None
        if not self.blocks_backward:
            return "none"
        return "full" if self.blocks_backward == self.blocks else "partial"


class MemoryUse(Recorded):
    """Predicted peak memory of training, for one configuration on one backbone in one setting. Bytes."""

    identity = ("configuration", "backbone", "length", "dtype")

    configuration: str
    backbone: str
    batch: Whole
    """Examples at once."""
    length: Whole
    """Positions of the encoder's input."""
    target_length: Whole
    """Positions of the decoder's."""
    dtype: Dtype
    """Of weights, gradients, activations and optimizer state alike."""
    status: Literal["traced", "refused"]
    reason: str | None
    peak: Count
    """Highest of a training step in the last stage, with the optimizer's state live."""
    peak_any_stage: Count
    """… in the stage that needs most."""
    weights: Count
    """Parameters and buffers, the backbone's and the added."""
    gradients: Count
    optimizer: Count
    saved: Count
    """Activations kept for backward."""
    key: Key
    run: str
    digest: str


class TrialRow(Recorded):
    """What one configuration did when it was trained for real on a tiny T5."""

    identity = ("configuration",)
    nullable = ("loss_falls", "stray", "obstacle")
    rounded = ("changed_trained",)  # an entry that a step moves by less than its last bit has not changed

    configuration: str
    status: Literal["run", "refused"]
    reason: str | None
    loss_falls: Literal["yes", "no"] | None
    """Whether a few steps lower the loss in every stage; null where nothing is trained."""
    stray: str | None
    """A tensor that moved and should not have."""
    merge: Literal["exact", "partly", "none", "differs"] | None
    obstacle: str | None
    restored: Literal["yes", "no"] | None
    """Whether the bare backbone and the saved bytes alone gave the outputs."""
    saved_bytes: Count
    changed: Count
    """Pretrained entries that can change there, by the count."""
    changed_random: Count
    """Entries that differed after a random update was merged."""
    changed_trained: Count
    """… after three optimizer steps in each stage."""
    update_rank: Count
    """Rank of the change by the count."""
    rank: Count
    """… by singular values, after the random update."""
    key: Key
    run: str
    digest: str


class Run(Recorded):
    """The environment that measurements came from."""

    identity = ("run",)

    run: str
    date: str
    """Year-month-day on which it last changed a record."""
    surveykit: str
    python: str
    torch: str
    transformers: str
    digest: str

    @model_validator(mode="after")
    def _is_a_day(self) -> Self:
        check_day(self.date)
        return self
