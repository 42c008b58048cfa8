"""Several models of one architecture traced at once: the trace of a model whose every dimension has a prime of its own tells
what each size is the product of, and so what it is in all of them.

Only T5's, of which the catalog traces six. Where a size is no such product, or what a recipe puts on one of the models is
not what the primes say, each model is traced by itself.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils._pytree import tree_map

from surveykit.catalog.training import SURVEYS, Training
from surveykit.engine.edits.attach import Attached
from surveykit.engine.models.model import Blueprint, Instance
from surveykit.engine.trace.costs import (
    TARGET_LENGTH,
    Costs,
    InferenceCost,
    Step,
    TrainingCost,
    carried_passes,
    carried_step,
    every_layer_alike,
    training_cost,
)
from surveykit.engine.trace.counting import Counting
from surveykit.engine.trace.extrapolation import NotAffineError
from surveykit.engine.trace.flops import FLOPS
from surveykit.engine.trace.inputs import inference_length
from surveykit.engine.trace.memory import Moment
from surveykit.engine.trace.meta_op_cache import case
from surveykit.engine.trace.sized import LARGEST_CONSTANT, Dimensions, UnknownSizeError, stored_shape
from surveykit.engine.trace.step import StepTrace
from surveykit.errors import RecipeError
from surveykit.recipes import Recipe, Stage

if TYPE_CHECKING:
    from surveykit.catalog.settings import Traced

Found = TypeVar("Found")
Numbers = NDArray[np.int64]
"""A size in each of the models."""
_FIELDS = {"d_model": "h", "d_ff": "f", "d_kv": "hd", "num_heads": "kv", "vocab_size": "v"}
"""Dimensions of T5 by the fields of its configuration."""
LENGTHS = {"l": 14737, "t": 13691}
"""Positions of the text and of the target: enough for nothing that is made of them to be looked into."""
SIZES = {
    "h": 256 * 1009, "hd": 256 * 1013, "kv": 67, "f": 256 * 131101, "v": 64 * 1019, "b": 37, **LENGTHS,
}  # fmt: skip
"""In the order that T5's have: no width of the model is above that of its attention, and that not above the feed-forward's."""
LARGEST = 2.0**56
"""Numbers in a tensor of a model, or bytes."""
_OF_A_DEPTH = ("num_layers", "num_decoder_layers", "_name_or_path", "name_or_path")


class Row(Counting):
    """Counts in all models at once. A row of numbers adds up like a number, which is all that a trace asks of it; the checker
    of types is told so where a method of `Counting` promises a single one.

    Args:
        models: dimensions of each, by name.

    Raises (from every method):
        UnknownSizeError: a size is no product of the dimensions, or none in one of the models, or larger than any may be.
    """

    def __init__(self, dimensions: Dimensions, models: Sequence[Mapping[str, int]]) -> None:
        self._dimensions = dimensions
        self._models = models
        self._extents: dict[int, Numbers] = {}
        self._numbers: dict[tuple[int, ...], Numbers] = {}
        self._flops: dict[Any, Numbers] = {}

    def stored(self, tensor: Tensor) -> Numbers:  # type: ignore[override]
        return self.numel((*stored_shape(tensor), tensor.itemsize))

    def numel(self, shape: Sequence[int]) -> Numbers:  # type: ignore[override]
        key = tuple(shape)
        if key not in self._numbers:
            number = np.ones(len(self._models), dtype=np.int64)
            for extent in key:
                number = number * self.extent(extent)
            if key and math.prod(map(float, map(max, map(self.extent, key)))) > LARGEST:  # may not fit into 64 bits
                raise UnknownSizeError(key)
            number.flags.writeable = False
            self._numbers[key] = number
        return self._numbers[key]

    def flops(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> Numbers | None:  # type: ignore[override]
        formula = FLOPS.formula(func)
        if formula is None:
            return None
        key = case(func, args, kwargs)
        if key is None:
            raise UnknownSizeError(func)
        if key not in self._flops:
            counts = []
            for i in range(len(self._models)):
                shaped = tree_map(
                    lambda v, i=i: self.shape(v.shape, i) if isinstance(v, Tensor) else v, (args, kwargs, out)
                )
                counts.append(formula(*shaped[0], **shaped[1], out_val=shaped[2]))
            self._flops[key] = np.array(counts, dtype=np.int64)
        return self._flops[key]

    def saved(self, weight: Tensor, held: int, of_entries: Callable[[int], int] | None) -> Numbers:  # type: ignore[override]
        if of_entries is None:
            raise UnknownSizeError(weight.shape)
        entries = self.numel(weight.shape)
        less: Numbers = entries * weight.itemsize - np.array([of_entries(int(number)) for number in entries])
        return less

    def extent(self, extent: int) -> Numbers:
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
            self._extents[extent] = np.array(row, dtype=np.int64)
        return self._extents[extent]

    def shape(self, shape: Sequence[int], model: int) -> torch.Size:
        """What a shape is in one of the models."""
        return torch.Size([int(self.extent(extent)[model]) for extent in shape])


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
        self._counting: dict[tuple[tuple[tuple[str, int], ...], ...], Costs] = {}

    def figures(self, recipe: Recipe, settings: Sequence[Traced]) -> list[Figures | None]:
        """Trace a recipe in the settings of each model; None of one on which it has to be traced by itself."""
        nothing: list[Figures | None] = [None] * len(self._models)
        trainings = settings[0].trainings
        if any(edit.compares_sizes for stage in recipe.stages for edit in stage.edits):
            return nothing
        if any(stage.optimizer for stage in recipe.stages) and not self._of_lengths:
            return nothing  # they may go by which side of a matrix is longer
        if not all(_plain(training) for training in trainings) or len({traced.trainings for traced in settings}) > 1:
            return nothing
        try:
            fits = [self._fits(stage) for stage in recipe.stages]
            fit = [i for i, of_model in enumerate(zip(*fits, strict=True)) if all(of_model)]
            if sum(len(settings[i].lengths) for i in fit) < 2:  # by itself it is traced as fast
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
            found.append(
                (model.grows_evenly or model.depth == depth) and _tensors(model.instance(depth), stage) == as_said
            )
        return found

    def _passes(self, stage: Stage, models: Sequence[Costs]) -> list[InferenceCost]:
        texts = [{"l": inference_length(model.instance(model.depth)), "t": TARGET_LENGTH, "b": 1} for model in models]
        costs = self._counted([{**_dimensions(model), **text} for model, text in zip(models, texts, strict=True)])
        at = partial(costs.deployed, stage, length=LENGTHS["l"], target=LENGTHS["t"])
        found: dict[int, InferenceCost] = {}
        for passes, of in _at_depths(costs, at, carried_passes if stage.depth_uniform else None, models):
            cost = InferenceCost(*passes.bare, passes.beside, passes.merged)
            found |= {i: _of_one(cost, i) for i in of}
        return [found[i] for i in range(len(models))]

    def _steps(self, stages: Sequence[Stage], models: Sequence[tuple[Costs, Traced]]) -> list[list[list[TrainingCost]]]:
        found: dict[tuple[Costs, int, Training], list[TrainingCost]] = {}
        every = [(model, traced, length) for model, traced in models for length in traced.lengths]
        for alone in (True, False):  # a batch of one is laid out otherwise: what is turned around in it is not copied
            of_these = [one for one in every if (one[1].batch == 1) == alone]
            for training in models[0][1].trainings if of_these else ():
                for stage in stages:
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
        costs = self._counted([
            {**_dimensions(model), "b": traced.batch, "l": length, "t": traced.target_length}
            for model, traced, length in models
        ])  # fmt: skip

        def at(instance: Instance) -> Step:
            step = costs.step(stage, batch, LENGTHS["l"], LENGTHS["t"], training, instance)
            return step._replace(trace=_optimized(step.trace, len(models)))

        found: dict[int, TrainingCost] = {}
        carry = carried_step if every_layer_alike(stage, training) else None
        for step, of in _at_depths(costs, at, carry, [model for model, _, _ in models]):
            highest = {name: highest_of_each(found, len(models)) for name, found in step.trace.moments.items()}
            for i in of:
                moments = {name: [of_all[i]] for name, of_all in highest.items()}
                trace = replace(_of_one(replace(step.trace, moments={}), i), moments=moments)
                found[i] = training_cost(Step(trace, _of_one(step.backprop, i), step.units), training)
        return [found[i] for i in range(len(models))]

    def _counted(self, models: Sequence[Mapping[str, int]]) -> Costs:
        """Costs that count in models of the given dimensions."""
        key = tuple(tuple(model.items()) for model in models)
        if key not in self._counting:
            self._counting[key] = self._primes.counting_with(Row(self._dimensions, models))
        return self._counting[key]


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
        tensors = (*instance.model.parameters(), *instance.model.buffers())
        return [(tensor.shape, tensor.requires_grad) for tensor in tensors]


def _at_depths(
    costs: Costs,
    at: Callable[[Instance], Found],
    carry: Callable[[Found, Found, tuple[int, int], Any], Found] | None,
    models: Sequence[Costs],
) -> Iterator[tuple[Found, Sequence[int]]]:
    """What is found at the depth of each model, and of which models it is true, by their numbers.

    Args:
        carry: takes what is found at two depths to others; without it each depth is looked at.
    """
    if carry is not None:
        low, high = (at(costs.instance(depth)) for depth in costs.depths)
        yield carry(low, high, costs.depths, np.array([model.depth for model in models])), range(len(models))
        return
    for depth in {model.depth for model in models}:
        yield at(costs.instance(depth)), [i for i, model in enumerate(models) if model.depth == depth]


def _optimized(trace: StepTrace, models: int) -> StepTrace:
    """The trace with the highest moment of its optimizer alone, which is another one in each model."""
    moments = dict(trace.moments)
    if "optimizer" in moments:
        highest = highest_of_each(moments["optimizer"], models)
        moments["optimizer"] = [Moment._make(map(np.array, zip(*highest, strict=True)))]
    return replace(trace, moments=moments)


def highest_of_each(moments: Sequence[Moment], models: int) -> list[Moment]:
    """Of moments in several models, that with most live bytes in each."""
    totals = np.stack([moment.total + np.zeros(models, dtype=np.int64) for moment in moments])
    return [Moment(*(_of_one(part, i) for part in moments[at])) for i, at in enumerate(totals.argmax(axis=0))]


def _of_one(figures: Any, model: int) -> Any:
    """Figures of several models (a record of them, which may hold others) in one."""
    if isinstance(figures, np.ndarray):
        return int(figures[model])
    if is_dataclass(figures) and not isinstance(figures, type):
        return replace(figures, **{f.name: _of_one(getattr(figures, f.name), model) for f in fields(figures) if f.init})
    return figures
