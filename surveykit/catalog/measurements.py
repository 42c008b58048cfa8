"""What the engine found, as it stands in catalog/measured."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from surveykit.record import Record


class Measurement(Record):
    """What the engine counted for one configuration on one backbone."""

    configuration: str
    """method/configuration"""
    backbone: str
    status: Literal["counted", "failed"]
    reason: str | None
    """Why it failed; null when it did not."""
    trainable: int | None = Field(ge=0)
    """Parameters that the optimizer holds, in the largest stage."""
    trainable_task: int | None = Field(ge=0)
    """… in the last stage that is run for each task."""
    effective: int | None = Field(ge=0)
    """Of those of that stage, the ones that may move."""
    trained_pretrained: int | None = Field(ge=0)
    """Pretrained parameters among the trainable ones of that stage."""
    added: int | None = Field(ge=0)
    """New parameters, as trained."""
    expanded: int | None = Field(ge=0)
    """New entries of the network once all that can is merged, with products written out."""
    stored: int | None = Field(ge=0)
    """Numbers to keep for each task."""
    stored_shared: int | None = Field(ge=0)
    """Numbers to keep once for all tasks."""
    stored_bytes: int | None = Field(ge=0)
    """Bytes to keep for each task: numbers of 4 bytes, with the indices of sparse forms and seeds."""
    changed: int | None = Field(ge=0)
    """Entries of the pretrained weights that can differ once all that can is merged."""
    update_rank: int | None = Field(ge=0)
    """Largest rank of the change of a pretrained matrix."""
    optimizer_state: int | None = Field(ge=0)
    """Numbers that the optimizer keeps, in the stage in which they are most."""
    quantized: int | None = Field(ge=0)
    """Pretrained numbers that the last stage holds in few bits."""
    provenance: Literal["config", "header", "weights"]
    """What the backbone was built from."""
    key: str = Field(pattern=r"^[0-9a-f]{16}$")
    """Staleness key: recipe, sources of the engine, backbone."""
    run: str
    """The run that found it, a key of runs.csv."""


COUNTS = (
    "trainable", "trainable_task", "effective", "trained_pretrained", "added", "expanded", "stored", "stored_shared",
    "stored_bytes", "changed", "update_rank", "optimizer_state", "quantized",
)  # fmt: skip
"""The counts of a measurement, in the order of its fields."""


class Cost(Record):
    """Where backward runs and what inference costs, for one configuration on one backbone. From a traced forward pass."""

    configuration: str
    backbone: str
    status: Literal["traced", "refused"]
    reason: str | None
    """Why it cannot run; null when it can."""
    blocks: int | None
    """Blocks of the backbone."""
    blocks_backward: int | None
    """Blocks in which backward runs at all."""
    blocks_input_gradient: int | None
    """Blocks whose input receives a gradient."""
    activation_gradient_flops: int | None
    """FLOPs for gradients of activations in the blocks' own layers, in training."""
    forward_flops: int | None
    """FLOPs of matrix multiplications of a training step's forward pass."""
    backward_flops: int | None
    inference_flops: int | None
    """… of one inference pass, edits beside the weights."""
    merged_flops: int | None
    """… with all merged that can be."""
    bare_flops: int | None
    """… of the bare backbone."""
    inference_elementwise: int | None
    """Numbers that elementwise operations write in an inference pass, edits beside the weights."""
    merged_elementwise: int | None
    bare_elementwise: int | None
    inference_parameters: int | None
    """Numbers of the network beyond the backbone's."""
    merged_parameters: int | None
    inference_positions: int | None
    """Positions added to an input or to the keys of an attention."""
    merged_positions: int | None
    overhead_unmerged: str | None
    """Kinds of overhead with edits beside the weights: none, ffn, ffn+input…"""
    overhead_merged: str | None
    key: str = Field(pattern=r"^[0-9a-f]{16}$")
    run: str

    @property
    def backward(self) -> Literal["none", "partial", "full"] | None:
        """How far backward reaches: into no block, into some, into all; None where nothing was traced."""
        if self.blocks_backward is None:
            return None
        if not self.blocks_backward:
            return "none"
        return "full" if self.blocks_backward == self.blocks else "partial"


class MemoryUse(Record):
    """Predicted peak memory of training, for one configuration on one backbone in one setting. Bytes."""

    configuration: str
    backbone: str
    batch: int
    """Examples at once."""
    length: int
    """Positions of the encoder's input."""
    target_length: int
    """Positions of the decoder's."""
    dtype: Literal["bfloat16", "float32"]
    """Of weights, gradients, activations and optimizer state alike."""
    status: Literal["traced", "refused"]
    reason: str | None
    peak: int | None
    """Highest of a training step in the last stage, with the optimizer's state live."""
    peak_any_stage: int | None
    """… in the stage that needs most."""
    weights: int | None
    """Parameters and buffers, the backbone's and the added."""
    gradients: int | None
    optimizer: int | None
    saved: int | None
    """Activations kept for backward."""
    key: str = Field(pattern=r"^[0-9a-f]{16}$")
    run: str


class TrialRow(Record):
    """What one configuration did when it was trained for real on a tiny T5."""

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
    saved_bytes: int | None
    changed: int | None
    """Pretrained entries that can change there, by the count."""
    changed_random: int | None
    """Entries that differed after a random update was merged."""
    changed_trained: int | None
    """… after three optimizer steps in each stage."""
    update_rank: int | None
    """Rank of the change by the count."""
    rank: int | None
    """… by singular values, after the random update."""
    key: str = Field(pattern=r"^[0-9a-f]{16}$")
    run: str


class Run(Record):
    """The environment that measurements came from."""

    run: str
    date: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$")
    surveykit: str
    python: str
    torch: str
    transformers: str
