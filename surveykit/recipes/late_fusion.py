"""What the frozen layers computed, gathered behind them: attention over layers, and differences of their weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from surveykit.recipes.base import Overhead, Place, Shape
from surveykit.recipes.sites import SideEdit, SideStack

if TYPE_CHECKING:
    from torch import Tensor


class LayerAttention(SideEdit):
    """Each token's attention over what the blocks of one stack made of it.

    With n_l the frozen final norm of block l's output (batch, positions, d) and the trained `query` (d,):
    Σ_l softmax_l(n_l · query / √d) n_l. The norm keeps later blocks, whose states are larger, from deciding alone.
    A reconstruction: Cao et al. 2022 was read in its abstract only.
    """

    kind: Literal["layer_attention"]

    def tensors(self, place: Place) -> dict[str, Shape]:
        return {"query": Shape((place.d_model,), "normal")}

    def output(self, stacks: Sequence[SideStack]) -> Tensor:
        stack = stacks[-1]
        normed = [stack.final_norm(state) for state in stack.states[1:]]
        scores = [state @ stack.parts.query * stack.place.d_model**-0.5 for state in normed]
        weights = scores[0].new_empty(len(scores), *scores[0].shape)
        for n, score in enumerate(scores):
            weights[n] = score
        weights = weights.softmax(dim=0)[..., None]
        fused: Tensor = weights[0] * normed[0]
        for weight, state in zip(weights[1:], normed[1:], strict=True):
            fused = fused + weight * state
        return fused


class WeightDifference(SideEdit):
    """Differences of the matrices that end the feed-forward modules, applied to what the frozen stack fed them.

    With a_l (batch, positions, d_ff) what block l fed its last matrix, h the stack's last state and Δ_l
    (d, d_ff) trained from zero: final_norm(h + Σ_l Δ_l a_l). This is what W_l + Δ_l gives if later blocks go on from
    the unchanged states, so that these are computed once for all tasks.
    A reconstruction: Fu et al. 2021 was read in its abstract only.
    """

    obstacle: ClassVar[str | None] = "it acts on activations of the unchanged weights, which merging would change"
    costs: ClassVar[frozenset[Overhead]] = frozenset({"ffn"})

    kind: Literal["weight_difference"]
    reads_hidden: ClassVar[bool] = True

    def tensors(self, place: Place) -> dict[str, Shape]:
        return {"difference": Shape((place.layers, place.d_model, place.d_ff))}

    def output(self, stacks: Sequence[SideStack]) -> Tensor:
        stack = stacks[-1]
        state = stack.states[-1]
        for n, hidden in enumerate(stack.hidden):
            state = state + hidden @ stack.parts.difference[n].T
        return stack.final_norm(state)
