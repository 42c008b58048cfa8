"""Methods on a model that a user points at: what each would train there, or why it cannot."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from surveykit.catalog.selection import catalogued_model
from surveykit.engine.budget import sized_for
from surveykit.engine.counts import Counts, count
from surveykit.engine.models.catalogued import blueprint
from surveykit.engine.models.model import Blueprint, Instance, blueprint_of
from surveykit.engine.peft_defaults import beside_peft
from surveykit.engine.trace.costs import TARGET_LENGTH, Costs
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
    """Largest rank of the change of a pretrained matrix; 0 where none changes."""
    size: str | None
    """The hyper-parameter that a budget set, and its value."""
    reason: str | None
    """Why there are no counts, or why nothing is trained."""


@dataclass(frozen=True)
class CostsOnModel:
    """What one configuration costs on one model; None everywhere where `reason` says why it cannot run."""

    configuration: str
    model: ModelFacts
    loss: str
    """In words, what is differentiated in the training step."""
    peak_bfloat16: int | None
    """Bytes of a training step, in the stage in which they are most, all numbers of two bytes."""
    peak_float32: int | None
    blocks: int | None
    """Of the model, in all its stacks."""
    blocks_backward: int | None
    """Those in which backward runs at all."""
    blocks_input_gradient: int | None
    """Those whose input receives a gradient."""
    forward_flops: int | None
    backward_flops: int | None
    inference_flops: int | None
    """One forward pass with edits beside the weights, on one sequence of 256 positions."""
    merged_flops: int | None
    bare_flops: int | None
    overhead: str | None
    """Kinds of inference overhead while nothing is merged."""
    overhead_merged: str | None
    reason: str | None


def model_named(source: str, catalog: Path) -> Blueprint:
    """A folder, a config.json, a model of the catalog by its id, or a model of the hub.

    Raises:
        SurveyError: there is none, or it is not supported.
    """
    if not os.path.exists(source):
        record = catalogued_model(catalog, source)
        if record is not None:
            return blueprint(record)
    return blueprint_of(source)


def facts_of(instance: Instance, notes: Iterable[str] = ()) -> ModelFacts:
    """A model in a few words and figures."""
    kind = type(instance.model).__name__
    return ModelFacts(instance.name, kind, instance.parameters, (*instance.blueprint.notes, *notes))


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
    size = None
    if budget is not None:
        recipe, size = sized_for(instance, name, recipe, budget)
    counts = count(recipe, instance)
    nothing = f"{instance.name} has no such parameters (biases, for instance), so that nothing is trained"
    return counts, size, None if counts.trainable else nothing


def measure_on(
    blueprint: Blueprint, recipes: Iterable[tuple[str, Recipe]], *, batch: int, length: int
) -> Iterator[CostsOnModel]:
    """Trace each recipe on a model: training on so many sequences of so many positions, and inference."""
    costs, model, loss = Costs(blueprint), facts_of(blueprint.build()), loss_of(blueprint)
    for name, recipe in recipes:
        try:
            steps = [costs.training(stage, batch, length) for stage in recipe.stages]
            inference = costs.inference(recipe)
        except RecipeError as error:
            yield CostsOnModel(name, model, loss, *(None,) * 12, reason=str(error))
            continue
        last = steps[-1]
        yield CostsOnModel(
            configuration=name,
            model=model,
            loss=loss,
            peak_bfloat16=max(step.memory["bfloat16"].peak for step in steps),
            peak_float32=max(step.memory["float32"].peak for step in steps),
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
            reason=None,
        )


def loss_of(blueprint: Blueprint) -> str:
    """In words, what is differentiated in a traced training step."""
    if blueprint.encoder_only:
        return "the loss is the mean magnitude of the encoder's output (it has no labels of its own)"
    if blueprint.causal:
        return "the loss is that of the next token, at every position"
    return f"the loss is that of a target of {TARGET_LENGTH} tokens"
