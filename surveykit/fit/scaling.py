"""Memory at any batch and length, from traces at one batch and three lengths. Pure.

A trace's memory is a sum of what depends on nothing (weights, gradients, optimizer state, weights that a method writes
out), of what every example brings, and of what it brings for each position (and pair of positions, in attention). Three
lengths determine the dependence on the length exactly. One batch does not say which part of the constant belongs to
the examples: at most what full tuning saves for as many positions as the method adds is taken to.

The peak is in one of two places: in backward, where gradients that are there already meet what is still saved, or in
the optimizer, where batch and length do not matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from surveykit.fit.candidates import Parts

_SAME = 1.002
"""Two peaks this close, at lengths that save different amounts, are the optimizer's."""
_ABOVE = 1.01
_NEAR = 1.15
"""A peak so far above the line through the longer lengths is the optimizer's, if it is so near to what it holds."""

Coefficients = tuple[float, float, float]
"""Of 1, length and length²."""


@dataclass(frozen=True)
class Traced:
    """One traced step: bytes of each part in one setting."""

    batch: int
    length: int
    parts: Parts
    peak_any_stage: int
    """Bytes in the stage that needs most; the parts are of the last."""


@dataclass(frozen=True)
class Known:
    """What the traces themselves do not say."""

    positions: int
    """That the method adds to an input or to keys."""
    logits: int
    """Bytes that the logits of one example and their gradients take."""
    busiest: int
    """Bytes of gradients and optimizer state in the stage in which they are most."""
    masks: int
    """Bytes of the masks on what is trained."""
    largest: int
    """Bytes of the largest pretrained matrix."""

    def optimizer_peak(self, parts: Parts) -> float:
        """An estimate: masks, and the two copies that Adam makes of the largest matrix while it steps."""
        return float(parts.weights + parts.gradients + parts.optimizer + self.masks + self.beside(parts.gradients))

    def beside(self, gradients: int) -> int:
        return 2 * min(gradients, self.largest)


@dataclass(frozen=True)
class Curve:
    """Bytes that do not depend on the batch, and those of one example as a polynomial in the length."""

    fixed: float
    example: Coefficients

    def at(self, batch: int, length: int) -> float:
        return self.fixed + batch * _value(self.example, length)


@dataclass(frozen=True)
class Scaling:
    """Predicts a configuration's memory on one backbone in one width of numbers."""

    weights: int
    gradients: int
    optimizer: int
    saved: Curve
    backward: Curve
    """What the peak of backward holds beyond weights, optimizer state and `saved`."""
    floor: float
    """The optimizer's peak."""
    other_stage: Curve | None
    """Peak of an earlier stage, where one needs more than the last."""
    other_floor: float

    def at(self, batch: int, length: int) -> Parts:
        """The parts at a batch and a length; the peak is that of the stage that needs most."""
        saved = max(0.0, self.saved.at(batch, length))
        peak = max(self.floor, self.weights + self.optimizer + saved + self.backward.at(batch, length))
        if self.other_stage is not None:
            peak = max(peak, self.other_floor, self.other_stage.at(batch, length))
        return Parts(self.weights, self.gradients, self.optimizer, round(saved), round(peak))


def scaling(traced: Sequence[Traced], full: Sequence[Traced], known: Known) -> Scaling:
    """Fit the three traces of a configuration.

    Args:
        traced: at three lengths and one batch.
        full: full tuning's, on the same backbone in the same width.
        known: what else is known of the configuration.

    Raises:
        ValueError: there are not three lengths at one batch.
    """
    points, batch = _three(traced)
    reference, reference_batch = _three(full)
    lengths = [point.length for point in points]
    bound = _value(_through([p.length for p in reference], [p.parts.saved for p in reference]), known.positions)
    an_example = max(0.0, bound) / reference_batch
    last = points[-1].parts
    saved = _curve(_through(lengths, [p.parts.saved for p in points]), batch, an_example)
    floor, backward = _peak(points, batch, known)
    other, other_floor = None, 0.0
    if any(p.peak_any_stage > p.parts.peak for p in points):
        if [p.peak_any_stage for p in points] == [p.peak_any_stage for p in reference] and points != reference:
            whole = scaling(full, full, replace(known, positions=0, masks=0))  # that stage is full tuning
            fixed = whole.weights + whole.optimizer + whole.saved.fixed + whole.backward.fixed
            example = tuple(a + b for a, b in zip(whole.saved.example, whole.backward.example, strict=True))
            other, other_floor = Curve(fixed, example), whole.floor  # type: ignore[arg-type]
        else:
            other = _curve(_through(lengths, [p.peak_any_stage for p in points]), batch, an_example)
            other_floor = float(last.weights + known.busiest + known.beside(known.busiest // 3))
    return Scaling(last.weights, last.gradients, last.optimizer, saved, backward, floor, other, other_floor)


def _three(traced: Sequence[Traced]) -> tuple[list[Traced], int]:
    points = sorted(traced, key=lambda point: point.length)
    if len({p.length for p in points}) != 3 or len(points) != 3 or len({p.batch for p in points}) != 1:
        raise ValueError("three lengths at one batch are needed")
    return points, points[0].batch


def _peak(points: Sequence[Traced], batch: int, known: Known) -> tuple[float, Curve]:
    """The optimizer's peak, and what backward's holds beyond weights, optimizer state and what is saved.

    Of the latter, gradients that are there already do not depend on the batch, and nothing else is taken not to.
    """
    lengths = [p.length for p in points]
    parts, peaks = points[-1].parts, [p.parts.peak for p in points]
    beyond = [float(p.parts.peak - p.parts.weights - p.parts.optimizer - p.parts.saved) for p in points]
    floor = known.optimizer_peak(parts)
    if peaks[2] <= peaks[0] * _SAME:  # the optimizer's at every length: backward's lies below
        whole: Coefficients = (beyond[2], 0.0, 0.0)
        floor = float(peaks[2])
    elif peaks[1] <= peaks[0] * _SAME:  # at two lengths
        whole = (beyond[2], 0.0, 0.0)
        floor = float(peaks[1])
    else:
        slope = (beyond[2] - beyond[1]) / (lengths[2] - lengths[1])
        whole = (beyond[2] - slope * lengths[2], slope, 0.0)
        line = peaks[0] - beyond[0] + _value(whole, lengths[0])
        if line * _ABOVE < peaks[0] < floor * _NEAR and peaks[0] > floor / _NEAR:  # at one
            floor = float(peaks[0])
        else:
            whole = _through(lengths, beyond)
    masks = max(0.0, floor - parts.weights - parts.gradients - parts.optimizer)
    fixed = max(0.0, min(whole[0] - batch * known.logits, parts.gradients + masks))
    return floor, Curve(fixed, ((whole[0] - fixed) / batch, whole[1] / batch, whole[2] / batch))


def _curve(whole: Coefficients, batch: int, an_example: float) -> Curve:
    """Divide a polynomial of a whole batch into what is fixed and what an example brings.

    Args:
        an_example: bytes that an example brings at most at length 0.
    """
    constant = min(whole[0], batch * an_example)
    return Curve(whole[0] - constant, (constant / batch, whole[1] / batch, whole[2] / batch))


def _through(lengths: Sequence[int], values: Sequence[float]) -> Coefficients:
    """The parabola through three points."""
    (x0, x1, x2), (y0, y1, y2) = lengths, values
    first = (y1 - y0) / (x1 - x0)
    second = ((y2 - y1) / (x2 - x1) - first) / (x2 - x0)
    return (y0 - first * x0 + second * x0 * x1, first - second * (x0 + x1), second)


def _value(coefficients: Coefficients, length: float) -> float:
    constant, linear, square = coefficients
    return constant + linear * length + square * length**2
