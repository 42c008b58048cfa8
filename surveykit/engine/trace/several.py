"""Counting in several models at once, by the sizes of one whose dimensions have a prime each."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils._pytree import tree_map

from surveykit.engine.trace.counting import Counting
from surveykit.engine.trace.flops import FLOPS
from surveykit.engine.trace.memory import Moment
from surveykit.engine.trace.meta_op_cache import case
from surveykit.engine.trace.sized import Dimensions, UnknownSizeError, stored_shape

Numbers = NDArray[np.int64]
"""A size in each of the models."""
_LARGEST = 1 << 56
"""Of the numbers or bytes of a tensor, or the FLOPs of an operator, in a model."""
_PLACE = 8
"""Bytes of a model's place in a number that holds one of each."""
_NOT_COUNTED = {"saved_tensors", "positions", "blocks", "blocks_backward", "blocks_input_gradient"}
"""Figures that are the same number in all models: they are not of sizes."""


class Row(Counting):
    """Counts in all models at once: whole numbers that hold one of each model, beside each other like the digits of a number.
    They add up like any, each in its place, as long as none is below 0 in the end or too large for it.

    Args:
        models: dimensions of each, by name.

    Raises (from every method):
        UnknownSizeError: a size is no product of the dimensions, or none in one of the models, or larger than any may be.
    """

    def __init__(self, dimensions: Dimensions, models: Sequence[Mapping[str, int]]) -> None:
        self._dimensions = dimensions
        self._models = models
        self._extents: dict[int, list[int]] = {}
        self._stored: dict[Any, int] = {}
        self._packed: dict[tuple[int, ...], int] = {}
        self._flops: dict[Any, int] = {}

    def stored(self, tensor: Tensor) -> int:
        key = tensor.shape, tensor.dtype, tensor.untyped_storage().nbytes()
        bytes_ = self._stored.get(key)
        if bytes_ is None:
            bytes_ = self._stored[key] = self.numel((*stored_shape(tensor), tensor.itemsize))
        return bytes_

    def numel(self, shape: Sequence[int]) -> int:
        key = tuple(shape)
        packed = self._packed.get(key)
        if packed is None:
            packed = self._packed[key] = pack(self._numels(key))
        return packed

    def flops(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> int:
        formula, known = FLOPS.formula(func), case(args, kwargs)
        if formula is None or known is None:
            raise UnknownSizeError(func)
        key = id(func), known
        if key not in self._flops:
            counts = []
            for i in range(len(self._models)):
                shaped = tree_map(
                    lambda v, i=i: self.shape(v.shape, i) if isinstance(v, Tensor) else v, (args, kwargs, out)
                )
                counts.append(formula(*shaped[0], **shaped[1], out_val=shaped[2]))
            self._flops[key] = pack(counts)
        return self._flops[key]

    def saved(self, weight: Tensor, held: int, of_entries: Callable[[int], int] | None) -> int:
        if of_entries is None:
            raise UnknownSizeError(weight.shape)
        return pack([entries * weight.itemsize - of_entries(entries) for entries in self._numels(weight.shape)])

    def shape(self, shape: Sequence[int], model: int) -> torch.Size:
        """What a shape is in one of the models."""
        return torch.Size([self._extent(extent)[model] for extent in shape])

    def unpacked(self, numbers: Sequence[int]) -> Numbers:
        """What each number is in each model: (numbers, models)."""
        length = _PLACE * len(self._models)
        held = b"".join(number.to_bytes(length, "little") for number in numbers)
        return np.frombuffer(held, dtype=np.int64).reshape(len(numbers), len(self._models))

    def moments(self, moments: Sequence[Moment]) -> Numbers:
        """Moments in each model: (moments, figures, models)."""
        numbers = self.unpacked([number for moment in moments for number in moment])
        return numbers.reshape(len(moments), len(Moment._fields), len(self._models))

    def of_each(self, records: Sequence[Any], line: Callable[..., Numbers]) -> list[dict[str, Any]]:
        """The figures of a record in each model, by name.

        Args:
            records: at each of the depths that were looked at.
            line: reads from a figure at these depths what it is in the models.
        """
        found: dict[str, Sequence[Any]] = {}
        for name in (field.name for field in fields(records[0]) if field.compare and field.name != "moments"):
            values = [getattr(record, name) for record in records]
            if isinstance(values[0], str):
                found[name] = values[:1] * len(self._models)
            else:
                packed = [pack([value] * len(self._models)) for value in values] if name in _NOT_COUNTED else values
                found[name] = line(*self.unpacked(packed)).tolist()
        return [{name: of_all[i] for name, of_all in found.items()} for i in range(len(self._models))]

    def _numels(self, shape: Sequence[int]) -> list[int]:
        extents = [self._extent(extent) for extent in shape]
        return [math.prod(of_one) for of_one in zip(*extents, strict=True)] if extents else [1] * len(self._models)

    def _extent(self, extent: int) -> list[int]:
        """What one extent is in each model."""
        if extent not in self._extents:
            terms = self._dimensions.terms(extent)
            if not {name for key in terms for name, _ in key} <= self._models[0].keys():
                raise UnknownSizeError(extent)
            row = [
                sum(factor * math.prod(sizes[name] ** power for name, power in key) for key, factor in terms.items())
                for sizes in self._models
            ]
            if not all(number == int(number) and (number > 0) == (extent > 0) for number in row):
                raise UnknownSizeError(extent)
            self._extents[extent] = [*map(int, row)]
        return self._extents[extent]


def pack(numbers: Sequence[int]) -> int:
    """One number that holds several.

    Raises:
        UnknownSizeError: one is larger than any may be.
    """
    if max(numbers) > _LARGEST:
        raise UnknownSizeError(numbers)
    return sum(number << (8 * _PLACE * i) for i, number in enumerate(numbers))
