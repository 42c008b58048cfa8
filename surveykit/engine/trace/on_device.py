"""A training step for real, on the CPU or an accelerator: random weights, and what torch's allocator held at most."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import AdamW
from torch.profiler import ProfilerActivity, profile, record_function

from surveykit.catalog.training import SURVEYS, Training
from surveykit.engine.edits.allocation import Allocation
from surveykit.engine.edits.attach import Attached
from surveykit.engine.models.attention import Implementations
from surveykit.engine.models.configs import in_a_line
from surveykit.engine.models.model import Blueprint, Instance
from surveykit.engine.trace.attention import attention_as_on_cuda
from surveykit.engine.trace.checkpointing import checkpointed
from surveykit.engine.trace.costs import ROUTING_SEED, TARGET_LENGTH, prepare
from surveykit.engine.trace.inputs import inputs_of
from surveykit.engine.trace.losses import loss_as
from surveykit.engine.trace.memory import Memory
from surveykit.engine.trace.meta_values import VALUES
from surveykit.engine.trace.optimizer_steps import MasterWeights, Stepper, pageable_bytes, stepper
from surveykit.engine.trace.step import summed_loss
from surveykit.errors import RecipeError, SurveyError
from surveykit.recipes import Preconditioning, Stage
from surveykit.recipes.optimizers import Reduced

STEPS = 3
"""Steps on an accelerator: the first makes the optimizer's state, and some libraries pick their kernels in it."""
_SECOND = "second step"
_STDERR = 2


class OnDevice:
    """Runs training steps of one model on one device. The model is built once.

    Args:
        training: how the steps run.

    Raises:
        RecipeError: no library here runs the setting, or the memory is not enough for the model.
        SurveyError: the model cannot be built.
    """

    def __init__(self, blueprint: Blueprint, device: torch.device, training: Training = SURVEYS) -> None:
        refuse_what_cannot_run(training, device)
        self._device, self._training = device, training
        with numbers_of(getattr(torch, training.dtype)), enough_memory(device):
            self._instance = blueprint.build(device=str(device))
        prepare(self._instance, training)

    def peak(self, stage: Stage, batch: int, length: int, target_length: int = TARGET_LENGTH) -> Peak:
        """The most that the allocator holds during a training step of a stage, as `Costs.training` predicts it, with the moments
        of a paged optimizer, which bitsandbytes has beside it.

        Raises:
            RecipeError: the stage does not fit the model or cannot run on it, or the memory is not enough.
        """
        instance, training = self._instance, self._training
        if stage.base is not None:
            bits = f"frozen weights in {stage.base.bits} bits"
            raise RecipeError(f"{stage.name} has {bits}, which are only predicted, not run")
        inputs = inputs_of(instance, batch, length, target_length, padded=training.padding)
        inputs = given_on(self._device, inputs)
        adapters = getattr(torch, training.adapters)
        with (
            enough_memory(self._device),
            attention_on_device(instance, training),
            Attached(
                instance, stage, dtype=adapters, dropout=training.adapter_dropout, copied=training.adapter_copy
            ) as attached,
            checkpointed(instance, Memory(), training),
            loss_as(instance, training),
        ):
            instance.model.train()
            trained = [p for p in instance.model.parameters() if p.requires_grad]
            optimizer = optimizer_on_device(training, attached, trained)

            def step() -> None:
                torch.manual_seed(ROUTING_SEED)  # what is drawn by chance is drawn as in a trace
                with torch.autocast(self._device.type, torch.bfloat16, enabled=training.autocast):
                    loss, held = summed_loss(
                        instance, inputs, stage.passes, lambda number: None, stage.consistency, training
                    )
                loss.backward()  # type: ignore[no-untyped-call]
                del loss, held
                optimizer.step()
                for parameter in trained if training.accumulation == 1 else ():
                    parameter.grad = None

            allocation, masked = Allocation(attached, steps=1), attached.masked
            there = [*instance.model.parameters(), *instance.model.buffers(), *inputs.values()]
            there += [average for averages in allocation.averages.values() for average in averages]
            there += masked.kept if masked is not None else []
            try:
                with torch.random.fork_rng():
                    peak = peak_of(self._device, step, [one for one in there if isinstance(one, Tensor)])
                return peak.with_more(pageable_bytes(training, trained))
            finally:
                for parameter in trained:
                    parameter.grad = None


class Peak(NamedTuple):
    """The most that an allocator held during a step after the first, in bytes."""

    allocated: int
    reserved: int | None
    """From the system, over all steps; None on the CPU, whose allocator holds nothing back."""

    def with_more(self, beside: int) -> Peak:
        """With bytes that an accelerator's library takes past torch's allocator."""
        return Peak(self.allocated + beside, None if self.reserved is None else self.reserved + beside)


def device_of(name: str) -> torch.device:
    """The device of a name: `cpu`, or an accelerator that torch sees.

    Raises:
        SurveyError: torch sees no such device.
    """
    if name == "cpu":
        return torch.device("cpu")
    seen = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    if seen is None or seen.type != name.partition(":")[0]:
        there = "no accelerator" if seen is None else f"no {name}, but {seen.type}"
        raise SurveyError(f"torch {torch.__version__} sees {there} here: use --device {seen.type if seen else 'cpu'}")
    return torch.device(name)


def described(device: torch.device) -> str:
    """A device as people call it."""
    return "cpu" if device.type == "cpu" else torch.get_device_module(device).get_device_name(device)


def refuse_what_cannot_run(training: Training, device: torch.device) -> None:
    """Refuse settings that no library here runs, or that take more than one device.

    Raises:
        RecipeError: with what to install, or what to say instead.
    """
    on_cpu = device.type == "cpu"
    for wanted, field, instead in (
        (training.devices > 1, f"--devices {training.devices}", "--devices 1 --shard none"),
        (training.offload_states, "--offload-states", "--no-offload-states"),
        (training.checkpointing == "offloaded", "--checkpointing offloaded", "--checkpointing full"),
        (training.base_bits < 16, f"--base-bits {training.base_bits}", "--base-bits 16 --no-double-quant"),
        (training.kernels == "fused", "--kernels fused", "--kernels plain"),
        (on_cpu and training.attention == "flash", "--attention flash", "--attention sdpa"),
        (on_cpu and training.autocast, "--autocast", "--no-autocast"),
        (on_cpu and training.optimizer in _BITSANDBYTES, f"--optimizer {training.optimizer}", "--optimizer adamw-loop"),
    ):
        if wanted:
            raise RecipeError(f"{field} is only predicted, not run{' on a CPU' if on_cpu else ''}: use {instead}")
    for needed, package, field in (
        (training.attention == "flash", "flash_attn", "--attention flash"),
        (training.optimizer in _BITSANDBYTES, "bitsandbytes", f"--optimizer {training.optimizer}"),
    ):
        if needed and find_spec(package) is None:
            raise RecipeError(f"{field} needs the package {package}: pip install {package.replace('_', '-')}")


_BITSANDBYTES = {
    "adamw-8bit": "AdamW8bit", "paged-adamw": "PagedAdamW", "paged-adamw-8bit": "PagedAdamW8bit", "lion": "Lion",
}  # fmt: skip
"""Optimizers of the package bitsandbytes, by our names."""


def optimizer_on_device(training: Training, attached: Attached, trained: Sequence[nn.Parameter]) -> Stepper:
    """The optimizer that the trace stands in for; where the trace runs it as it is, that one."""
    name, rule = training.optimizer, None
    if name == "adamw-fused":
        rule = partial(AdamW, lr=0.0, weight_decay=0.0, fused=True)
    elif name in _BITSANDBYTES:
        rule = partial(getattr(import_module("bitsandbytes.optim"), _BITSANDBYTES[name]), lr=0.0)
    if rule is None or isinstance(attached.stage.optimizer, Reduced | Preconditioning):
        return stepper(training, attached, trained)
    return MasterWeights(trained, rule) if training.master_weights else rule(trained)


def given_on(device: torch.device, inputs: dict[str, Any]) -> dict[str, Any]:
    """What a model reads on meta, with its values on a device; zeros where it has none."""
    return {name: _made(value, device) if isinstance(value, Tensor) else value for name, value in inputs.items()}


def _made(tensor: Tensor, device: torch.device) -> Tensor:
    known = VALUES.of(tensor)
    return torch.zeros_like(tensor, device=device) if known is None else known.to(device)


@contextmanager
def attention_on_device(instance: Instance, training: Training) -> Iterator[None]:
    """Let the model attend as the setting says, with torch's own kernels or those of the package flash_attn."""
    if training.attention != "flash":
        with attention_as_on_cuda(instance, training):  # which is about models without weights alone
            yield
        return
    before = Implementations(instance.model)
    before.change(lambda part, now: "flash_attention_2" if part._supports_flash_attn else now)
    try:
        yield
    finally:
        before.put_back()


@contextmanager
def numbers_of(dtype: torch.dtype) -> Iterator[None]:
    """Within, models are made with weights of a precision, and never held in another."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def peak_of(device: torch.device, step: Callable[[], None], live: Sequence[Tensor]) -> Peak:
    """The highest that the allocator holds during a step after the first.

    Args:
        step: a whole training step; the optimizer makes its state in the first.
        live: on the CPU, all tensors that were there before: model, buffers and inputs.
    """
    return _peak_on_cpu(step, live) if device.type == "cpu" else _peak_on_accelerator(device, step)


@contextmanager
def enough_memory(device: torch.device) -> Iterator[None]:
    """Say plainly that the memory of a device was not enough for what is within.

    Raises:
        RecipeError: it was not.
    """
    try:
        yield
    except RuntimeError as error:  # which RecipeError is not
        if isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error):
            raise RecipeError(f"out of memory on {described(device)}: {in_a_line(error)}") from error
        raise


def _peak_on_accelerator(device: torch.device, step: Callable[[], None]) -> Peak:
    memory = torch.get_device_module(device)
    gc.collect()
    memory.empty_cache()
    memory.reset_peak_memory_stats(device)
    step()
    reserved = memory.max_memory_reserved(device)
    memory.reset_peak_memory_stats(device)
    for _ in range(STEPS - 1):
        step()
    memory.synchronize(device)
    return Peak(memory.max_memory_allocated(device), max(reserved, memory.max_memory_reserved(device)))


def _peak_on_cpu(step: Callable[[], None], live: Sequence[Tensor]) -> Peak:
    """By the profiler's record of what is allocated and freed."""
    held = sum({s.data_ptr(): s.nbytes() for s in (tensor.untyped_storage() for tensor in live)}.values())
    gc.collect()  # what was left behind is not freed while this is watched
    with silent(), profile(activities=[ProfilerActivity.CPU], profile_memory=True) as watched:
        step()
        gc.collect()
        with record_function(_SECOND):
            step()
    assert watched.profiler is not None
    events = sorted(watched.profiler.kineto_results.events(), key=lambda event: event.start_ns())
    began, peak = False, 0
    for event in events:
        if event.name() == _SECOND:
            began, peak = True, held
        if event.name() == "[memory]":
            held += event.nbytes()
            peak = max(peak, held) if began else peak
    return Peak(peak, None)


@contextmanager
def silent() -> Iterator[None]:
    """Keep torch's profiler from saying on standard error that it starts and stops, which it does below Python."""
    try:
        kept = os.dup(_STDERR)
    except OSError:  # it is closed already
        yield
        return
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), _STDERR)
        yield
    finally:
        os.dup2(kept, _STDERR)
        os.close(kept)
