"""A soft prompt that tasks share, times a thin product of each task's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from surveykit.recipes.base import InPeft, Parts, Place, Shape
from surveykit.recipes.sites import InputEdit

if TYPE_CHECKING:
    from torch import Tensor


class MultitaskPrompt(InputEdit):
    """Multitask prompt tuning: prompt ∘ (columns[task] · rows[task]), entry by entry.

    `prompt` (length, d_model) and `columns` (tasks, length, rank) are those of a stack, `rows` (tasks, rank, d_model) of all
    stacks together. With several tasks, each training step takes one of them at random here, and inference the first.

    Source: Wang et al. 2023, section 3.1, as in PEFT's `peft/tuners/multitask_prompt_tuning`.
    """

    size_name: ClassVar[str | None] = "length"
    peft: ClassVar[InPeft | None] = InPeft(
        "MULTITASK_PROMPT_TUNING", "MultitaskPromptTuningConfig", "multitask-prompt-tuning/p100",
        {"length": ("num_virtual_tokens", None), "rank": ("num_ranks", 1), "tasks": ("num_tasks", 1)}, targeted=False,
    )  # fmt: skip

    kind: Literal["multitask_prompt"]
    length: int = Field(ge=1)
    """Number of soft tokens."""
    rank: int = Field(ge=1)
    """Rank of a task's product."""
    tasks: int = Field(ge=1)
    """Tasks that have a product of their own."""

    def tensors(self, place: Place) -> dict[str, Shape]:
        prompt = Shape((self.length, place.d_model), "normal")
        return {"prompt": prompt, "columns": Shape((self.tasks, self.length, self.rank), "normal")}

    def shared_tensors(self, place: Place) -> dict[str, Shape]:
        return {"rows": Shape((self.tasks, self.rank, place.d_model), "normal")}

    def expanded(self, place: Place) -> int:
        return self.length * place.d_model  # of one task

    def shared_expanded(self, place: Place) -> int:
        return 0

    def positions_added(self) -> int:
        return self.length

    def positions(self, parts: Parts) -> Tensor:
        task = parts.draw(self.tasks) if parts.training and self.tasks > 1 else 0
        return parts.prompt * (parts.columns[task] @ parts.shared.rows[task])
