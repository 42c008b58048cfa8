"""A step of every optimizer that a record of training can name, as a trace needs it.

It allocates and keeps what the optimizer does on CUDA. The learning rate is 0: a trace leaves real weights as they were.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import compress, pairwise
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.optim import SGD, AdamW
from transformers.optimization import Adafactor

from surveykit.catalog.training import Training
from surveykit.engine.edits.attach import Attached
from surveykit.engine.train.optimizers import PreconditionedAdamW, ProjectedAdamW, factor_pairs, projected_by
from surveykit.recipes import Preconditioning, Projection, Where
from surveykit.recipes.optimizers import Reduced

SMALLEST_IN_8_BITS = 4096
"""Numbers in a tensor from which on bitsandbytes holds its moments in 8 bits."""
BLOCK = 256
"""Numbers of an 8-bit moment that share a float32 scale."""
SMALLEST_PAGED = 100_000
"""Numbers in a tensor from which on bitsandbytes lets its moments be paged."""
MATRICES = Where(
    roles=("query", "key", "value", "attention_output", "feed_forward_in", "feed_forward_gate", "feed_forward_out")
)
GALORE = Projection(kind="projected_gradient", where=MATRICES, rank=128, every=200, scale=0.25)
"""As transformers' Trainer runs GaLore unless it is told otherwise, on the linear layers of attentions and feed-forwards."""


class Stepper(Protocol):
    """What a trace asks of an optimizer: its first step makes its state, which lives as long as itself."""

    def step(self) -> Any: ...


def stepper(training: Training, attached: Attached | None, parameters: Sequence[nn.Parameter]) -> Stepper:
    """The optimizer of a training step, on meta or CPU; parameters without a gradient are left out of each step.

    Args:
        attached: what is trained; its stage's own rule goes before the record's, where it holds or makes something of
            its own. Without it, GaLore knows no places of matrices, and is plain AdamW.
        parameters: the tensors that are trained, in the order in which the optimizer gets them.
    """
    rule = _rule(training, attached, parameters)
    return MasterWeights(parameters, rule) if training.master_weights else rule(parameters)


def pageable_bytes(training: Training, parameters: Sequence[nn.Parameter]) -> int:
    """Bytes of moments that may move to the host where memory is short; 0 unless the optimizer is a paged one. They are in
    CUDA's managed memory, which torch's own count of what is allocated leaves out."""
    width = {"paged-adamw": 8, "paged-adamw-8bit": 2}.get(training.optimizer, 0)
    return width * sum(p.numel() for p in parameters if p.numel() >= SMALLEST_PAGED)


def _rule(
    training: Training, attached: Attached | None, parameters: Sequence[nn.Parameter]
) -> Callable[[Sequence[nn.Parameter]], Stepper]:
    """What makes the optimizer of tensors that stand for the parameters, one for each."""
    own = attached.stage.optimizer if attached is not None else None
    if isinstance(own, Preconditioning) and attached is not None:
        number = {id(p): n for n, p in enumerate(parameters)}
        pairs = factor_pairs(attached)

        def preconditioned(held: Sequence[nn.Parameter]) -> Stepper:
            stands_for = [tuple(held[number[id(p)]] if id(p) in number else p for p in pair) for pair in pairs]
            return PreconditionedAdamW(own, stands_for, held, 0.0)  # type: ignore[arg-type]

        return preconditioned
    galore = GALORE if training.optimizer == "galore" else None
    projection = own if isinstance(own, Reduced) else galore
    if projection is not None:
        named = set() if attached is None else projected_by(projection, attached.instance)
        chosen = [id(p) in named for p in parameters]
        others = [not one for one in chosen]
        return lambda held: ProjectedAdamW(projection, [*compress(held, chosen)], compress(held, others), 0.0)
    match training.optimizer:
        case "adamw-foreach":
            return lambda held: AdamW(held, lr=0.0, weight_decay=0.0, foreach=True)
        case "adamw-fused":
            return lambda held: StateAlone(held, _like_parameters)
        case "adamw-8bit" | "paged-adamw-8bit":
            return lambda held: StateAlone(held, _in_8_bits)
        case "paged-adamw":
            return lambda held: StateAlone(held, _in_single)
        case "sgd":
            return lambda held: SGD(held, lr=0.0, foreach=False)
        case "adafactor":  # as transformers' Trainer runs it
            return lambda held: Adafactor(held, lr=0.0, scale_parameter=False, relative_step=False)
        case "lion":
            return lambda held: StateAlone(held, _one_in_single)
        case _:
            return _one_by_one


def _one_by_one(parameters: Sequence[nn.Parameter]) -> Stepper:
    if any(p.is_meta for p in parameters):
        return OneByOne(parameters)
    return AdamW(parameters, lr=0.0, weight_decay=0.0, foreach=False)


class OneByOne:
    """torch's AdamW on meta, where it need not step every tensor: the most that it holds is the same.

    It goes from tensor to tensor, and what it made for one is there until it has made the next one's. So each pair of layouts
    that follow each other is stepped once.
    """

    def __init__(self, parameters: Sequence[nn.Parameter]) -> None:
        self._parameters = parameters
        self._moments: dict[nn.Parameter, tuple[Tensor, Tensor]] = {}

    def step(self) -> None:
        stepped = [p for p in self._parameters if p.grad is not None]
        if not self._moments:
            self._moments = {p: (torch.zeros_like(p.detach()), torch.zeros_like(p.detach())) for p in stepped}
            return
        for neighbours in _unlike(stepped):
            optimizer = AdamW(neighbours, lr=0.0, weight_decay=0.0, foreach=False)
            for p in neighbours:
                average, square = self._moments[p]
                optimizer.state[p] = {"step": torch.tensor(1.0), "exp_avg": average, "exp_avg_sq": square}
            optimizer.step()


def _unlike(parameters: Sequence[nn.Parameter]) -> list[list[nn.Parameter]]:
    """Runs of neighbours in which each pair of layouts that follow each other among all does so once."""
    runs: list[list[nn.Parameter]] = []
    seen: set[Any] = set()
    for before, p in pairwise([None, *parameters]):
        assert p is not None
        pair = None if before is None else _layout(before), _layout(p)
        if pair in seen:
            continue
        seen.add(pair)
        if not runs or runs[-1][-1] is not before:
            runs.append([] if before is None else [before])
        runs[-1].append(p)
    return runs


def _layout(p: nn.Parameter) -> tuple[Any, ...]:
    return tuple((t.shape, t.stride(), t.dtype) for t in (p, p.grad) if t is not None)


class StateAlone:
    """An optimizer whose kernels make nothing on the way: all that it takes is its state."""

    def __init__(self, parameters: Sequence[nn.Parameter], state: Callable[[Tensor], dict[str, Tensor]]) -> None:
        self.parameters = parameters
        self.state: dict[nn.Parameter, dict[str, Tensor]] = {}
        self._state_of = state

    def step(self) -> None:
        for p in self.parameters:
            if p.grad is not None and p not in self.state:
                self.state[p] = self._state_of(p.detach())


def _like_parameters(p: Tensor) -> dict[str, Tensor]:
    """torch's fused AdamW: moments of the parameter's type, and a counter on the device."""
    counter = torch.zeros((), dtype=torch.float32, device=p.device)
    return {"step": counter, "exp_avg": torch.zeros_like(p), "exp_avg_sq": torch.zeros_like(p)}


def _in_single(p: Tensor) -> dict[str, Tensor]:
    """AdamW of bitsandbytes: float32 moments whatever the parameter's type."""
    return {name: torch.zeros_like(p, dtype=torch.float32) for name in ("state1", "state2")}


def _one_in_single(p: Tensor) -> dict[str, Tensor]:
    """Lion of bitsandbytes: one float32 moment whatever the parameter's type."""
    return {"state1": torch.zeros_like(p, dtype=torch.float32)}


def _in_8_bits(p: Tensor) -> dict[str, Tensor]:
    """8-bit AdamW of bitsandbytes."""
    if p.numel() < SMALLEST_IN_8_BITS:
        return _in_single(p)
    scales = {name: p.new_zeros(-(-p.numel() // BLOCK), dtype=torch.float32) for name in ("absmax1", "absmax2")}
    return {name: torch.zeros_like(p, dtype=torch.uint8) for name in ("state1", "state2")} | scales


class MasterWeights:
    """An optimizer that works on float32 copies of what is trained in 16 bits, and writes them back.

    The copies stay from its first step on; float32 gradients are there while it steps.
    """

    def __init__(self, parameters: Sequence[nn.Parameter], rule: Callable[[Sequence[nn.Parameter]], Stepper]) -> None:
        self._parameters, self._rule = parameters, rule
        self._copies: list[tuple[nn.Parameter, nn.Parameter]] = []
        self._optimizer: Stepper | None = None

    @torch.no_grad()
    def step(self) -> None:
        if self._optimizer is None:
            held = [p if p.itemsize >= 4 else nn.Parameter(p.detach().float()) for p in self._parameters]
            self._copies = [(p, copy) for p, copy in zip(self._parameters, held, strict=True) if copy is not p]
            self._optimizer = self._rule(held)
        for p, copy in self._copies:
            copy.grad = None if p.grad is None else p.grad.float()
        self._optimizer.step()
        for p, copy in self._copies:
            p.copy_(copy)
            copy.grad = None
