"""The optimizer of a stage."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from surveykit.engine.edits.attach import Attached
from surveykit.engine.models.model import Instance
from surveykit.recipes import FactorRates, GradientScale, Preconditioning, Projection
from surveykit.recipes.low_rank import ThinPair
from surveykit.recipes.optimizers import Reduced

MOST_GROWTH = 1.01
"""Times that the step of a matrix may be as long as the last one, where a rule limits it."""
_SMALL = 1e-8


def optimizer_for(attached: Attached, held: Sequence[nn.Parameter], rate: float) -> torch.optim.AdamW:
    """Adam without weight decay over the parameters that the stage trains, with what the stage says of it."""
    match attached.stage.optimizer:
        case Reduced() as rule:
            named = projected_by(rule, attached.instance)
            chosen = [p for p in held if id(p) in named]
            return ProjectedAdamW(rule, chosen, [p for p in held if id(p) not in named], rate)
        case Preconditioning() as rule:
            return PreconditionedAdamW(rule, factor_pairs(attached), held, rate)
        case FactorRates() as rule:
            faster = {id(up) for _, up in factor_pairs(attached)}
            groups: list[dict[str, Any]] = [
                {"params": [p for p in held if id(p) not in faster]},
                {"params": [p for p in held if id(p) in faster], "lr": rate * rule.up_rate},
            ]
            return torch.optim.AdamW(groups, lr=rate, weight_decay=0.0, foreach=False)
    return torch.optim.AdamW(held, lr=rate, weight_decay=0.0, foreach=False)


def factor_pairs(attached: Attached) -> list[tuple[Tensor, Tensor]]:
    """`down` and `up` of every low-rank update of a stage, trained or not."""
    return [(one.part.down, one.part.up) for one in attached.placed if isinstance(one.edit, ThinPair)]


def projected_by(rule: Reduced, instance: Instance) -> set[int]:
    """The matrices whose gradients a rule projects, by identity."""
    slots = [slot for slot in instance.slots if rule.where.matches(slot.place)]
    return {id(p) for slot in slots for p in slot.module.parameters() if p.dim() == 2}


class ProjectedAdamW(torch.optim.AdamW):
    """AdamW without weight decay, which for chosen matrices works on a proxy of few dimensions.

    The proxy of a matrix starts each step at zero, gets the projected gradient, and is moved by AdamW; what its move is to the
    matrix is the rule's. Between steps it holds nothing.

    Source: survey 9.7; Zhao et al. 2024, section 4.1 and algorithm 2 (the projection is on the smaller side); for factors on
    the gradient itself Zhu et al. 2024, algorithm 1.
    """

    def __init__(
        self, rule: Reduced, chosen: Sequence[nn.Parameter], others: Iterable[nn.Parameter], rate: float
    ) -> None:
        self.rule = rule
        self.chosen = tuple(chosen)
        self.proxies = tuple(nn.Parameter(p.detach().new_empty(0)) for p in chosen)
        self.bases: dict[int, Tensor] = {}
        """By number of the matrix: the directions that are kept, (rank, smaller side)."""
        self.lengths: dict[int, Tensor] = {}
        """By number of the matrix: how long its last step was, where a rule limits how it grows."""
        self.steps = 0
        groups = [{"params": [*self.proxies]}, {"params": [*others]}]
        super().__init__(groups, lr=rate, weight_decay=0.0, foreach=False)

    def zero_grad(self, set_to_none: bool = True) -> None:
        super().zero_grad(set_to_none)
        for p in self.chosen:
            p.grad = None

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> Any:
        projected, others = self.param_groups
        for number, (p, proxy) in enumerate(zip(self.chosen, self.proxies, strict=True)):
            if p.grad is not None:  # one by one, so that no more than one matrix is written out at a time
                if self.steps % self.rule.every == 0:
                    self.bases[number] = self._directions(p.grad, number)
                proxy.grad = None  # a gradient must have the shape of its tensor at all times
                proxy.data = torch.zeros_like(small := project(p.grad, self.bases[number]))
                proxy.grad = small
                self.param_groups = [{**projected, "params": [proxy]}]
                super().step()
                p.add_(self._move(p.grad, small, proxy, number))
                proxy.grad = None
                proxy.data = p.new_empty(0)
        self.param_groups = [others]
        loss = super().step(closure)
        self.param_groups = [projected, others]
        self.steps += 1
        return loss

    def _directions(self, gradient: Tensor, number: int) -> Tensor:
        if isinstance(self.rule, Projection):
            return directions(gradient, self.rule.rank)
        return random_directions(gradient, self.rule.rank, seed=number + self.steps * len(self.chosen))

    def _move(self, gradient: Tensor, small: Tensor, move: Tensor, number: int) -> Tensor:
        """What is added to a matrix, from the move of its proxy."""
        if isinstance(self.rule, Projection):
            return project_back(move, self.bases[number], gradient.shape) * self.rule.scale
        assert isinstance(self.rule, GradientScale)
        step = gradient * -factors(small, move, gradient.shape, self.rule.one)
        first, second = self.defaults["betas"]
        age = self.steps + 1  # what is limited is without Adam's correction of its first steps
        length = step.norm() * ((1 - first**age) / (1 - second**age) ** 0.5)
        if number in self.lengths:
            shrunk = (self.lengths[number] * MOST_GROWTH / (length + _SMALL)).clamp(max=1)
            step, length = step.mul_(shrunk), length * shrunk
        self.lengths[number] = length
        return step.mul_(self.rule.scale**0.5)


def factors(small: Tensor, move: Tensor, shape: torch.Size, one: str) -> Tensor:
    """How much longer a move is than the projected gradient that it is of: for each row or column of the whole gradient along
    its longer side, or for all of it."""
    along = None if one == "tensor" else 1 if shape[0] >= shape[1] else 0  # the side that was projected
    after, before = (torch.linalg.vector_norm(t, dim=along, keepdim=True) for t in (move, small))
    found: Tensor = after / (before + _SMALL)
    return found


def random_directions(gradient: Tensor, rank: int, seed: int) -> Tensor:
    """Random directions of a gradient's smaller side from a seed, of variance 1 / rank: (rank, smaller side)."""
    width = min(gradient.shape)
    rank = min(rank, width)
    found = gradient.new_empty(rank, width)
    if found.is_meta:
        return found
    drawn = torch.randn(rank, width, generator=torch.Generator().manual_seed(seed)) / rank**0.5
    return found.copy_(drawn)


class PreconditionedAdamW(torch.optim.AdamW):
    """AdamW without weight decay on gradients of low-rank factors that are preconditioned first, in place.

    Args:
        pairs: `down` (rank, fan_in) and `up` (fan_out, rank); what has no gradient is left out.
    """

    def __init__(
        self, rule: Preconditioning, pairs: Sequence[tuple[Tensor, Tensor]], held: Iterable[Tensor], rate: float
    ) -> None:
        self.rule = rule
        self.pairs = tuple(pairs)
        super().__init__(held, lr=rate, weight_decay=0.0, foreach=False)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> Any:
        for down, up in self.pairs:
            if self.rule.factors == "both" and down.grad is not None:
                down.grad.copy_(self._inverse(up.T) @ down.grad.float())
            if up.grad is not None:
                up.grad.copy_(up.grad.float() @ self._inverse(down))
        return super().step(closure)

    def _inverse(self, factor: Tensor) -> Tensor:
        """(rank, rank) from a factor (rank, width)."""
        wide = factor.float()  # there is no inverse in 16 bits
        square = wide @ wide.T
        inverse: Tensor = torch.linalg.pinv(square + self.rule.damping * torch.eye(len(square), device=square.device))
        return inverse


def directions(gradient: Tensor, rank: int) -> Tensor:
    """The leading singular directions of a gradient along its smaller side, (rank, smaller side)."""
    left, _, right = torch.linalg.svd(gradient.float(), full_matrices=False)  # there is none in 16 bits
    rows, columns = gradient.shape
    leading: Tensor = right[:rank] if rows >= columns else left[:, :rank].T
    return leading.to(gradient.dtype, copy=True)  # a view would keep every direction in memory


def project(gradient: Tensor, basis: Tensor) -> Tensor:
    """(fan_out, fan_in) → (fan_out, rank) where fan_in is the smaller side, else (rank, fan_in)."""
    rows, columns = gradient.shape
    return gradient @ basis.T if rows >= columns else basis @ gradient


def project_back(small: Tensor, basis: Tensor, shape: torch.Size) -> Tensor:
    """The way back of `project`, to the given shape."""
    rows, columns = shape
    return small @ basis if rows >= columns else basis.T @ small
