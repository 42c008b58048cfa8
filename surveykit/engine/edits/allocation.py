"""Edits whose components compete for a budget: their importance is tracked while training, the least are dropped."""

from __future__ import annotations

import torch
from torch import Tensor

from surveykit.engine.edits.attach import Attached
from surveykit.engine.edits.hooks import Placed
from surveykit.recipes.sites import BudgetedEdit

SMOOTHING = 0.85
"""Weight of the past in the running averages (Zhang et al. 2023, section 4, and its scripts; PEFT's default)."""


class Allocation:
    """The budget of an attached stage; of no effect where no edit has one.

    The budget falls from all components to the target along a cubic curve (Zhang et al. 2023, equation 12), here
    from the first step to the last: the constant phases before and after it depend on the length of training.
    """

    def __init__(self, attached: Attached, steps: int) -> None:
        self.steps, self.done = steps, 0
        self.placed = [placed for placed in attached.placed if isinstance(placed.edit, BudgetedEdit)]
        self.averages: dict[int, tuple[Tensor, Tensor]] = {
            id(p): (torch.zeros_like(p, requires_grad=False), torch.zeros_like(p, requires_grad=False))
            for placed in self.placed
            for p in placed.part.parameters()
        }

    def budget(self) -> int:
        """Components that may stay after so many steps."""
        first = sum(_edit(placed).rank for placed in self.placed)
        last = sum(_edit(placed).target for placed in self.placed)
        return last + int((first - last) * (1 - self.done / self.steps) ** 3)

    @torch.no_grad()
    def step(self) -> None:
        """After each step of the optimizer, while the gradients are still there."""
        self.done += 1
        if not self.placed:
            return
        for placed in self.placed:
            for p in placed.part.parameters():
                smooth, doubt = self.averages[id(p)]
                now = torch.zeros_like(p) if p.grad is None else (p * p.grad).abs()
                smooth.lerp_(now, 1 - SMOOTHING)
                doubt.lerp_((now - smooth).abs(), 1 - SMOOTHING)
        for placed, kept in zip(self.placed, self.kept(), strict=True):
            _edit(placed).silence(placed.part, kept)

    def kept(self) -> list[Tensor]:
        """For each place, which components are within the budget; of equal ones the first."""
        importance = [self._importance(placed) for placed in self.placed]
        order = torch.argsort(torch.cat(importance), descending=True, stable=True)
        kept = torch.zeros(len(order), dtype=torch.bool, device=order.device)
        kept[order[: self.budget()]] = True
        return list(torch.split(kept, [len(one) for one in importance]))

    def _importance(self, placed: Placed) -> Tensor:
        scores = {}
        for name, value in placed.part.named_parameters():
            smooth, doubt = self.averages[id(value)]
            scores[name] = smooth * doubt
        return _edit(placed).importance(scores)

    @torch.no_grad()
    def finish(self) -> None:
        """Drop the components that are beyond the budget."""
        if not self.placed:
            return
        for placed, kept in zip(self.placed, self.kept(), strict=True):
            for name, value in _edit(placed).survivors(placed.part, kept).items():
                placed.part.get_parameter(name).data = value.clone()


def _edit(placed: Placed) -> BudgetedEdit:
    assert isinstance(placed.edit, BudgetedEdit)
    return placed.edit
