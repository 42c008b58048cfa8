"""What inference costs: operations of one forward pass, with edits beside the weights and with all that can merged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from surveykit.engine.edits.attach import Attached
from surveykit.engine.edits.hadamard import HADAMARD, written
from surveykit.engine.models.model import Instance
from surveykit.engine.trace.counting import COUNTING, Counting
from surveykit.engine.trace.flops import FLOPS
from surveykit.engine.trace.meta_values import VALUES
from surveykit.recipes.base import OVERHEAD_KINDS
from surveykit.recipes.sites import InputEdit, KeyValueEdit


@dataclass(frozen=True)
class Inference:
    """One forward pass, and what has been put on the backbone for it."""

    flops: int
    """Of matrix multiplications, as torch counts them."""
    elementwise: int
    """Numbers that elementwise operations write: additions, scalings, activations."""
    parameters: int
    """Numbers of the network beyond the backbone's."""
    positions: int
    """Positions added, to an input or to the keys of an attention: the largest."""
    overhead: str
    """Kinds of overhead in canonical form: `none`, `ffn`, `ffn+input`…"""


class _Operations(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts matrix multiplications as FLOPs, and the numbers that elementwise operations write."""

    def __init__(self, counting: Counting) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._counting = counting
        self.flops = self.elementwise = 0

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # as in `memory`

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        out = VALUES.of_operator(func)(args, kwargs or {})
        if FLOPS.formula(func) is not None:
            self.flops = self.flops + self._counting.flops(func, args, kwargs or {}, out)
        elif func is HADAMARD:
            self.elementwise = self.elementwise + self._counting.numel(written(len(out)))
        elif torch.Tag.pointwise in func.tags and isinstance(out, Tensor):
            self.elementwise = self.elementwise + self._counting.numel(out.shape)
        return out


def inference(
    attached: Attached, inputs: Mapping[str, Any], bare: tuple[int, int], counting: Counting = COUNTING
) -> Inference:
    """One forward pass of what is attached now, without gradients.

    Call it after `Attached.merge` for what is left when all that can is merged.

    Args:
        bare: operations of the backbone alone, which is what runs where nothing is left.
    """
    flops, elementwise = operations(attached.instance, inputs, counting) if attached.placed else bare
    edits = {id(placed.edit): placed.edit for placed in attached.placed}.values()
    kinds = frozenset().union(*(edit.overhead() for edit in edits))
    return Inference(
        flops=flops,
        elementwise=elementwise,
        parameters=sum(counting.numel(parameter.shape) for parameter in attached.added()),
        positions=max((e.positions_added() for e in edits if isinstance(e, InputEdit | KeyValueEdit)), default=0),
        overhead="+".join(kind for kind in OVERHEAD_KINDS if kind in kinds) or "none",
    )


def operations(instance: Instance, inputs: Mapping[str, Any], counting: Counting = COUNTING) -> tuple[int, int]:
    """FLOPs of matrix multiplications and elementwise writes of one forward pass."""
    training = instance.model.training
    instance.to_mode(training=False)
    with torch.no_grad(), _Operations(counting) as counted:
        instance.run(inputs)
    instance.to_mode(training=training)
    return counted.flops, counted.elementwise
