"""What is recorded of tracing a recipe on backbones: backward and inference once, memory for every setting."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from surveykit.engine.trace.at_once import LENGTHS, AtOnce, Figures, alike, figures_of
from surveykit.engine.trace.costs import Costs, InferenceCost, TrainingCost
from surveykit.errors import RecipeError
from surveykit.recipes import Recipe

if TYPE_CHECKING:
    from surveykit.catalog.settings import Traced

Values = dict[str, Any]
"""Figures by the names of the fields that hold them."""


def cost_values(recipe: Recipe, models: Sequence[tuple[Costs, Traced]]) -> list[tuple[Values, list[Values]]]:
    """What a recipe costs on each model, with training at the first of the lengths; and its memory at each length in each
    precision. A recipe that cannot run has its reason instead.

    Models of one architecture are traced at once. One alone is traced by itself, at each length: so it is where a sample is
    measured again, which puts the one way to the other.
    """
    found: list[Figures | None] = [None] * len(models)
    if len(models) > 1:
        for group in alike([costs.blueprint for costs, _ in models]):
            several = _at_once(*(models[i][0] for i in group))
            for i, figures in zip(group, several.figures(recipe, [models[i][1] for i in group]), strict=True):
                found[i] = figures
        for i, (costs, traced) in enumerate(models):
            if found[i] is None:
                (found[i],) = AtOnce([costs], LENGTHS).figures(recipe, [traced])
    return [_values(recipe, costs, traced, known) for (costs, traced), known in zip(models, found, strict=True)]


@lru_cache(maxsize=16)
def _at_once(*models: Costs) -> AtOnce:
    return AtOnce(models)


def _values(recipe: Recipe, costs: Costs, traced: Traced, known: Figures | None) -> tuple[Values, list[Values]]:
    named: list[Values] = [
        {"batch": traced.batch, "length": length, "target_length": traced.target_length, "dtype": training.dtype}
        for length in traced.lengths
        for training in traced.trainings
    ]
    try:
        found = known or figures_of(recipe, costs, traced)
    except RecipeError as error:
        refused = {"status": "refused", "reason": str(error)}
        return refused, [{**setting, **refused} for setting in named]
    memory: list[Values] = []
    for setting, stages in zip(named, found.steps, strict=True):
        most = max(stage.memory.peak for stage in stages)
        memory.append({**setting, "status": "traced", **vars(stages[-1].memory), "peak_any_stage": most})
    return {"status": "traced", **_cost(found.inference, found.steps[0][-1])}, memory


def _cost(inference: InferenceCost, step: TrainingCost) -> Values:
    beside, merged = inference.unmerged, inference.merged
    return {
        "blocks": step.backprop.blocks,
        "blocks_backward": step.backprop.blocks_backward,
        "blocks_input_gradient": step.backprop.blocks_input_gradient,
        "activation_gradient_flops": step.backprop.activation_gradient_flops,
        "forward_flops": step.forward_flops,
        "backward_flops": step.backward_flops,
        "inference_flops": beside.flops,
        "merged_flops": merged.flops,
        "bare_flops": inference.bare_flops,
        "inference_elementwise": beside.elementwise,
        "merged_elementwise": merged.elementwise,
        "bare_elementwise": inference.bare_elementwise,
        "inference_parameters": beside.parameters,
        "merged_parameters": merged.parameters,
        "inference_positions": beside.positions,
        "merged_positions": merged.positions,
        "overhead_unmerged": beside.overhead,
        "overhead_merged": merged.overhead,
    }
