"""What is recorded of tracing a recipe on a backbone: backward and inference once, memory for every setting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from surveykit.catalog.training import Training
from surveykit.engine.trace.costs import Costs, InferenceCost, TrainingCost
from surveykit.errors import RecipeError
from surveykit.recipes import Recipe

Values = dict[str, Any]
"""Figures by the names of the fields that hold them."""


def cost_values(
    recipe: Recipe, costs: Costs, batch: int, lengths: Sequence[int], target_length: int, trainings: Sequence[Training]
) -> tuple[Values, list[Values]]:
    """What a recipe costs, with training at the first of the lengths; and its memory at each length in each width.

    A recipe that cannot run has its reason instead.
    """
    settings = [(length, training) for length in lengths for training in trainings]
    named: list[Values] = [
        {"batch": batch, "length": length, "target_length": target_length, "dtype": training.dtype}
        for length, training in settings
    ]
    try:
        inference = costs.inference(recipe)
        steps = [[costs.training(stage, batch, n, target_length, t) for stage in recipe.stages] for n, t in settings]
    except RecipeError as error:
        refused = {"status": "refused", "reason": str(error)}
        return refused, [{**setting, **refused} for setting in named]
    memory: list[Values] = []
    for setting, stages in zip(named, steps, strict=True):
        most = max(stage.memory.peak for stage in stages)
        memory.append({**setting, "status": "traced", **vars(stages[-1].memory), "peak_any_stage": most})
    return {"status": "traced", **_cost(inference, steps[0][-1])}, memory


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
