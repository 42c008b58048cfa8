"""The CPU's own attention on meta, so that a trace can be held against what the CPU's allocator says."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from surveykit.engine.trace.kernels import in_registers

_math = functional.scaled_dot_product_attention
"""On meta it goes step by step."""
_STEP_BY_STEP = 0
"""What `torch._fused_sdp_choice` calls that."""


@contextmanager
def sdpa_as_on_cpu() -> Iterator[None]:
    """Let `scaled_dot_product_attention` on meta be that of the kernel which torch picks on the CPU."""
    before = functional.scaled_dot_product_attention

    def attend(
        query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None, dropout_p: float = 0.0,
        is_causal: bool = False, scale: float | None = None, enable_gqa: bool = False,
    ) -> Tensor:  # fmt: skip
        how: dict[str, Any] = {"dropout_p": dropout_p, "is_causal": is_causal, "scale": scale}
        with in_registers():
            alike = [_on_cpu(tensor) for tensor in (query, key, value, attn_mask)]
            choice = torch._fused_sdp_choice(*alike, **how, enable_gqa=enable_gqa)  # type: ignore[arg-type]
        if choice == _STEP_BY_STEP:
            return _math(query, key, value, attn_mask, **how, enable_gqa=enable_gqa)
        if attn_mask is not None and attn_mask.dtype is torch.bool:
            lowest = torch.scalar_tensor(-math.inf, dtype=query.dtype, device=query.device)
            attn_mask = torch.where(attn_mask, 0.0, lowest)
        found: Tensor = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
            query, key, value, dropout_p, is_causal, attn_mask=attn_mask, scale=scale
        )[0]
        return found

    functional.scaled_dot_product_attention = attend
    try:
        yield
    finally:
        functional.scaled_dot_product_attention = before


def _on_cpu(tensor: Tensor | None) -> Tensor | None:
    """One like it, which no one writes to, so that it takes no memory."""
    if tensor is None:
        return None
    alike = torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device="cpu")
    return alike.requires_grad_(tensor.requires_grad)
