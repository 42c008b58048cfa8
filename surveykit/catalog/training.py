"""How a training step runs: everything that affects its memory apart from the model, the method and the text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Self, get_args

from pydantic import Field, model_validator

from surveykit.catalog.measurements import Dtype
from surveykit.record import Record

Attention = Literal["eager", "sdpa", "flash"]
Checkpointing = Literal["none", "full", "offloaded"]
Optimizer = Literal[
    "adamw-loop", "adamw-foreach", "adamw-fused", "adamw-8bit", "paged-adamw", "paged-adamw-8bit", "sgd", "adafactor",
    "galore", "lion",
]  # fmt: skip
BaseBits = Literal[16, 8, 4]
Loss = Literal["plain", "chunked"]
Kernels = Literal["plain", "fused", "liger"]
Shard = Literal["none", "ddp", "zero1", "zero2", "zero3", "fsdp"]


class Training(Record):
    """How a training step runs. The defaults are the survey's setting, the simplest one."""

    dtype: Dtype = "bfloat16"
    """Precision of the loaded base weights, and of the computation with them."""
    autocast: bool = False
    """Whether matrix products of float32 weights run in bfloat16, as with `torch.autocast`."""
    adapter_dtype: Dtype | None = None
    """Precision of the added parameters; null if it is the base model's. PEFT uses float32."""
    adapter_dropout: bool = False
    """Whether LoRA and similar methods apply dropout to their input, as is usual: the result and a mask are kept."""
    adapter_copy: bool = False
    """Whether the update of LoRA and similar methods is first copied into a wider matrix and kept for the backward pass, as in
    LitGPT, when query, key and value are one matrix."""
    master_weights: bool = False
    """Whether the optimizer keeps a float32 copy of parameters trained in 16 bits, and updates that copy."""
    attention: Attention = "eager"
    """`eager` keeps the scores of all pairs of positions; `sdpa` is torch's fused attention, with a mask if the model makes
    one; `flash` is FlashAttention 2, without a mask."""
    padding: bool = False
    """Whether the texts of a batch differ in length and are padded to the longest. Attention other than flash then needs a
    mask, and `sdpa` uses another kernel, which repeats keys and values that several heads share."""
    checkpointing: Checkpointing = "none"
    """`full` keeps the input of each checkpointed block and recomputes the block in the backward pass; `offloaded` keeps these
    inputs in host memory."""
    checkpoint_every: int = Field(default=1, ge=1, le=1000)
    """Checkpoint every Nth block; 1 means every block."""
    optimizer: Optimizer = "adamw-loop"
    """`adamw-loop` updates the parameters one by one, `adamw-foreach` makes one extra copy of all, `adamw-fused` makes none.
    8-bit moments are those of bitsandbytes, as is Lion's single one in 32 bits; paged ones may move to the host when memory is
    short."""
    base_bits: BaseBits = 16
    """Bits per frozen weight in linear layers: 8 is LLM.int8, 4 is NF4, both as in bitsandbytes; embeddings, norms and the
    output layer keep their precision."""
    double_quant: bool = False
    """Whether the scales of 4-bit weights are themselves stored in 8 bits."""
    keep_base_inputs: bool = False
    """Whether products with 4-bit weights keep their inputs until the backward pass ends, as bitsandbytes did in 2023."""
    loss: Loss = "plain"
    """`chunked` computes the logits in pieces, and keeps none of them for the backward pass."""
    kernels: Kernels = "plain"
    """`fused`: norms, rotary positions and the loss keep no intermediate values (Unsloth, fms-acceleration); `liger`: nor do
    gated activations. The loss then overwrites the logits with their gradient, or computes them in pieces if `chunked`."""
    keep_cache: bool = False
    """Whether the output, with its keys and values for generation, is kept until the backward pass ends."""
    accumulation: int = Field(default=1, ge=1, le=10**6)
    """Batches whose gradients are added up before an optimizer step; gradients exist from the second batch on."""
    devices: int = Field(default=1, ge=1, le=10**6)
    """Number of devices; the batch size is per device."""
    shard: Shard = "none"
    """What is sharded across devices: `ddp` nothing; `zero1` the optimizer state, `zero2` also gradients, `zero3` and `fsdp`
    also weights."""
    offload_states: bool = False
    """Whether the optimizer state is in host memory."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        problem = next(self._contradictions(), None)
        if problem is not None:
            raise ValueError(problem)
        return self

    def _contradictions(self) -> Iterator[str]:
        """What cannot be combined, and why."""
        if self.double_quant and self.base_bits != 4:
            yield f"double_quant is about the scales of 4-bit weights, and base_bits is {self.base_bits}"
        if self.keep_base_inputs and self.base_bits != 4:
            yield f"keep_base_inputs is about the products of 4-bit weights, and base_bits is {self.base_bits}"
        if self.checkpoint_every > 1 and self.checkpointing == "none":
            yield f"checkpoint_every is {self.checkpoint_every}, and checkpointing is none: nothing is checkpointed"
        if self.autocast and self.dtype != "float32":
            yield f"autocast computes in bfloat16 from float32 weights, and dtype is {self.dtype} already"
        if self.autocast and self.adapter_dtype not in (None, "float32"):
            yield "autocast computes from float32 weights, and adapter_dtype is bfloat16"
        if self.dtype == "float32" and self.adapter_dtype == "bfloat16":
            yield "adapter_dtype is bfloat16 on weights in float32, which no library does"
        if self.attention == "flash" and self.dtype == "float32" and not self.autocast:
            yield "FlashAttention has no float32: take attention sdpa, or dtype bfloat16"
        if self.master_weights and self.dtype == "float32":
            yield "master_weights are float32 copies of 16-bit weights, and dtype is float32 already"
        if self.devices == 1 and self.shard != "none":
            yield f"shard {self.shard} divides among devices, and devices is 1"
        if self.devices > 1 and self.shard == "none":
            yield f"devices is {self.devices}: say what they divide among them with shard (ddp: nothing)"
        if self.shard in ("zero3", "fsdp") and self.base_bits == 8:
            yield f"{self.shard} cannot divide the 8-bit weights of bitsandbytes"

    @property
    def adapters(self) -> Dtype:
        """Precision of the parameters that a method adds."""
        return self.adapter_dtype or self.dtype

    def differences(self, other: Training) -> dict[str, object]:
        """The fields in which this differs from another, with its own values."""
        return {name: mine for name in type(self).model_fields if (mine := getattr(self, name)) != getattr(other, name)}


SURVEYS = Training()
"""The survey's setting, as far as the survey states it."""
CHOICES: dict[str, tuple[object, ...]] = {
    "dtype": get_args(Dtype), "adapter_dtype": get_args(Dtype),
    "attention": get_args(Attention), "checkpointing": get_args(Checkpointing), "optimizer": get_args(Optimizer),
    "base_bits": get_args(BaseBits), "loss": get_args(Loss), "kernels": get_args(Kernels), "shard": get_args(Shard),
}  # fmt: skip
"""What each field may be, where it is a word of a closed list."""


@dataclass(frozen=True)
class Compute:
    """FLOPs of matrix multiplications of a training step, of all its passes."""

    forward_flops: int
    backward_flops: int
    """With those of blocks that are computed again."""
    percent_of_full_tuning: float
    """Of both together, on the same model and text, with the same checkpointing and loss."""
