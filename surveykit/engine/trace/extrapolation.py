"""From two shallow traces to a deep one: every figure of a step is affine in the number of layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from surveykit.engine.trace.layer_marks import FIRST, INNER, LAST
from surveykit.engine.trace.memory import Moment, Moments
from surveykit.engine.trace.step import StepTrace

Array = NDArray[np.int64]
SHALLOWEST = FIRST + LAST
"""Fewest layers per stack in which no layer has two spans. In backward, a layer's last moments depend on the layer before it; with
fewer layers, that would be the first layer, which computes otherwise, and not one of many."""


class NotAffineError(ValueError):
    """Two traces do not say what a deeper model takes."""


def extrapolate(shallow: StepTrace, deep: StepTrace, shallow_depth: int, deep_depth: int, depth: int) -> StepTrace:
    """The trace of a model of `depth` layers per stack, from two traces of fewer that differ in nothing else.

    Raises:
        ValueError: the depths are unfit.
        NotAffineError: the traces are not of one model at two depths.
    """
    line = Line((shallow_depth, deep_depth), depth)
    figures = {
        name: line(getattr(shallow, name), getattr(deep, name))
        for name in (figure.name for figure in fields(StepTrace) if figure.compare and figure.name != "moments")
    }  # fmt: skip
    moments = {
        name: [Moment(*moment) for moment in line(low, high).tolist()]
        for name, (low, high) in lined_up(shallow.moments, deep.moments, read=np.array).items()
    }
    return StepTrace(**figures, moments=moments)


class Line:
    """From what two models take to what another one does.

    Args:
        depths: layers of the two.
        depth: of the other; an array of those of several.

    Raises:
        ValueError: the depths are unfit.
    """

    def __init__(self, depths: tuple[int, int], depth: Any) -> None:
        shallow, deep = depths
        if not SHALLOWEST <= shallow < deep <= np.min(depth):
            raise ValueError(f"needs {SHALLOWEST} ≤ shallow < deep ≤ depth, not {shallow}, {deep}, {depth}")
        self._depths, self._apart, self._further = depths, deep - shallow, depth - shallow

    def __call__(self, low: Any, high: Any) -> Any:
        """A figure of the model, or an array of several, from those of the two.

        Raises:
            NotAffineError: it is not affine in the number of layers.
        """
        change = (high - low) * self._further
        if self._apart > 1 and np.any(change % self._apart):
            raise NotAffineError(f"{low} and {high} at depths {self._depths} are not on an integer line")
        return low + change // self._apart


def lined_up(*traces: Mapping[str, Moments], read: Callable[[Moments], Array]) -> dict[str, list[Array]]:
    """Moments of traces side by side, each as an array, by the name of their phase or span.

    A peak is the highest of many moments; each is affine in depth, the peak is not. So moments are carried over one by one.
    Those of inner layers are left out: they lie between those of the layers next to them. Of the optimizer's the highest
    stands for all: it goes through the parameters one by one, so that their number varies with depth.

    Raises:
        NotAffineError: the traces are not of one model at two depths.
    """
    found: dict[str, list[Array]] = {}
    for name in sorted({*chain(*traces)}):
        if name.endswith(f".{INNER}") and len(traces) > 1:
            continue
        moments = [read(trace[name]) for trace in traces if name in trace]
        if name == "optimizer":
            moments = [*map(highest_of_each, moments)]
        if len(moments) < len(traces) or len({*map(len, moments)}) > 1:
            raise NotAffineError(f"{name} allocates {[*map(len, moments)]} times, not as often at each depth")
        found[name] = moments
    return found


def highest_of_each(moments: Array) -> Array:
    """The moment with most live bytes, alone: (moments, figures) or (moments, figures, models), of each model its own."""
    at = moments[:, :1].argmax(axis=0, keepdims=True)
    return np.take_along_axis(moments, at, axis=0)
