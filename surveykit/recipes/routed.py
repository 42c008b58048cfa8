"""Low-rank updates of several parts that are mixed: by task, or by what a layer reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from surveykit.errors import RecipeError
from surveykit.recipes.base import InPeft, Overhead, Parts, Place, Shape
from surveykit.recipes.low_rank import ThinPair
from surveykit.recipes.sites import WeightEdit

if TYPE_CHECKING:
    from torch import Tensor

TINY = 1e-12


class Skills(WeightEdit):
    """Polytropon: W + (1 / rank) · up · down, where both factors are averages of an inventory of skills, weighted by task.

    `down` is (splits, skills, fan_in / splits, rank) and `up` (splits, skills, rank, fan_out / splits); with several splits
    (multi-head routing) each part of a width has weights of its own. `logits` (tasks, splits · skills) say which skills a task
    uses: weights are their sigmoids, divided by the sum; in training, noise is added before the sigmoid (a relaxed Bernoulli
    variable). We run the first task.

    Source: Ponti et al. 2022, sections 2 and 3; Caccia et al. 2022; PolyLayer in PEFT.
    """

    obstacle: ClassVar[str | None] = "each example of a batch can be of another task, which mixes the skills otherwise"
    size_name: ClassVar[str | None] = "rank"
    peft: ClassVar[InPeft | None] = InPeft(
        "POLY", "PolyConfig", "poly/qv-r8",
        {"rank": ("r", 8), "tasks": ("n_tasks", 1), "skills": ("n_skills", 4), "splits": ("n_splits", 1)},
    )  # fmt: skip

    kind: Literal["skills"]
    rank: int = Field(ge=1)
    """Rank of each skill, by which the update is divided."""
    tasks: int = Field(ge=1)
    """Tasks that are trained together."""
    skills: int = Field(ge=1)
    """Low-rank updates in the inventory of each matrix."""
    splits: int = Field(ge=1)
    """Parts of each width that are mixed on their own."""

    def tensors(self, place: Place) -> dict[str, Shape]:
        wide = {"fan_in": place.fan_in, "fan_out": place.fan_out}
        if any(width % self.splits for width in wide.values()):
            raise ValueError(
                f"{self.splits} splits do not divide a layer of {place.fan_in} to {place.fan_out} features"
            )
        return {
            "down": Shape((self.splits, self.skills, place.fan_in // self.splits, self.rank), "kaiming"),
            "up": Shape((self.splits, self.skills, self.rank, place.fan_out // self.splits), "zeros"),
            "logits": Shape((self.tasks, self.splits * self.skills), "zeros"),
        }

    def start(self, parts: Parts, place: Place) -> dict[str, Tensor]:
        return {"logits": parts.logits.new_empty(parts.logits.shape).uniform_(-1e-3, 1e-3)}

    def after(self, parts: Parts, x: Tensor, y: Tensor) -> Tensor:
        if x.dim() != 3:
            raise RecipeError("skills are mixed for each example, and this backbone joins positions with the batch")
        weights = self._weights(parts, x.shape[0]).transpose(0, 1)  # (splits, batch, skills)
        down = (weights @ parts.down.flatten(2)).transpose(0, 1).reshape(x.shape[0], x.shape[-1], self.rank)
        up = (
            (weights @ parts.up.flatten(2))
            .transpose(0, 1)
            .reshape(x.shape[0], self.splits, self.rank, -1)
            .transpose(1, 2)
            .flatten(2)
        )
        return y + x.bmm(down).bmm(up) / self.rank

    def _weights(self, parts: Parts, batch: int) -> Tensor:
        """How much each skill counts in each split of each example, (batch, splits, skills)."""
        logits = parts.logits[:1].reshape(1, self.splits, self.skills).expand(batch, -1, -1)
        if parts.training:
            uniform = logits.detach().clone().uniform_(TINY, 1)
            logits = logits + uniform.log() - (1 - uniform).clamp(min=TINY).log()
        opened = logits.sigmoid()
        weights: Tensor = opened / (opened.sum(dim=-1, keepdim=True) + TINY)
        return weights


class RoutedLowRank(ThinPair):
    """HydraLoRA: W x + (alpha / rank) · Σᵢ shareᵢ(x) · upᵢ · down x, with one `down` and several `up`.

    `down` is (rank, fan_in), `up` (experts, fan_out, rank), `router` (experts, fan_in); the shares are a softmax of router · x
    at each position. Every expert's output is written out, as in the authors' code.

    Source: Tian et al. 2024, section 3; the authors' code (Clin0212/HydraLoRA, peft/tuners/lora.py).
    """

    obstacle: ClassVar[str | None] = "the shares of its experts depend on the input"
    costs: ClassVar[frozenset[Overhead]] = frozenset({"linear", "gating"})

    kind: Literal["routed_low_rank"]
    experts: int = Field(ge=1)
    """Matrices `up` of each layer."""

    def tensors(self, place: Place) -> dict[str, Shape]:
        return {
            "down": Shape((self.rank, place.fan_in), "kaiming"),
            "up": Shape((self.experts, place.fan_out, self.rank), "zeros"),
            "router": Shape((self.experts, place.fan_in), "kaiming"),
        }

    def update_rank(self, place: Place) -> int:
        return 0

    def expanded(self, place: Place) -> int:
        return self.experts * (super().expanded(place) + place.fan_in)

    def branch(self, parts: Parts, x: Tensor) -> Tensor:
        shares = (x @ parts.router.T).softmax(dim=-1)
        low = x @ parts.down.T
        outputs = [shares[..., i, None] * (low @ parts.up[i].T) for i in range(self.experts)]
        return sum(outputs[1:], outputs[0]) * self.scale
