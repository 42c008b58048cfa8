"""What a configuration of PEFT costs through PEFT's own modules, on meta and at the model's whole depth.

Where a setting has adapters in float32 on a model in bfloat16, PEFT itself says which of them are (`autocast_adapter_dtype`).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import Tensor

from surveykit.catalog.peft_file import PeftFile
from surveykit.catalog.training import SURVEYS, Training
from surveykit.engine.models.configs import in_a_line
from surveykit.engine.models.model import Blueprint
from surveykit.engine.models.peft_modules import Wrapped, peft_version, quiet, wrapped
from surveykit.engine.trace.attention import attention_as_on_cuda
from surveykit.engine.trace.backprop import watch_backprop
from surveykit.engine.trace.costs import (
    ROUTING_SEED,
    TARGET_LENGTH,
    InferenceCost,
    Step,
    TrainingCost,
    prepare,
    training_cost,
)
from surveykit.engine.trace.few_bits import few_bits
from surveykit.engine.trace.inference import Inference, operations
from surveykit.engine.trace.inputs import inference_length, inputs_of
from surveykit.engine.trace.shards import units_of
from surveykit.engine.trace.step import trace_step
from surveykit.errors import RecipeError, SettingError

R = TypeVar("R")


class PeftCosts:
    """Traces one configuration on one model.

    Raises (from every method):
        RecipeError: PEFT cannot put it on the model, or its modules do not run without weights.
    """

    def __init__(self, blueprint: Blueprint, file: PeftFile) -> None:
        self._file = file
        self._blueprint = blueprint
        self._found = {(SURVEYS.dtype, SURVEYS.adapters): self._wrapped()}

    def training(
        self, batch: int, length: int, target_length: int = TARGET_LENGTH, training: Training = SURVEYS
    ) -> TrainingCost:
        """A training step with the optimizer's state live; as `Costs.training`."""
        precision = training.dtype, training.adapters
        found = self._found[precision] = self._found.get(precision) or self._wrapped(training)
        instance = found.instance
        inputs = inputs_of(instance, batch, length, target_length, padded=training.padding)

        def step() -> TrainingCost:
            with (
                attention_as_on_cuda(instance, training),
                few_bits(instance, training) as saving,
                torch.random.fork_rng(devices=()),
            ):
                torch.manual_seed(ROUTING_SEED)
                found.peft.train()
                with watch_backprop(instance) as backprop:
                    trace = trace_step(instance, inputs, training=training).with_more(weights=-saving)
            return training_cost(Step(trace, backprop, units_of(instance, training)), training)

        return self._run(step)

    def inference(self) -> InferenceCost:
        """One forward pass of the bare model, with PEFT's modules in it, and with those merged that can be.

        Kinds of overhead are read from the trace: `input` is further positions, `linear` are further products of matrices,
        `gating` further operations on single numbers alone.
        """
        bare = self._bare()
        found = self._wrapped()  # merging changes it
        found.peft.eval()
        inputs = inputs_of(found.instance, 1, inference_length(found.instance), TARGET_LENGTH)
        positions = getattr(found.config, "num_virtual_tokens", 0) if found.config.is_prompt_learning else 0

        def traced() -> Inference:
            flops, elementwise = self._run(lambda: operations(found.instance, inputs))
            more = "linear" if flops > bare[0] else "gating" if elementwise > bare[1] else "none"
            return Inference(flops, elementwise, found.added(), positions, "input" if positions else more)

        beside = traced()
        try:
            with quiet(), _nothing_to_copy():
                found.peft.base_model.merge_adapter()
        except Exception:  # PEFT has many ways to say that it cannot
            return InferenceCost(*bare, beside, beside)
        return InferenceCost(*bare, beside, traced())

    def _wrapped(self, training: Training = SURVEYS) -> Wrapped:
        dtype, adapters = getattr(torch, training.dtype), getattr(torch, training.adapters)
        found = wrapped(self._blueprint, self._file, dtype, float32=adapters != dtype)
        with quiet():
            found.instance.model.set_attn_implementation("eager")
        if found.config.is_prompt_learning:
            _go_through(found)
        return found

    def _bare(self) -> tuple[int, int]:
        """Operations of one forward pass of the bare model."""
        instance = self._blueprint.build()
        prepare(instance, SURVEYS)
        return operations(instance, inputs_of(instance, 1, inference_length(instance), TARGET_LENGTH))

    def _run(self, do: Callable[[], R]) -> R:
        try:
            with quiet():
                return do()
        except SettingError:
            raise
        except Exception as error:
            self._bare()  # says so itself where the model does not run without PEFT
            stopped, kind = error.__cause__ or error, self._file.peft_type
            what = f"PEFT {peft_version()}'s modules for {kind} do not run on {self._blueprint.name} without weights"
            raise RecipeError(f"{what}: {in_a_line(stopped)}") from error


@contextmanager
def _nothing_to_copy() -> Iterator[None]:
    """Let what PEFT copies to the host before it merges, to undo it later, stay where it is: it has no values."""
    copied = Tensor.cpu
    Tensor.cpu = lambda self, *args, **kwargs: self if self.is_meta else copied(self, *args, **kwargs)  # type: ignore[method-assign]
    try:
        yield
    finally:
        Tensor.cpu = copied  # type: ignore[method-assign]


def _go_through(found: Wrapped) -> None:
    """Let a call of the bare model go through PEFT's, which puts a prompt in front and calls the bare one."""
    model, bare = found.instance.model, found.instance.model.forward

    @functools.wraps(bare)
    def forward(*args: Any, **kwargs: Any) -> Any:
        model.forward = bare
        try:
            return found.peft(*args, **kwargs)
        finally:
            model.forward = forward

    model.forward = forward
    model.add_module("peft_prompt", found.peft.prompt_encoder)
