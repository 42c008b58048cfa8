"""What a configuration costs on a backbone: memory of training, backward, inference. On meta: no weights, no GPU.

A recipe that treats all layers alike is traced on the backbone cut to a few layers, twice, and carried over to its
depth; every figure is affine in the number of layers (see `extrapolation`). Other recipes are traced at full depth.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, fields, replace
from functools import cached_property, partial
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch

from surveykit.catalog.training import SURVEYS, Training
from surveykit.engine.edits.attach import Attached
from surveykit.engine.models.model import Blueprint, Instance
from surveykit.engine.models.walk import tensors_of
from surveykit.engine.trace.as_on_cpu import sdpa_as_on_cpu
from surveykit.engine.trace.attention import attention_as_on_cuda
from surveykit.engine.trace.backprop import Backprop, watch_backprop
from surveykit.engine.trace.counting import COUNTING, Counting
from surveykit.engine.trace.extrapolation import SHALLOWEST, Line, NotAffineError, extrapolate
from surveykit.engine.trace.few_bits import few_bits
from surveykit.engine.trace.growth import grows_evenly
from surveykit.engine.trace.inference import Inference, inference, operations
from surveykit.engine.trace.inputs import inference_length, inputs_of
from surveykit.engine.trace.memory import bytes_of
from surveykit.engine.trace.one_layer_less import one_layer_less
from surveykit.engine.trace.optimizer_steps import stepper
from surveykit.engine.trace.shards import Units, on_each_device, units_of
from surveykit.engine.trace.step import Device, StepTrace, trace_step
from surveykit.errors import RecipeError
from surveykit.recipes import Recipe, Stage

Traced = TypeVar("Traced")
Figures = TypeVar("Figures", Backprop, Inference)

DEPTHS = (SHALLOWEST, SHALLOWEST + 1)
"""Layers of each stack at which a recipe that treats them alike is traced."""
TARGET_LENGTH = 8
ROUTING_SEED = 0
"""Stochastic routing draws alike in every trace, so that measuring again gives the same figures."""


@dataclass(frozen=True)
class Parts:
    """Bytes at the moment of the peak, by what they are of; they add up to it."""

    weights: int
    optimizer: int
    gradients: int
    logits: int
    activations: int
    """Kept from forward to backward; all that is neither of the others, where the peak is in forward."""
    working: int
    """What operators need for a while, and gradients of activations."""


@dataclass(frozen=True)
class Memory:
    """Bytes of a training step of one stage."""

    peak: int
    weights: int
    gradients: int
    optimizer: int
    saved: int
    parts: Parts


@dataclass(frozen=True)
class TrainingCost:
    """A training step of one stage in one setting, and how far backward reaches."""

    memory: Memory
    forward_flops: int
    backward_flops: int
    backprop: Backprop


@dataclass(frozen=True)
class InferenceCost:
    """One forward pass of the bare backbone, with edits beside the weights, and with all merged that can be."""

    bare_flops: int
    bare_elementwise: int
    unmerged: Inference
    merged: Inference


class Step(NamedTuple):
    """One trace of a training step."""

    trace: StepTrace
    backprop: Backprop
    units: Units | None
    """None where one device holds everything."""
    traced: StepTrace | None = None
    """The trace without what is added to it; None where it has been carried over."""


class Deployed(NamedTuple):
    """Forward passes of what is left after training."""

    beside: Inference
    merged: Inference
    bare: tuple[int, int]
    """FLOPs and elementwise operations of the bare backbone."""


class Costs:
    """Traces recipes on one backbone. Cut and whole instances are built once.

    Args:
        as_on: whose kernels are followed.
        counting: what is counted with.

    Raises (from every method):
        SurveyError: a recipe does not fit the backbone or cannot run on it, or the backbone cannot be built.
    """

    def __init__(self, blueprint: Blueprint, as_on: Device = "cuda", counting: Counting = COUNTING) -> None:
        self.blueprint = blueprint
        self.depths = DEPTHS
        self._as_on = as_on
        self._counting = counting
        self._instances: dict[int, Instance] = {}
        self._bare: dict[int, tuple[int, int]] = {}
        self._given: dict[tuple[Any, ...], dict[str, Any]] | None = None
        """Inputs that are kept, of a model that is known to write into none; some do."""

    def counting_with(self, counting: Counting) -> Costs:
        """The same on the same instances, of a model that writes into nothing that it reads, with something else to count with."""
        other = copy.copy(self)
        other._counting, other._bare, other._given = counting, {}, {}
        return other

    def training(
        self, stage: Stage, batch: int, length: int, target_length: int = TARGET_LENGTH, training: Training = SURVEYS
    ) -> TrainingCost:
        """A training step of a stage with the optimizer's state live.

        Args:
            batch: sequences on each device.
            length: positions of each.
            target_length: positions of a target, where there is a decoder behind an encoder.
            training: how the step runs.
        """
        at = partial(self.step, stage, batch, length, target_length, training)
        if (pair := self.shallow(at) if every_layer_alike(stage, training) else None) is not None:
            try:
                return training_cost(carried_step(*pair, self.depths, self.depth), training)
            except NotAffineError:  # whole depth is slower and always right
                pass
        return training_cost(at(self.instance(self.depth)), training)

    def step(
        self, stage: Stage, batch: int, length: int, target_length: int, training: Training, instance: Instance
    ) -> Step:
        """A training step on one of the backbone's instances."""
        prepare(instance, training)
        inputs = self._inputs(instance, batch, length, target_length, training.padding)
        with (
            attention_as_on_cuda(instance, training),
            sdpa_as_on_cpu() if self._as_on == "cpu" else nullcontext(),
            self._attached(instance, stage, training) as (attached, saving),
            torch.random.fork_rng(devices=()),
        ):
            torch.manual_seed(ROUTING_SEED)
            instance.to_mode(training=True)
            with watch_backprop(instance, self._counting) as backprop:
                trace = trace_step(
                    instance,
                    inputs,
                    partial(stepper, training, attached),
                    passes=stage.passes,
                    consistency=stage.consistency,
                    training=training,
                    as_on=self._as_on,
                    counting=self._counting,
                )
            whole = self._with_what_is_not_traced(trace, attached, saving)
            return Step(whole, backprop, units_of(instance, training, stage), trace)

    def one_layer_less(self, stage: Stage, training: Training, deep: Step) -> Step | None:
        """The step on the shallower of the two cut instances, read from that on the deeper one (`one_layer_less`); None
        where that does not tell."""
        assert deep.traced is not None, "it has been carried over"
        assert deep.backprop.ends is not None
        instance = self.instance(self.depths[0])
        prepare(instance, training)
        with self._attached(instance, stage, training) as (attached, saving):
            trace = one_layer_less(deep.traced, bytes_of(tensors_of(instance.model), self._counting))
            if trace is None:
                return None
            whole = self._with_what_is_not_traced(trace, attached, saving)
            return Step(whole, deep.backprop.ends, deep.units, trace)

    @contextmanager
    def _attached(self, instance: Instance, stage: Stage, training: Training) -> Iterator[tuple[Attached, int]]:
        """A stage on an instance, and the bytes that weights in few bits take less."""
        adapters = getattr(torch, training.adapters)
        with (
            Attached(
                instance, stage, dtype=adapters, dropout=training.adapter_dropout, copied=training.adapter_copy
            ) as attached,
            few_bits(instance, training, stage, self._counting) as saving,
        ):
            yield attached, saving

    def _inputs(self, instance: Instance, *how: Any) -> dict[str, Any]:
        """What `inputs_of` makes; made once where it is kept."""
        key = instance.model.dtype, *how
        found = self._given.get(key) if self._given is not None else None
        if found is None:
            found = inputs_of(instance, *how)
            if self._given is not None:
                self._given[key] = found
        return found

    def _with_what_is_not_traced(self, trace: StepTrace, attached: Attached, saving: int) -> StepTrace:
        """Masks, importance scores, and what weights of few bits take less."""
        numel = self._counting.numel
        masks = 0 if attached.masked is None else sum(numel(tensor.shape) for tensor in attached.masked.tensors)
        tracked = [
            placed.edit.tracked * numel(parameter.shape) * parameter.itemsize
            for placed in attached.placed if placed.edit.tracked
            for parameter in placed.part.parameters() if parameter.requires_grad
        ]  # fmt: skip
        if attached.masked is None and not tracked and not np.any(saving):
            return trace
        return trace.with_more(weights=-saving, state=sum(tracked), working=masks)

    def inference(self, recipe: Recipe) -> InferenceCost:
        """One forward pass with what is left of the recipe's last stage after training."""
        stage = recipe.stages[-1]
        at = partial(self.deployed, stage)
        pair = self.shallow(at) if stage.depth_uniform else None
        found = at(self.instance(self.depth)) if pair is None else carried_passes(*pair, self.depths, self.depth)
        return InferenceCost(*found.bare, found.beside, found.merged)

    def deployed(
        self, stage: Stage, instance: Instance, length: int | None = None, target: int = TARGET_LENGTH
    ) -> Deployed:
        """Forward passes of one example on one of the backbone's instances.

        Args:
            length: positions of the text; None for those that inference is compared at.
        """
        prepare(instance, SURVEYS)
        instance.to_mode(training=False)
        inputs = self._inputs(instance, 1, length or inference_length(instance), target)
        depth = len(instance.blocks)
        if depth not in self._bare:
            self._bare[depth] = operations(instance, inputs, self._counting)
        with Attached(instance, stage.deployed().model_copy(update={"train": (), "train_everything": False})) as kept:
            beside = inference(kept, inputs, self._bare[depth], self._counting)
            kept.merge()
            merged = inference(kept, inputs, self._bare[depth], self._counting) if kept.merged else beside
            return Deployed(beside, merged, self._bare[depth])

    @property
    def depth(self) -> int:
        """Blocks of the deepest stack."""
        return max(self.blueprint.depths.values())

    def shallow(self, at: Callable[[Instance], Traced]) -> tuple[Traced, Traced] | None:
        """Traces of the model with few layers; None where they do not tell what the whole one costs."""
        if not self.grows_evenly:
            return None
        try:
            low, high = (at(self.instance(depth)) for depth in self.depths)
        except RecipeError:  # some models do not run with few layers; what no depth takes, the whole one refuses
            return None
        return low, high

    @cached_property
    def grows_evenly(self) -> bool:
        """Whether the whole model is the shallow one with more layers like the one by which the two shallow ones differ."""
        depths = {*self.blueprint.depths.values()}
        if len(depths) > 1 or self.depth <= max(self.depths) or not self.blueprint.layers_alike:
            return False
        try:
            low, high = (self.instance(depth) for depth in self.depths)
        except Exception:  # whatever a model makes of a configuration that we changed
            return False
        layers = [len(instance.blocks) for instance in (low, high)]  # some have more than their configuration says
        as_asked = layers == [depth * len(self.blueprint.depths) for depth in self.depths]
        return as_asked and grows_evenly(low, high, self.blueprint.build())

    def instance(self, depth: int) -> Instance:
        """The backbone cut to a number of layers, or whole."""
        if depth not in self._instances:
            whole = depth == self.depth
            instance = (self.blueprint if whole else self.blueprint.cut(depth)).build()
            for module in instance.model.modules():
                if hasattr(module, "layerdrop"):
                    module.layerdrop = 0.0  # by chance, training may skip layers: the peak is of a step with all
            self._instances[depth] = instance
        return self._instances[depth]


def every_layer_alike(stage: Stage, training: Training) -> bool:
    """Whether a step does the same in every layer."""
    return stage.depth_uniform and training.checkpoint_every == 1


def carried_step(low: Step, high: Step, depths: tuple[int, int], depth: int) -> Step:
    """A step at a depth, from those at two others.

    Raises:
        NotAffineError: it is not affine in the number of layers.
    """
    backprop = _carried(low.backprop, high.backprop, Line(depths, depth))
    return Step(extrapolate(low.trace, high.trace, *depths, depth), backprop, low.units)


def carried_passes(low: Deployed, high: Deployed, depths: tuple[int, int], depth: int) -> Deployed:
    """Forward passes at a depth, from those at two others."""
    line = Line(depths, depth)
    beside, merged = _carried(low.beside, high.beside, line), _carried(low.merged, high.merged, line)
    flops, elementwise = map(line, low.bare, high.bare)
    return Deployed(beside, merged, (flops, elementwise))


def _carried(low: Figures, high: Figures, line: Line) -> Figures:
    """Figures at a depth; words must be the same at both of the others."""
    found: dict[str, Any] = {}
    for name in (field.name for field in fields(low) if field.compare):
        one, other = getattr(low, name), getattr(high, name)
        if isinstance(one, str):
            assert one == other, f"{name} is {one} at one depth and {other} at another"
        found[name] = one if isinstance(one, str) else line(one, other)
    return replace(low, **found)


def prepare(instance: Instance, training: Training) -> None:
    """Give a model the precision of a setting, and eager attention."""
    dtype = getattr(torch, training.dtype)
    if any(p.dtype != dtype for p in instance.pretrained):  # it takes its time even where there is nothing to do
        instance.model.to(dtype)
    instance.model.set_attn_implementation("eager")


def training_cost(step: Step, training: Training) -> TrainingCost:
    """What a trace comes to in a setting, on each of its devices."""
    trace = step.trace if step.units is None else on_each_device(step.trace, step.units, training)
    peak = trace.peak()
    known = trace.resident + trace.optimizer_state + peak.gradients + peak.logits + peak.activations
    in_forward = trace.peak("forward").total == peak.total  # where what is kept is not told apart from what passes
    rest = (peak.total - known, 0) if in_forward else (peak.activations, peak.total - known)
    parts = Parts(trace.resident, trace.optimizer_state, peak.gradients, peak.logits, *rest)
    memory = Memory(peak.total, trace.resident, trace.gradients, trace.optimizer_state, trace.saved, parts)
    return TrainingCost(memory, trace.forward_flops, trace.backward_flops, step.backprop)
