"""Memory at any batch and length, from traces at one batch and three lengths. Pure.

A trace's memory is a sum of what depends on nothing (weights, gradients, optimizer state, weights that a method writes
out), of what every example brings, and of what it brings for each position (and pair of positions, in attention). Three
lengths determine the dependence on the length exactly. One batch does not say which part of the constant belongs to
the examples: at most what full tuning saves for as many positions as the method adds is taken to.

The peak is in one of three places: in backward, where gradients that are there already meet what is still saved; in
the optimizer, where batch and length do not matter; or, where hardly anything is saved, in forward. Where everything is
trained, backward has two: its start, and the end of the decoder's part, whose gradients are there then.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from surveykit.fit.candidates import MemoryBreakdown

_SAME = 1.002
"""Two peaks this close, at lengths that save different amounts, are the optimizer's."""
_ABOVE = 1.01
_BESIDE = 1.05
"""A peak that lies no further above that of forward is forward's."""
_NEXT_TO_NONE = 0.005
_ALL = 0.9
"""Gradients that are so large a part of the weights mean that everything is trained."""
_NEAR = 1.15
"""A peak so far above the line through the longer lengths is the optimizer's, if it is so near to what it holds."""

Coefficients = tuple[float, float, float]
"""Of 1, length and length²."""


@dataclass(frozen=True)
class Traced:
    """One traced step: bytes of each part in one setting."""

    batch: int
    length: int
    parts: MemoryBreakdown
    peak_any_stage: int
    """Bytes in the stage that needs most; the parts are of the last."""


@dataclass(frozen=True)
class Known:
    """What the traces themselves do not say."""

    positions: int
    """That the method adds to an input or to keys."""
    logits: int
    """Bytes that the logits of one example and their gradients take."""
    gradients: int
    """Bytes of gradients in the stage in which they are most."""
    optimizer: int
    """Bytes of optimizer state in the stage in which it is most."""
    masks: int
    """Bytes of the masks on what is trained."""
    largest: int
    """Bytes of the largest pretrained matrix."""
    decoder: int
    """Bytes of the gradients of the decoder and the embedding, where everything is trained."""
    crossing: int
    """Bytes that the decoder saves for each position of an example's input: keys and values of cross-attention."""
    forward: Coefficients = (0.0, 0.0, 0.0)
    """Bytes that one example takes for a while in any forward pass, whatever is saved; see `passing`."""

    def optimizer_peak(self, parts: MemoryBreakdown) -> float:
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


_NOTHING = Curve(0.0, (0.0, 0.0, 0.0))


@dataclass(frozen=True)
class Scaling:
    """Predicts a configuration's memory on one backbone in one width of numbers."""

    weights: int
    gradients: int
    optimizer: int
    saved: Curve
    backward: Curve
    """What the peak of backward holds beyond weights, optimizer state and `saved`."""
    between: Curve
    """What is held beyond weights and optimizer state in forward or, where everything is trained, when the decoder's
    part of backward ends."""
    floor: float
    """The optimizer's peak."""
    earlier: Scaling | None = None
    """Of an earlier stage, where one needs more than the last."""

    def numbers(self) -> tuple[float, ...]:
        """All of it in a row: three parts, the floor, four numbers of each of three curves; then the same of an earlier
        stage, where there is one."""
        curves = (self.saved, self.backward, self.between)
        numbers = [number for curve in curves for number in (curve.fixed, *curve.example)]
        own = (self.weights, self.gradients, self.optimizer, self.floor, *numbers)
        return own if self.earlier is None else (*own, *self.earlier.numbers())

    @classmethod
    def of(cls, n: Sequence[float]) -> Scaling:
        """The inverse of `numbers`."""
        saved, backward, between = (Curve(n[i], (n[i + 1], n[i + 2], n[i + 3])) for i in (4, 8, 12))
        earlier = cls.of(n[16:]) if len(n) > 16 else None
        return cls(round(n[0]), round(n[1]), round(n[2]), saved, backward, between, n[3], earlier)

    def rounded(self) -> Scaling:
        """To seven significant digits: what a page carries."""
        return Scaling.of([float(f"{number:.7g}") for number in self.numbers()])

    def at(self, batch: int, length: int) -> MemoryBreakdown:
        """The parts at a batch and a length, of the stage that needs most."""
        saved = max(0.0, self.saved.at(batch, length))
        held = self.weights + self.optimizer
        backward = held + saved + self.backward.at(batch, length)
        between = held + self.between.at(batch, length)
        peak = round(max(self.floor, backward, between))
        own = MemoryBreakdown(self.weights, self.gradients, self.optimizer, round(saved), peak)
        earlier = None if self.earlier is None else self.earlier.at(batch, length)
        return own if earlier is None or earlier.peak <= own.peak else earlier


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
    between = Curve(0.0, known.forward)
    if last.gradients >= last.weights * _ALL:
        backward = Curve(float(known.masks), (float(known.logits), 0.0, 0.0))
        freed = _sum(saved.example, (-saved.example[0], -float(known.crossing), 0.0))  # what length 0 saves is its own
        between = Curve(saved.fixed + known.masks + known.decoder, freed)
    own = Scaling(last.weights, last.gradients, last.optimizer, saved, backward, between, floor)
    if all(p.peak_any_stage == p.parts.peak for p in points):
        return own
    if [p.peak_any_stage for p in points] == [p.peak_any_stage for p in reference]:
        return replace(own, earlier=scaling(full, full, replace(known, positions=0, masks=0)))
    whole = _curve(_through(lengths, [p.peak_any_stage for p in points]), batch, saved.example[0])
    least = last.weights + known.gradients + known.optimizer + known.beside(known.gradients)
    weights = reference[-1].parts.weights  # what the earlier stage adds to them is not known apart, and counts as saved
    whole = replace(whole, fixed=whole.fixed - weights - known.optimizer)
    earlier = Scaling(weights, known.gradients, known.optimizer, whole, _NOTHING, _NOTHING, float(least))
    return replace(own, earlier=earlier)


def passing(traced: Iterable[Sequence[Traced]]) -> Coefficients:
    """What any forward pass of a backbone takes for a while: the least that is beside weights and optimizer state among
    all configurations that have next to no gradients. One of them saves next to nothing, as it runs beside a backbone
    without gradients.

    Args:
        traced: three traces of each configuration.
    """
    least: list[float] = []
    lengths: list[int] = []
    batch = 1
    for some in traced:
        points, batch = _three(some)
        if all(p.parts.gradients <= p.parts.weights * _NEXT_TO_NONE for p in points):
            beside = [float(p.parts.peak - p.parts.weights - p.parts.optimizer) for p in points]
            least = [min(a, b) for a, b in zip(least, beside, strict=True)] if least else beside
            lengths = [p.length for p in points]
    if not least:
        return (0.0, 0.0, 0.0)
    constant, linear, square = _through(lengths, least)
    return (max(0.0, constant) / batch, linear / batch, square / batch)


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
    floor = min(known.optimizer_peak(parts), float(min(peaks)))
    if peaks[2] <= peaks[0] * _SAME:  # the optimizer's at every length: backward's lies below
        whole: Coefficients = (beyond[2], 0.0, 0.0)
        floor = float(peaks[2])
    elif peaks[1] <= peaks[0] * _SAME:  # at two lengths; at the third it is backward's, unless it is forward's
        forward = parts.weights + parts.optimizer + batch * _value(known.forward, lengths[2])
        whole = (beyond[1] if forward * _BESIDE > peaks[2] else beyond[2], 0.0, 0.0)
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


def _sum(a: Coefficients, b: Coefficients) -> Coefficients:
    return (a[0] + b[0], a[1] + b[1], a[2] + b[2])


def _value(coefficients: Coefficients, length: float) -> float:
    constant, linear, square = coefficients
    return constant + linear * length + square * length**2
