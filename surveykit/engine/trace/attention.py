"""Attention as CUDA runs it, without weights and without CUDA: which kernel, what it keeps, and what it needs meanwhile.

The kernels are FlashAttention 2 and the memory-efficient one of xFormers, as torch has them for GPUs of compute capability
8.0 and more. torch picks by the rules of `can_use_flash_attention` and `can_use_mem_efficient_attention`
(aten/src/ATen/native/transformers/cuda/sdp_utils.cpp), and computes step by step where neither takes the case. On H100 and
B200 torch may take cuDNN's kernel instead, which keeps the same tensors. Their FLOPs are those of whole matrices: neither
what a causal mask nor what a sliding window leaves out is taken off.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import AttentionInterface, PreTrainedModel
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS, AttentionMaskInterface

from surveykit.catalog.training import Attention, Training
from surveykit.engine.models.attention import Implementations
from surveykit.engine.models.model import Instance
from surveykit.errors import SettingError

FLASH = "surveykit_flash"
"""The attention implementation that is transformers' `flash_attention_2` without its package. Some models look for the word
`flash` in the name."""
WIDEST = 256
"""Features of a head that FlashAttention takes."""
_NAMES: dict[Attention, str] = {"eager": "eager", "sdpa": "sdpa", "flash": FLASH}
_aten = torch.ops.aten
_SIXTEEN = (torch.bfloat16, torch.float16)


@contextmanager
def attention_as_on_cuda(instance: Instance, training: Training) -> Iterator[None]:
    """Let a model on meta attend as a setting says and as CUDA does; on the CPU it runs the CPU's own kernels.

    Prefixes that are attached within see it too. A part that cannot, as the codec of a model that speaks, attends as before.

    Raises:
        SettingError: transformers has no such attention for the model; FlashAttention does not take heads so wide.
    """
    attention = training.attention
    if not _supports(instance.model, attention):
        raise SettingError(f"{instance.name}: {_refusal(instance.model, attention)}")
    before, original = Implementations(instance.model), functional.scaled_dot_product_attention

    def attend(
        query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None, *args: Any, **kw: Any
    ) -> Tensor:
        if not query.is_meta:
            return original(query, key, value, attn_mask, *args, **kw)
        if training.autocast:  # which turns what this function is given to 16 bits
            query, key, value, attn_mask = (_narrow(tensor) for tensor in (query, key, value, attn_mask))
        return _attend(original, query, key, value, attn_mask, *args, **kw)

    before.change(lambda part, now: _NAMES[attention] if _supports(part, attention) else now)
    functional.scaled_dot_product_attention = attend
    try:
        yield
    finally:
        functional.scaled_dot_product_attention = original
        before.put_back()


def _supports(part: PreTrainedModel, attention: Attention) -> bool:
    if attention == "flash":  # one that has a FlashAttention of its own, from when it is built, does not come to ours
        return bool(part._supports_flash_attn and part._can_set_attn_implementation())
    return bool(attention == "eager" or part._supports_sdpa)


def _refusal(model: PreTrainedModel, attention: Attention) -> str:
    kind, name = type(model).__name__, "FlashAttention 2" if attention == "flash" else "scaled_dot_product_attention"
    sdpa = "sdpa or --attention " if attention == "flash" and model._supports_sdpa else ""
    if attention == "flash" and model._supports_flash_attn:
        return f"{kind} has a {name} of its own, which runs on GPUs alone: take --attention {sdpa}eager"
    return f"transformers does not run {kind} with {name}: take --attention {sdpa}eager"


def _attend(
    original: Callable[..., Tensor],
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """`scaled_dot_product_attention` with the kernel that CUDA picks."""
    given, sixteen = (query, key, value), query.dtype in _SIXTEEN
    widths = [tensor.shape[-1] for tensor in given]
    plain = all(t.dim() == 4 and t.stride(-1) == 1 and t.shape[0] == query.shape[0] for t in given)
    equal_heads = key.shape[1] == query.shape[1]
    of_flash = mask is None and sixteen and len({*widths}) == 1 and max(widths) <= WIDEST
    if plain and of_flash and (equal_heads or enable_gqa) and not (is_causal and key.shape[2] != query.shape[2]):
        return _flash(query, key, value, dropout_p, is_causal, scale)
    in_rows = widths[0] == widths[1] and not any(width % (8 if sixteen else 4) for width in widths)
    if not (plain and in_rows and equal_heads):
        return original(query, key, value, mask, dropout_p, is_causal, scale=scale, enable_gqa=enable_gqa)
    bias = None if mask is None else _aligned(mask, query, key)
    sums = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in given)
    out: Tensor = _Efficient.apply(query, key, value, bias, sums, dropout_p, is_causal, scale)  # type: ignore[no-untyped-call]
    return out


def _narrow(tensor: Tensor | None) -> Any:
    return tensor.to(torch.bfloat16) if tensor is not None and tensor.dtype is torch.float32 else tensor


def _aligned(mask: Tensor, query: Tensor, key: Tensor) -> Tensor:
    """The mask as numbers to add, in rows of a multiple of 8; of every head and query by expansion, which copies nothing."""
    if mask.dtype is torch.bool:
        mask = torch.where(mask, 0.0, torch.scalar_tensor(-math.inf, dtype=query.dtype, device=query.device))
    if mask.stride(-1) != 1 or any(stride % 8 for stride in mask.stride()[:-1]):
        length = mask.shape[-1]
        mask = functional.pad(mask, (0, 8 - length % 8))[..., :length]
    return mask.expand(*query.shape[:3], key.shape[2])


def _flash(query: Tensor, key: Tensor, value: Tensor, dropout: float, causal: bool, scale: float | None) -> Tensor:
    """FlashAttention, each tensor (batch, heads, positions, features), for heads padded to a multiple of 8 features."""
    width = query.shape[-1]
    if width % 8:
        scale = width**-0.5 if scale is None else scale
        query, key, value = (functional.pad(tensor, (0, 8 - width % 8)) for tensor in (query, key, value))
    out: Tensor = _Flash.apply(query, key, value, dropout, causal, scale)  # type: ignore[no-untyped-call]
    return out[..., :width] if width % 8 else out


def _accumulators(query: Tensor) -> list[Tensor]:
    """What both kernels hold while they work out gradients: that of the queries, and one number a query, in float32.

    The rows are rounded up as in FlashAttention's `mha_bwd`; in the other kernel it depends on the block, and is close.
    """
    batch, heads, length, width = query.shape
    rows, columns = -(-length // 128) * 128, -(-width // 32) * 32
    shapes = ((batch, heads, rows), (batch, rows, heads, columns))
    return [torch.empty(shape, dtype=torch.float32, device=query.device) for shape in shapes]


class _Flash(torch.autograd.Function):
    """FlashAttention: keeps what it is given, the output, and a number in float32 for each query of each head."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, *how: Any) -> Tensor:
        *how_, ctx.scale = how
        out: Tensor
        out, sums, _, _, _, _, *random, _ = _aten._scaled_dot_product_flash_attention(
            query, key, value, *how_, scale=ctx.scale
        )
        ctx.how = how_
        ctx.save_for_backward(query, key, value, out, sums, *random)
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        query, key, value, out, sums, *random = ctx.saved_tensors
        meanwhile = _accumulators(query)
        if key.shape[1] != query.shape[1]:  # a gradient for each head of the queries, summed at the end
            shape = (key.shape[0], key.shape[2], query.shape[1], key.shape[3])
            meanwhile += [torch.empty(shape, dtype=key.dtype, device=key.device) for _ in range(2)]
        found = _aten._scaled_dot_product_flash_attention_backward(
            gradients[0], query, key, value, out, sums, None, None, query.shape[2], key.shape[2], *ctx.how, *random,
            scale=ctx.scale,
        )  # fmt: skip
        del meanwhile
        return (*found, None, None, None)


class _Efficient(torch.autograd.Function):
    """The memory-efficient kernel: keeps the same, and the mask."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None, *how: Any) -> Tensor:
        *how_, ctx.scale = how
        out: Tensor
        out, sums, *random = _aten._scaled_dot_product_efficient_attention(
            query, key, value, bias, *how_, scale=ctx.scale
        )
        ctx.how = how_[1:]
        ctx.save_for_backward(query, key, value, bias, out, sums, *random)
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        query, *further = ctx.saved_tensors
        meanwhile = _accumulators(query)
        dropout, causal = ctx.how
        wanted = [*ctx.needs_input_grad[:4]]
        found = _aten._scaled_dot_product_efficient_attention_backward(
            gradients[0], query, *further, dropout, wanted, causal, scale=ctx.scale
        )
        del meanwhile
        return (*found, None, None, None, None)


def _flash_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    is_causal: bool | None = None,
    **further: Any,
) -> tuple[Tensor, None]:
    """transformers' `flash_attention_2` for a batch without padding: the last query sees all keys, however many there are."""
    width, own = query.shape[-1], value.shape[-1]
    if width > WIDEST:
        raise SettingError(f"FlashAttention has heads of at most {WIDEST} features, not {width}: take --attention sdpa")
    value = functional.pad(value, (0, width - own)) if own != width else value
    if query.dtype is torch.float32:  # under autocast, or after a norm in float32: it has no kernel for that
        query, key, value = (_narrow(tensor) for tensor in (query, key, value))
    causal = getattr(module, "is_causal", True) if is_causal is None else is_causal
    return _flash(query, key, value, dropout, causal, scaling)[..., :own].transpose(1, 2), None


AttentionInterface.register(FLASH, _flash_attention)
AttentionMaskInterface.register(FLASH, ALL_MASK_ATTENTION_FUNCTIONS["flash_attention_2"])
