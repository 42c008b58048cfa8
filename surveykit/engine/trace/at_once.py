"""Several models of one architecture traced at once: the trace of a model whose every dimension has a prime of its own tells
what each size is the product of, and so what it is in all of them.

Only T5's, of which the catalog traces six. Where a size is no such product, or what a recipe puts on one of the models is
not what the primes say, each model is traced by itself.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch

from surveykit.catalog.training import SURVEYS, Training
from surveykit.engine.edits.attach import Attached
from surveykit.engine.models.model import Blueprint, Instance
from surveykit.engine.models.walk import tensors_of
from surveykit.engine.trace.backprop import Backprop
from surveykit.engine.trace.costs import (
    Costs,
    InferenceCost,
    Step,
    TrainingCost,
    every_layer_alike,
    training_cost,
)
from surveykit.engine.trace.extrapolation import Line, NotAffineError, highest_of_each, lined_up
from surveykit.engine.trace.inference import Inference
from surveykit.engine.trace.inputs import inference_length
from surveykit.engine.trace.memory import Moment
from surveykit.engine.trace.several import Numbers, Row
from surveykit.engine.trace.sized import LARGEST_CONSTANT, Dimensions, UnknownSizeError
from surveykit.engine.trace.step import StepTrace
from surveykit.errors import RecipeError
from surveykit.recipes import Recipe, Stage

if TYPE_CHECKING:
    from surveykit.catalog.settings import Traced

Found = TypeVar("Found")
_FIELDS = {"d_model": "h", "d_ff": "f", "d_kv": "hd", "num_heads": "kv", "vocab_size": "v"}
"""Dimensions of T5 by the fields of its configuration."""
LENGTHS = {"l": 14737, "t": 13691}
"""Positions of the text and of the target: enough for nothing that is made of them to be looked into."""
SIZES = {
    "h": 256 * 1009, "hd": 256 * 1013, "kv": 67, "f": 256 * 131101, "v": 64 * 1019, "b": 37, **LENGTHS,
}  # fmt: skip
"""In the order that T5's have: no width of the model is above that of its attention, and that not above the feed-forward's."""
_OF_A_DEPTH = ("num_layers", "num_decoder_layers", "_name_or_path", "name_or_path")


@dataclass(frozen=True)
class Figures:
    """What is traced of a recipe on one model."""

    inference: InferenceCost
    steps: list[list[TrainingCost]]
    """By length and precision, of each stage."""


def figures_of(recipe: Recipe, costs: Costs, traced: Traced) -> Figures:
    """Trace a recipe on one model.

    Raises:
        SurveyError: it does not fit the model or cannot run on it.
    """
    inference = costs.inference(recipe)
    steps = [
        [costs.training(stage, traced.batch, length, traced.target_length, training) for stage in recipe.stages]
        for length in traced.lengths
        for training in traced.trainings
    ]
    return Figures(inference, steps)


class AtOnce:
    """Models that differ in their dimensions and depths alone.

    Args:
        models: costs on each.
        sizes: what is told apart by primes: all that models differ in, or of one model the lengths of its texts.
    """

    def __init__(self, models: Sequence[Costs], sizes: Mapping[str, int] = SIZES) -> None:
        self._models = models
        self._sizes = sizes
        self._of_lengths = sizes is LENGTHS
        self._dimensions = Dimensions(sizes, math.inf if self._of_lengths else LARGEST_CONSTANT)
        self._primes = models[0] if self._of_lengths else Costs(_of_primes(models[0].blueprint))
        self._counting: dict[tuple[tuple[tuple[str, int], ...], ...], tuple[Row, Costs]] = {}
        self._derivable: dict[int, bool] = {}
        """By stage of the recipe that is traced: whether the shallower of two steps can be derived from the deeper."""

    def figures(self, recipe: Recipe, settings: Sequence[Traced]) -> list[Figures | None]:
        """Trace a recipe in the settings of each model; None of one on which it has to be traced by itself."""
        self._derivable.clear()
        nothing: list[Figures | None] = [None] * len(self._models)
        trainings = settings[0].trainings
        if not all(_plain(training) for training in trainings) or len({traced.trainings for traced in settings}) > 1:
            return nothing
        try:
            fits = [self._fits(stage) for stage in recipe.stages]
            compared = max((edit.positions_compared() for stage in recipe.stages for edit in stage.edits), default=0)
            fits.append([min(texts) > compared for texts in self._texts(settings)])
            fit = [i for i, of_model in enumerate(zip(*fits, strict=True)) if all(of_model)]
            if not fit:
                return nothing
            of_fit = [self._models[i] for i in fit]
            passes = (
                [m.inference(recipe) for m in of_fit] if self._of_lengths else self._passes(recipe.stages[-1], of_fit)
            )
            steps = self._steps(recipe.stages, [(self._models[i], settings[i]) for i in fit])
        except (UnknownSizeError, RecipeError, NotAffineError):  # each says by itself what is the matter with it
            return nothing
        found = dict(zip(fit, map(Figures, passes, steps), strict=True))
        return [found.get(i) for i in range(len(self._models))]

    def _texts(self, settings: Sequence[Traced]) -> list[list[int]]:
        """Lengths of the texts on each model that the primes stand for."""
        targets = {traced.target_length for traced in settings}
        apart = targets if len(targets) > 1 else ()
        return [
            [*traced.lengths, *apart, inference_length(model.instance(model.depth))]
            for model, traced in zip(self._models, settings, strict=True)
        ]

    def _fits(self, stage: Stage) -> list[bool]:
        """On which models all tensors, with the stage on it, have the shapes that the primes say."""
        if self._of_lengths:
            return [True] * len(self._models)
        said: dict[int, list[tuple[torch.Size, bool]]] = {}
        found = []
        for model in self._models:
            depth = model.depths[1] if stage.depth_uniform else model.depth
            if depth not in said:
                said[depth] = _tensors(self._primes.instance(depth), stage)
            row = Row(self._dimensions, [_dimensions(model)])
            as_said = [(row.shape(shape, 0), trained) for shape, trained in said[depth]]
            one = 1 in _dimensions(model).values()  # what is turned around in a dimension of one is not copied
            known = not one and (model.grows_evenly or model.depth == depth)
            found.append(known and _tensors(model.instance(depth), stage) == as_said)
        return found

    def _passes(self, stage: Stage, models: Sequence[Costs]) -> list[InferenceCost]:
        texts = [{"l": inference_length(model.instance(model.depth)), "b": 1} for model in models]
        row, costs = self._counted([{**_dimensions(model), **text} for model, text in zip(models, texts, strict=True)])
        at = partial(costs.deployed, stage, length=LENGTHS["l"])
        found: dict[int, InferenceCost] = {}
        for passes, line, of in _at_depths(costs, at, stage.depth_uniform, models):
            bare = [line(*row.unpacked(numbers)) for numbers in zip(*(each.bare for each in passes), strict=True)]
            beside = row.of_each([each.beside for each in passes], line)
            merged = row.of_each([each.merged for each in passes], line)
            for i in of:
                flops, elementwise = (int(number[i]) for number in bare)
                found[i] = InferenceCost(flops, elementwise, Inference(**beside[i]), Inference(**merged[i]))
        return [found[i] for i in range(len(models))]

    def _steps(self, stages: Sequence[Stage], models: Sequence[tuple[Costs, Traced]]) -> list[list[list[TrainingCost]]]:
        found: dict[tuple[Costs, int, Training], list[TrainingCost]] = {}
        every = [(model, traced, length) for model, traced in models for length in traced.lengths]
        for training in models[0][1].trainings:
            for alone in (True, False):  # in a batch of one, what is turned around is not copied
                of_these = [one for one in every if (one[1].batch == 1) == alone]
                for stage in stages if of_these else ():
                    batch = 1 if alone else self._sizes.get("b", of_these[0][1].batch)
                    steps = self._step(stage, of_these, batch, training)
                    for (model, _, length), step in zip(of_these, steps, strict=True):
                        found.setdefault((model, length, training), []).append(step)
        return [
            [found[model, length, training] for length in traced.lengths for training in traced.trainings]
            for model, traced in models
        ]

    def _step(
        self, stage: Stage, models: Sequence[tuple[Costs, Traced, int]], batch: int, training: Training
    ) -> list[TrainingCost]:
        targets = {traced.target_length for _, traced, _ in models}
        target = LENGTHS["t"] if len(targets) > 1 else targets.pop()
        row, costs = self._counted([
            {**_dimensions(model), "b": traced.batch, "l": length, "t": traced.target_length}
            for model, traced, length in models
        ])  # fmt: skip
        at = partial(costs.step, stage, batch, LENGTHS["l"], target, training)

        def pair() -> tuple[Step, Step]:
            return self._pair(costs, at, stage, training)

        def read(*, alike: bool) -> list[TrainingCost]:
            found: dict[int, TrainingCost] = {}
            of_each = [model for model, _, _ in models]
            for steps, line, of in _at_depths(costs, at, alike, of_each, pair):
                found |= {i: training_cost(step, training) for i, step in _of_each(row, steps, line, of)}
            return [found[i] for i in range(len(models))]

        grows = not self._of_lengths or self._models[0].grows_evenly  # of several models, `_fits` has seen to it
        if grows and every_layer_alike(stage, training):
            try:
                return read(alike=True)
            except NotAffineError:  # whole depth is slower and always right
                pass
        return read(alike=False)

    def _pair(
        self, costs: Costs, at: Callable[[Instance], Step], stage: Stage, training: Training
    ) -> tuple[Step, Step]:
        """A step at each depth. The shallower is derived from the deeper; the first time of a stage, in the first of its settings,
        it is also traced, and compared: where they differ, it is traced each time."""
        shallow, deep = (costs.instance(depth) for depth in costs.depths)
        high = at(deep)
        low = costs.one_layer_less(stage, training, high) if self._derivable.get(id(stage), True) else None
        if id(stage) not in self._derivable:
            derived, low = low, at(shallow)
            self._derivable[id(stage)] = low == derived
        return at(shallow) if low is None else low, high

    def _counted(self, models: Sequence[Mapping[str, int]]) -> tuple[Row, Costs]:
        """Costs that count in models of the given dimensions, and with what."""
        key = tuple(tuple(model.items()) for model in models)
        if key not in self._counting:
            row = Row(self._dimensions, models)
            self._counting[key] = row, self._primes.counting_with(row)
        return self._counting[key]


def _of_each(
    row: Row, steps: Sequence[Step], line: Callable[..., Numbers], of: Sequence[int]
) -> Iterator[tuple[int, Step]]:
    """The step of each of some models, by their numbers, with the highest moment of each phase or span alone."""
    figures = row.of_each([step.trace for step in steps], line)
    backprop = row.of_each([step.backprop for step in steps], line)
    beside = lined_up(*(step.trace.moments for step in steps), read=row.moments)
    highest = {name: highest_of_each(line(*moments))[0] for name, moments in beside.items()}
    for i in of:
        moments = {name: [Moment(*found[:, i].tolist())] for name, found in highest.items()}
        yield i, Step(StepTrace(**figures[i], moments=moments), Backprop(**backprop[i]), steps[0].units)


def alike(models: Sequence[Blueprint]) -> list[list[int]]:
    """Numbers of the models that can be traced at once, in groups."""
    groups: dict[str, list[int]] = {}
    for i, model in enumerate(models):
        said = model.config.to_dict()
        if said.get("model_type") != "t5":
            continue
        rest = {name: value for name, value in said.items() if name not in (*_FIELDS, *_OF_A_DEPTH)}
        groups.setdefault(repr((model.model_class, model.labels, sorted(rest.items(), key=str))), []).append(i)
    return [*groups.values()]


def _plain(training: Training) -> bool:
    """Whether a step runs as in the survey's setting, in any precision."""
    return training == SURVEYS.model_copy(update={"dtype": training.dtype})


def _of_primes(model: Blueprint) -> Blueprint:
    config = copy.deepcopy(model.config)
    for name, short in _FIELDS.items():
        setattr(config, name, SIZES[short])
    return replace(model, config=config)


def _dimensions(model: Costs) -> dict[str, int]:
    return {short: int(getattr(model.blueprint.config, name)) for name, short in _FIELDS.items()}


def _tensors(instance: Instance, stage: Stage) -> list[tuple[torch.Size, bool]]:
    """Shapes of all tensors of a model with a stage on it, and which are trained."""
    with Attached(instance, stage):
        return [(tensor.shape, tensor.requires_grad) for tensor in tensors_of(instance.model)]


def _at_depths(
    costs: Costs,
    at: Callable[[Instance], Found],
    alike: bool,
    models: Sequence[Costs],
    pair: Callable[[], tuple[Found, Found]] | None = None,
) -> Iterator[tuple[tuple[Found, ...], Callable[..., Numbers], Sequence[int]]]:
    """What is found at two depths or at one, how to read from it what is true of models, and of which, by their numbers.

    Args:
        alike: whether two depths tell about any; else each depth is looked at.
        pair: gives what is found at the two depths.
    """
    if alike:
        line = Line(costs.depths, np.array([model.depth for model in models]))
        found = tuple(at(costs.instance(depth)) for depth in costs.depths) if pair is None else pair()
        yield found, line, range(len(models))
        return
    for depth in {model.depth for model in models}:
        yield (at(costs.instance(depth)),), _as_it_is, [i for i, model in enumerate(models) if model.depth == depth]


def _as_it_is(numbers: Numbers) -> Numbers:
    return numbers
