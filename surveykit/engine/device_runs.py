"""Methods on a model, run for real on a device: what its allocator held at most, beside what is predicted."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

import torch

from surveykit.catalog.training import SURVEYS, Training
from surveykit.engine.budget import sized
from surveykit.engine.models.model import Blueprint
from surveykit.engine.on_model import ModelFacts, facts_of
from surveykit.engine.trace.costs import TARGET_LENGTH, Costs
from surveykit.engine.trace.inputs import notes_on_trace
from surveykit.engine.trace.on_device import OnDevice, described, device_of
from surveykit.errors import RecipeError
from surveykit.recipes import Recipe


@dataclass(frozen=True)
class DeviceRun:
    """A training step of one configuration on one model, as it is predicted and as it ran. What is not known is None, and
    `reason` says why."""

    configuration: str
    model: ModelFacts
    predicted_bytes: int | None
    """The peak of a step after the first, in the stage in which it is highest, with the kernels of the device."""
    allocated_bytes: int | None
    """What torch's allocator held at most in such a step, of weights that mean nothing."""
    reserved_bytes: int | None
    """What the allocator had from the system at most, over all steps; None on the CPU."""
    error_percent: float | None
    """Of the prediction, against what was allocated."""
    device: str
    """Its name, or `cpu`."""
    size: str | None
    """The hyper-parameter that a budget set, and its value."""
    reason: str | None
    batch: int
    """Sequences of the training step."""
    length: int
    """Positions of each."""
    training: Training
    """How it runs."""


def run_on(
    blueprint: Blueprint,
    recipes: Iterable[tuple[str, Recipe]],
    *,
    device: str,
    batch: int,
    length: int,
    training: Training = SURVEYS,
    budget: Fraction | None = None,
    notes: Iterable[str] = (),
) -> Iterator[DeviceRun]:
    """Run a few training steps of each recipe on a device, with random weights in the model's geometry.

    Args:
        device: `cpu`, or the accelerator that torch sees, such as `cuda`.
        batch, length, training: sequences of a step, positions of each, and how it runs.
        budget, notes: as of `count_on`.

    Raises:
        SurveyError: torch sees no such device, or the model cannot be built.
    """
    where, instance = device_of(device), blueprint.build()
    name, model = described(where), facts_of(instance, (*notes, *notes_on_trace(instance, length)))
    costs = Costs(blueprint, "cpu" if where.type == "cpu" else "cuda")
    found: OnDevice | None = None
    for configuration, stated in recipes:
        size = predicted = None
        try:
            recipe, size = sized(instance, configuration, stated, budget)
            text = (batch, length, TARGET_LENGTH)
            predicted = max(costs.training(stage, *text, training).memory.peak for stage in recipe.stages)
            _refuse_what_the_host_lacks(where, predicted)
            found = found or OnDevice(blueprint, where, training)
            peaks = [found.peak(stage, *text) for stage in recipe.stages]
        except RecipeError as error:
            yield DeviceRun(
                configuration, model, predicted, None, None, None, name, size, str(error), batch, length, training
            )
            continue
        highest = max(peaks)
        error_percent = 100 * (predicted / highest.allocated - 1)
        yield DeviceRun(
            configuration, model, predicted, *highest, error_percent, name, size, None, batch, length, training
        )


def _refuse_what_the_host_lacks(device: torch.device, predicted: int) -> None:
    """The system ends a process that takes more than there is, without a word; an accelerator says so."""
    if device.type != "cpu" or not hasattr(os, "sysconf"):
        return
    there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if predicted > there:
        raise RecipeError(
            f"out of memory: it needs {predicted / 1e9:.1f} GB, but this machine has {there / 1e9:.1f} GB"
        )
