"""FLOPs of matrix multiplications, by the formulas of `torch.utils.flop_counter`; elementwise operators count 0.

Attention counts as the product of whole matrices in every implementation: a kernel that leaves out what a causal mask hides
is not credited with it, so that eager and fused attention compare. A fused kernel computes the scores again in backward.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from surveykit.engine.trace.meta_op_cache import case


def _grouped(one: torch.Size, other: torch.Size, *args: Any, out_shape: Any = None, **kwargs: Any) -> int:
    """Of the product of experts: one matrix for each group of rows, of columns, or of what is summed over."""
    groups = one[0] if len(one) == len(other) == 3 else 1
    return 2 * groups * one[-2] * one[-1] * other[-1]


def _attended(query: torch.Size, key: torch.Size, value: torch.Size, *args: Any, **kwargs: Any) -> int:
    """Scores, and what is read by them. Heads of keys may be shared by several of queries, which torch before 2.13 refuses."""
    batch, heads, length, width = query
    return 2 * batch * heads * length * key[2] * (width + value[3])


def _attended_backward(
    gradient: torch.Size, query: torch.Size, key: torch.Size, value: torch.Size, *args: Any, **kwargs: Any
) -> int:
    """The scores once more; the gradients of scores and values; those of queries and keys."""
    batch, heads, length, width = query
    return 2 * batch * heads * length * key[2] * (3 * width + 2 * value[3])


_aten = torch.ops.aten
_BESIDE = {
    _aten._grouped_mm: _grouped,
    _aten._scaled_dot_product_flash_attention: _attended,
    _aten._scaled_dot_product_efficient_attention: _attended,
    _aten._scaled_dot_product_flash_attention_backward: _attended_backward,
    _aten._scaled_dot_product_efficient_attention_backward: _attended_backward,
}
"""Formulas that torch lacks, or that it lacked in versions that we support."""


class Flops:
    """Counts operator by operator. Torch's formulas walk through all arguments, so each case is worked out once."""

    def __init__(self) -> None:
        self._formulas: Mapping[Any, Callable[..., int]] = FlopCounterMode(
            display=False, custom_mapping=_BESIDE
        ).flop_registry
        self._of: dict[int, Callable[..., int] | None] = {}
        self._known: dict[Any, int] = {}

    def formula(self, func: Any) -> Callable[..., int] | None:
        """That of an operator, which takes shapes for tensors; None for one that multiplies no matrices."""
        try:
            return self._of[id(func)]
        except KeyError:
            formula = self._of[id(func)] = self._formulas.get(func._overloadpacket)
            return formula

    def of(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> int:
        """FLOPs of one call of an operator that has a formula, which returned `out`."""
        formula = self.formula(func)
        assert formula is not None
        key = id(func), case(args, kwargs)
        known = self._known.get(key)
        if known is None:
            known = formula(*args, **kwargs, out_val=out)
            if key[1] is not None:
                self._known[key] = known
        return known


FLOPS = Flops()
"""One for all traces of a process: they repeat each other's cases."""
