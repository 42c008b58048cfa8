"""Methods on a model that a user points at: what each would train there, or why it cannot."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from surveykit.catalog.selection import catalogued_model
from surveykit.catalog.training import SURVEYS, Compute, Training
from surveykit.engine.budget import sized
from surveykit.engine.counts import Counts, count
from surveykit.engine.models.catalogued import blueprint
from surveykit.engine.models.model import Blueprint, Instance, blueprint_of
from surveykit.engine.models.objective import loss_in_words
from surveykit.engine.models.roles import has_experts
from surveykit.engine.models.task_head import with_task_head
from surveykit.engine.peft_defaults import beside_peft
from surveykit.engine.trace.compute import BesideFullTuning
from surveykit.engine.trace.costs import TARGET_LENGTH, Costs, InferenceCost, TrainingCost
from surveykit.engine.trace.inputs import notes_on_trace
from surveykit.errors import RecipeError
from surveykit.recipes import Recipe


@dataclass(frozen=True)
class ModelFacts:
    """The model that figures are of."""

    name: str
    architecture: str
    """The class of transformers."""
    parameters: int
    """Of the bare model, each once however many names it has: what percentages are of."""
    notes: tuple[str, ...]
    """What whoever reads a figure of this model has to know, a sentence each; mostly none."""


@dataclass(frozen=True)
class CountOnModel:
    """One configuration on one model. What is not known is None, and `reason` says why."""

    configuration: str
    model: ModelFacts
    trainable: int | None
    """Parameters that the optimizer updates, in the stage in which they are most."""
    percent: float | None
    """… of the bare model's parameters, each once."""
    trainable_last_stage: int | None
    """… in the last stage, which is run for each task, where that is another number."""
    added: int | None
    changed: int | None
    """Entries of the model that can differ once all that can is merged."""
    stored: int | None
    """Numbers to keep for each task."""
    stored_bytes: int | None
    """… at 4 bytes a number, with the indices of sparse forms and seeds."""
    update_rank: int | None
    """Largest rank of the change to a pretrained matrix; 0 where none changes."""
    size: str | None
    """The hyper-parameter that a budget set, and its value."""
    reason: str | None
    """Why there are no counts, or why nothing is trained."""
    trainable_by_peft: int | None = None
    """What PEFT trains of the configuration by its own modules; only of a configuration of PEFT, where it is installed."""


@dataclass(frozen=True)
class CostsOnModel:
    """What one configuration costs on one model; None everywhere where `reason` says why it cannot run."""

    configuration: str
    model: ModelFacts
    loss: str
    """In words, what is differentiated in the training step."""
    peak_bytes: int | None
    """Of a training step, in the stage in which they are most."""
    weights_bytes: int | None
    """At the moment of the peak, as all that follow: they add up to it."""
    optimizer_bytes: int | None
    gradients_bytes: int | None
    logits_bytes: int | None
    activations_bytes: int | None
    working_bytes: int | None
    blocks: int | None
    """Of the model, in all its stacks."""
    blocks_backward: int | None
    """Those in which backward runs at all."""
    blocks_input_gradient: int | None
    """Those whose input receives a gradient."""
    forward_flops: int | None
    backward_flops: int | None
    inference_flops: int | None
    """One forward pass with edits beside the weights, on one sequence of 256 positions; of a model with fewer than 512,
    half of those it has."""
    merged_flops: int | None
    bare_flops: int | None
    overhead: str | None
    """Kinds of inference overhead while nothing is merged."""
    overhead_merged: str | None
    size: str | None
    """The hyper-parameter that a budget set, and its value."""
    reason: str | None
    compute_percent_of_full_tuning: float | None = None
    """FLOPs of the training step, forward and backward, of those of full tuning on the same model and text."""
    batch: int = 1
    """Sequences of the training step."""
    length: int = 256
    """Positions of each."""
    training: Training = SURVEYS
    """How it runs."""


def model_named(source: str, catalog: Path, head: int | None = None) -> Blueprint:
    """A folder, a config.json, a model of the catalog by its id, or a model of the hub.

    Args:
        head: labels of a task's head that it gets in place of its output layer.

    Raises:
        SurveyError: there is none, or it is not supported.
    """
    record = None if os.path.exists(source) else catalogued_model(catalog, source)
    found = blueprint_of(source) if record is None else blueprint(record)
    return found if head is None else with_task_head(found, head)


def facts_of(instance: Instance, notes: Iterable[str] = ()) -> ModelFacts:
    """A model in a few words and figures."""
    kind = type(instance.model).__name__
    return ModelFacts(instance.name, kind, instance.parameters, (*_notes_on(instance), *notes))


def _notes_on(instance: Instance) -> Iterator[str]:
    yield from instance.blueprint.notes
    if beside := [stack.path for stack in instance.stacks if not stack.own]:
        yield f"methods on all layers also apply to {' and '.join(beside)}, which read images or sound"
    held = [p for module in instance.model.modules() if has_experts(module) for p in module.parameters(recurse=False)]
    if experts := sum(parameter.numel() for parameter in held if parameter.dim() == 3):
        what = f"{experts:,} parameters are experts in tensors of three dimensions, which are no linear layers"
        yield f"{what}: methods on linear layers skip them"


def count_on(
    instance: Instance,
    recipes: Sequence[tuple[str, Recipe]],
    budget: Fraction | None = None,
    notes: Iterable[str] = (),
) -> Iterator[CountOnModel]:
    """Count each recipe on a model.

    Args:
        budget: how many numbers may be trained in the last stage; each method's size is set to what comes nearest.
        notes: what else whoever reads the figures has to know, before what PEFT's defaults do otherwise.
    """
    differences = () if budget is not None else beside_peft(instance, recipes)
    model = facts_of(instance, (*notes, *(difference.sentence for difference in differences)))
    for name, recipe in recipes:
        try:
            counts, size, reason = _counted(instance, name, recipe, budget)
        except RecipeError as error:
            yield CountOnModel(name, model, *(None,) * 9, reason=str(error))
            continue
        percent = 100 * counts.trainable / instance.parameters
        last = counts.trainable_task if counts.trainable_task != counts.trainable else None
        yield CountOnModel(
            name, model, counts.trainable, percent, last, counts.added, counts.changed, counts.stored,
            counts.stored_bytes, counts.update_rank, size, reason,
        )  # fmt: skip


def _counted(
    instance: Instance, name: str, recipe: Recipe, budget: Fraction | None
) -> tuple[Counts, str | None, str | None]:
    recipe, size = sized(instance, name, recipe, budget)
    counts = count(recipe, instance)
    return counts, size, None if counts.trainable else _nothing_trained(instance)


def _nothing_trained(instance: Instance) -> str:
    return f"{instance.name} has no such parameters (biases, for instance), so nothing is trained"


def measure_on(
    blueprint: Blueprint,
    recipes: Iterable[tuple[str, Recipe]],
    *,
    batch: int,
    length: int,
    training: Training = SURVEYS,
    budget: Fraction | None = None,
    notes: Iterable[str] = (),
) -> Iterator[CostsOnModel]:
    """Trace each recipe on a model: training on so many sequences of so many positions, and inference.

    Args:
        training: how a step runs.
        budget, notes: as of `count_on`.
    """
    costs, instance = Costs(blueprint), blueprint.build()
    model = facts_of(instance, (*notes, *notes_on_trace(instance, length)))
    loss, beside = loss_in_words(instance.model, TARGET_LENGTH), BesideFullTuning(costs)
    for name, recipe in recipes:
        try:
            recipe, size = sized(instance, name, recipe, budget)
            if not count(recipe, instance).trainable:
                raise RecipeError(_nothing_trained(instance))
            steps = [costs.training(stage, batch, length, training=training) for stage in recipe.stages]
            inference = costs.inference(recipe)
            compute = beside.compute(steps[-1], batch, length, training=training)
        except RecipeError as error:
            yield CostsOnModel(name, model, loss, *(None,) * 18, reason=str(error))
            continue
        yield costs_row(name, model, loss, steps, inference, size, compute)


def costs_row(
    name: str,
    model: ModelFacts,
    loss: str,
    steps: Sequence[TrainingCost],
    inference: InferenceCost,
    size: str | None = None,
    compute: Compute | None = None,
) -> CostsOnModel:
    """What was traced, as a row.

    Args:
        steps: of each stage.
    """
    last, most = steps[-1], max((step.memory for step in steps), key=lambda memory: memory.peak)
    return CostsOnModel(
        configuration=name,
        model=model,
        loss=loss,
        peak_bytes=most.peak,
        **{f"{name}_bytes": size for name, size in vars(most.parts).items()},
        blocks=last.backprop.blocks,
        blocks_backward=last.backprop.blocks_backward,
        blocks_input_gradient=last.backprop.blocks_input_gradient,
        forward_flops=last.forward_flops,
        backward_flops=last.backward_flops,
        inference_flops=inference.unmerged.flops,
        merged_flops=inference.merged.flops,
        bare_flops=inference.bare_flops,
        overhead=inference.unmerged.overhead,
        overhead_merged=inference.merged.overhead,
        size=size,
        reason=None,
        compute_percent_of_full_tuning=None if compute is None else compute.percent_of_full_tuning,
    )
