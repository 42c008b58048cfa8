"""The compute of a training step beside that of full tuning: is it true that LoRA needs two thirds of it?"""

from __future__ import annotations

from surveykit.catalog.training import SURVEYS, Compute, Training
from surveykit.engine.trace.costs import TARGET_LENGTH, Costs, TrainingCost
from surveykit.recipes import Stage

FULL_TUNING = Stage(name="full_tuning", scope="task", edits=(), train=(), train_everything=True)


class BesideFullTuning:
    """Compares steps on one model with one that tunes everything, which is traced once for each text and setting.

    Args:
        costs: of the model.
    """

    def __init__(self, costs: Costs) -> None:
        self._costs = costs
        self._full: dict[tuple[int, int, int, Training], int] = {}

    def compute(
        self, step: TrainingCost, batch: int, length: int, target_length: int = TARGET_LENGTH,
        training: Training = SURVEYS,
    ) -> Compute:  # fmt: skip
        """The compute of a step that was traced on the model.

        Args:
            step: that of a stage, traced on the same text and in the same setting.
            batch, length, target_length, training: as of `Costs.training`.

        Raises:
            RecipeError: full tuning cannot be traced on the model in the setting.
        """
        full = self._flops_of_full_tuning(batch, length, target_length, training)
        percent = 100 * (step.forward_flops + step.backward_flops) / full
        return Compute(step.forward_flops, step.backward_flops, percent)

    def _flops_of_full_tuning(self, batch: int, length: int, target_length: int, training: Training) -> int:
        # The optimizer and weights of few bits multiply no matrices; full tuning has no weights that are frozen.
        plainly = {"base_bits": 16, "double_quant": False, "optimizer": SURVEYS.optimizer}
        alike = training.model_copy(update=plainly)
        text = (batch, length, target_length, alike)
        if text not in self._full:
            step = self._costs.training(FULL_TUNING, *text)
            self._full[text] = step.forward_flops + step.backward_flops
        return self._full[text]
