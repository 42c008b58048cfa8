"""What is recorded of a training step whose memory a source prints: its peak by part, and what is held between steps."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from surveykit.catalog.steps import Step, training_text
from surveykit.engine.trace.costs import Costs
from surveykit.errors import RecipeError
from surveykit.recipes import Recipe


def step_values(recipe: Recipe, costs: Costs, step: Step) -> dict[str, Any]:
    """Figures of the step in the stage that needs most, by the names of the fields that hold them.

    A recipe that cannot run so has its reason instead.
    """
    setting = {
        "batch": step.batch, "length": step.length, "target_length": step.target_length,
        "training": training_text(step.training),
    }  # fmt: skip
    try:
        stages = [
            costs.training(stage, step.batch, step.length, step.target_length, step.training).memory
            for stage in recipe.stages
        ]
    except RecipeError as error:
        return {**setting, "status": "refused", "reason": str(error)}
    memory = max(stages, key=lambda stage: stage.peak)
    parts = {f"peak_{name}": amount for name, amount in asdict(memory.parts).items()}
    held = {name: getattr(memory, name) for name in ("weights", "gradients", "optimizer")}
    return {**setting, "status": "traced", "peak": memory.peak, **held, **parts}
