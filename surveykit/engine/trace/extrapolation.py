"""From two shallow traces to a deep one: every figure of a step is affine in the number of layers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from surveykit.engine.trace.layer_marks import FIRST, INNER, LAST
from surveykit.engine.trace.memory import Moment, Moments, highest
from surveykit.engine.trace.step import StepTrace

SHALLOWEST = FIRST + LAST
"""Fewest layers per stack in which no layer has two spans. In backward, a layer's last moments depend on the layer before it; with
fewer layers, that would be the first layer, which computes otherwise, and not one of many."""


class NotAffineError(ValueError):
    """Two traces do not say what a deeper model takes."""


def extrapolate(shallow: StepTrace, deep: StepTrace, shallow_depth: int, deep_depth: int, depth: int) -> StepTrace:
    """The trace of a model of `depth` layers per stack, from two traces of fewer that differ in nothing else.

    A peak is the highest of many moments; each is affine in depth, the peak is not. So the moments are extrapolated
    one by one. Those of inner layers are left out: they lie between those of the layers next to them. Of the optimizer's
    the highest stands for all: it goes through the parameters one by one, so that their number varies with depth.

    Raises:
        ValueError: the depths are unfit.
        NotAffineError: the traces are not of one model at two depths.
    """
    if not SHALLOWEST <= shallow_depth < deep_depth <= np.min(depth):
        raise ValueError(f"needs {SHALLOWEST} ≤ shallow < deep ≤ depth, not {shallow_depth}, {deep_depth}, {depth}")

    apart, further = deep_depth - shallow_depth, depth - shallow_depth

    def line(low: int, high: int) -> int:
        change, remainder = ((high - low) * further, 0) if apart == 1 else divmod((high - low) * further, apart)
        if remainder:
            raise NotAffineError(
                f"{low} and {high} at depths {shallow_depth} and {deep_depth} are not on an integer line"
            )
        return low + change

    def line_up(low: Mapping[str, Moments], high: Mapping[str, Moments]) -> dict[str, Moments]:
        found: dict[str, Moments] = {}
        for name in sorted(low.keys() | high.keys()):
            if name.endswith(f".{INNER}"):
                continue
            before, after = low.get(name, []), high.get(name, [])
            if name == "optimizer" and before and after:
                before, after = [highest(before)], [highest(after)]
            if len(before) != len(after):
                raise NotAffineError(f"{name} allocates {len(before)} times in one trace and {len(after)} in the other")
            found[name] = [Moment(*map(line, one, other)) for one, other in zip(before, after, strict=True)]
        return found

    return StepTrace(
        resident=line(shallow.resident, deep.resident),
        gradients=line(shallow.gradients, deep.gradients),
        optimizer_state=line(shallow.optimizer_state, deep.optimizer_state),
        saved=line(shallow.saved, deep.saved),
        saved_tensors=line(shallow.saved_tensors, deep.saved_tensors),
        forward_flops=line(shallow.forward_flops, deep.forward_flops),
        backward_flops=line(shallow.backward_flops, deep.backward_flops),
        moments=line_up(shallow.moments, deep.moments),
    )
