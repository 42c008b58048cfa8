"""Attention to a learned prompt, beside the model's own and behind a gate that starts closed."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from surveykit.recipes.base import InPeft, Overhead, Parts, Place, Shape
from surveykit.recipes.sites import KeyValueEdit

if TYPE_CHECKING:
    from torch import Tensor


class GatedAttention(KeyValueEdit):
    """LLaMA-Adapter: attention(q, K, V) + gate · softmax(q (prompt W_k)ᵀ / √width) (prompt W_v), before the output matrix.

    `prompt` (length, d_model) goes through the layer's own frozen matrices of keys and values, and is given no position. `gate`
    starts at zero, so training starts at the backbone: (1,) for a layer, or (heads,).

    Source: Zhang et al. 2023 (LLaMA-Adapter), section 3.2, with a gate for each head as in the authors' code; PEFT's
    `peft/tuners/adaption_prompt` has one for a layer.
    """

    size_name: ClassVar[str | None] = "length"
    apart: ClassVar[bool] = True
    costs: ClassVar[frozenset[Overhead]] = frozenset({"input", "gating"})
    peft: ClassVar[InPeft | None] = InPeft(
        "ADAPTION_PROMPT", "AdaptionPromptConfig", "llama-adapter/p10", {"length": ("adapter_len", None)}, targeted=False
    )  # fmt: skip

    kind: Literal["gated_attention"]
    length: int = Field(ge=1)
    """Soft tokens of each layer."""
    gates: Literal["layer", "head"]
    """Whether a layer has one gate or one for each head of queries."""

    def positions_added(self) -> int:
        return self.length

    def tensors(self, place: Place) -> dict[str, Shape]:
        gates = 1 if self.gates == "layer" else place.heads
        return {"prompt": Shape((self.length, place.d_model), "normal"), "gate": Shape((gates,))}

    def key_value(self, parts: Parts, place: Place) -> tuple[Tensor, Tensor]:
        return parts.project("key", parts.prompt), parts.project("value", parts.prompt)

    def gate_value(self, parts: Parts, x: Tensor) -> Tensor | None:
        return parts.gate[:, None, None]  # of (batch, heads, queries, keys)
