"""What a trace counts with: plain numbers, unless somebody wants to know more of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from surveykit.engine.trace.flops import FLOPS


class Counting:
    """Sizes as they are. Those that derive from it give what knows more than one number and adds up like a number; a trace
    never changes what it was given."""

    def stored(self, tensor: Tensor) -> int:
        """Bytes of the storage that a tensor is in."""
        return tensor.untyped_storage().nbytes()

    def numel(self, shape: Sequence[int]) -> int:
        """Numbers in a tensor of a shape."""
        return math.prod(shape)

    def flops(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> int:
        """FLOPs of one call of an operator that multiplies matrices, which returned `out`."""
        return FLOPS.of(func, args, kwargs, out)

    def saved(self, weight: Tensor, held: int, of_entries: Callable[[int], int] | None) -> int:
        """Bytes that a weight takes less than at full width.

        Args:
            held: the bytes that it takes.
            of_entries: what another number of entries would take, held alike; None where their number does not say it.
        """
        return weight.nbytes - held


COUNTING = Counting()
