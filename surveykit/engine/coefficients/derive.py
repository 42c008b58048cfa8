"""Read formulas from traces: which moments of a step may be its peak, each as a polynomial in the model's dimensions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from surveykit.catalog.training import Training
from surveykit.engine.coefficients.prime_models import BATCH, LENGTH, TARGET, PrimeModel
from surveykit.engine.edits.attach import Attached
from surveykit.engine.trace.costs import Costs
from surveykit.engine.trace.counting import Counting
from surveykit.engine.trace.few_bits import layers_in_few_bits
from surveykit.engine.trace.layer_marks import INNER
from surveykit.engine.trace.memory import Moment, highest
from surveykit.engine.trace.sized import Dimensions, Sized, Terms, added, stored_shape, terms_of
from surveykit.engine.trace.step import StepTrace
from surveykit.errors import SurveyError
from surveykit.recipes import Recipe, Stage

PARTS = ("gradients", "logits", "activations", "working")


@dataclass(frozen=True)
class Reading:
    """A step of a configuration on a model of prime dimensions. Polynomials, in bytes unless it says otherwise."""

    weights: Terms
    state: Terms
    """Of torch's AdamW."""
    gradients: Terms
    moments: tuple[tuple[Terms, Terms, Terms, Terms], ...]
    """What is live beyond weights and state, by the names of `PARTS`, at the moments that may be the peak before the optimizer."""
    optimizer: Terms
    """… while the optimizer steps."""


class Reader:
    """Traces configurations on one model of prime dimensions."""

    def __init__(self, model: PrimeModel) -> None:
        self.model = model
        self.dimensions = model.dimensions
        self._costs = Costs(model.blueprint(), counting=_Measuring(self.dimensions))
        self._line = Line(*model.depths)

    def why_not(self, recipe: Recipe) -> str | None:
        """Why no formula of a recipe can be read; None where one can, as far as the recipe tells."""
        if len(recipe.stages) > 1:
            return "it is trained in several stages"
        stage = recipe.stages[0]
        if not stage.depth_uniform:
            return "it does not treat all layers alike"
        if stage.optimizer is not None:
            return "it has an optimizer of its own"
        return None

    def read(self, stage: Stage, training: Training) -> Reading:
        """Trace a stage in a setting.

        Raises:
            SurveyError: it does not fit the model.
            UnknownSizeError: a size is no product of the model's dimensions.
        """
        low, high = (
            self._costs.step(stage, BATCH, LENGTH, TARGET, training, self._costs.instance(depth)).trace
            for depth in self.model.depths
        )
        few = [self._less(stage, training, depth) for depth in self.model.depths]
        moments = [self._line.of_parts(*pair) for pair in _beyond(low, high)]
        optimizer = self._line.of_parts(
            _live(low, highest(low.moments["optimizer"])), _live(high, highest(high.moments["optimizer"]))
        )
        return Reading(
            weights=added(self._line(terms_of(low.resident), terms_of(high.resident)), self._line(*few), -1.0),
            state=self._line(terms_of(low.optimizer_state), terms_of(high.optimizer_state)),
            gradients=self._line(terms_of(low.gradients), terms_of(high.gradients)),
            moments=tuple(moments),
            optimizer=added(added(added(optimizer[0], optimizer[1]), optimizer[2]), optimizer[3]),
        )  # fmt: skip

    def counts(self, stage: Stage) -> tuple[Terms, Terms]:
        """Numbers of parameters: those that are trained, and those of the bare model."""
        found = []
        for depth in self.model.depths:
            instance = self._costs.instance(depth)
            bare = self._numel(instance.pretrained)
            with Attached(instance, stage):
                trained = {id(p): p for p in instance.model.parameters() if p.requires_grad}
                found.append((self._numel(trained.values()), bare))
        return self._line(found[0][0], found[1][0]), self._line(found[0][1], found[1][1])

    def _numel(self, tensors: Any) -> Terms:
        total: Terms = {}
        for tensor in tensors:
            total = added(total, self.dimensions.sized(tensor.shape, 1).terms)
        return total

    def _less(self, stage: Stage, training: Training, depth: int) -> Terms:
        """What weights of few bits take less than at full width."""
        instance = self._costs.instance(depth)
        total: Terms = {}
        with Attached(instance, stage):
            chosen = {
                id(layer.weight): (layer.weight, held)
                for layer, held in layers_in_few_bits(instance, training, stage).items()
            }
            for weight, held in chosen.values():
                assert isinstance(weight, Tensor)
                kept = weight.itemsize - held.bytes / weight.numel()
                total = added(total, self.dimensions.sized(weight.shape, 1).terms, kept)
        return total


class _Measuring(Counting):
    """Counts bytes with what they are the product of."""

    def __init__(self, dimensions: Dimensions) -> None:
        self._dimensions = dimensions

    def stored(self, tensor: Tensor) -> Sized:
        return self._dimensions.sized(stored_shape(tensor), tensor.itemsize)


Parts = tuple[Terms, Terms, Terms, Terms]


def _beyond(low: StepTrace, high: StepTrace) -> Iterator[tuple[Parts, Parts]]:
    """Moments of forward and backward at both depths; those of inner layers lie between the others."""
    for name in sorted(low.moments.keys() | high.moments.keys()):
        if name == "optimizer" or name.endswith(f".{INNER}"):
            continue
        before, after = low.moments.get(name, []), high.moments.get(name, [])
        if len(before) != len(after):
            raise SurveyError(f"{name} allocates {len(before)} times at one depth and {len(after)} at another")
        in_forward = name.startswith("forward")
        for one, other in zip(before, after, strict=True):
            yield _live(low, one, in_forward), _live(high, other, in_forward)


def _live(trace: StepTrace, moment: Moment, in_forward: bool = False) -> Parts:
    """What is live beyond weights and state. In forward, what is kept is not told from what passes."""
    beyond = added(added(terms_of(moment.total), terms_of(trace.resident), -1.0), terms_of(trace.optimizer_state), -1.0)
    gradients, logits, activations = (terms_of(number) for number in moment[1:])
    rest = added(added(beyond, gradients, -1.0), logits, -1.0)
    if in_forward:
        return gradients, logits, rest, {}
    return gradients, logits, activations, added(rest, activations, -1.0)


@dataclass(frozen=True)
class Line:
    """From two depths to any: every figure is affine in the number of layers."""

    low: int
    high: int

    def __call__(self, low: Terms, high: Terms) -> Terms:
        """A polynomial at both depths as one in the number of layers too."""
        per_layer = {key: factor / (self.high - self.low) for key, factor in added(high, low, -1.0).items()}
        deep = {tuple(sorted((*key, ("n", 1)))): factor for key, factor in per_layer.items()}
        return added(added(low, per_layer, -float(self.low)), deep)

    def of_parts(self, low: Parts, high: Parts) -> Parts:
        """… part by part."""
        a, b, c, d = (self(one, other) for one, other in zip(low, high, strict=True))
        return a, b, c, d
