"""What a model is trained for: how its outputs on a batch become a loss."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

Batch = Mapping[str, Tensor]
"""`input_ids` and `attention_mask`, each (examples, positions), and `labels`. Every tensor has one row per example."""
IGNORED = -100
"""Label of positions that do not count."""


@dataclass(frozen=True)
class Answer:
    """What a model makes of a batch."""

    loss: Tensor
    scores: Tensor
    """Logits of what the loss counts, (rows, classes)."""
    outputs: Tensor
    """What the model itself gives at the batch's own positions, a prompt's left out."""


class Objective(ABC):
    """How outputs become a loss. Some need a head of their own, which is no part of the model or of any count."""

    def start(self) -> None:  # noqa: B027 (most have no head)
        """Set the head to its starting values."""

    def parameters(self) -> Iterable[nn.Parameter]:
        """Those of the head, trained along with every method."""
        return ()

    @abstractmethod
    def answer(self, model: nn.Module, batch: Batch) -> Answer: ...


class OwnLoss(Objective):
    """Sequence to sequence: the model's own loss on the labels, (examples, positions of the target)."""

    def answer(self, model: nn.Module, batch: Batch) -> Answer:
        out = model(**batch, use_cache=False)
        logits = out.logits[:, -batch["labels"].shape[1] :]  # a prompt of the decoder adds positions before the labels'
        return Answer(out.loss, logits[batch["labels"] != IGNORED], logits)


class NextToken(Objective):
    """A decoder alone: the labels are its input, ignored but for what it should write."""

    def answer(self, model: nn.Module, batch: Batch) -> Answer:
        mask, labels = batch["attention_mask"], batch["labels"][:, 1:]
        out = model(input_ids=batch["input_ids"], attention_mask=mask, use_cache=False)
        logits = out.logits[:, -mask.shape[1] :]
        scores = logits[:, :-1][labels != IGNORED]
        return Answer(functional.cross_entropy(scores, labels[labels != IGNORED]), scores, logits[mask.bool()])


class Classified(Objective):
    """An encoder alone: a linear head on the average of its last hidden states; labels are classes, (examples).

    The average is over the text's own positions: padding and soft prompts are left out, and so is a pooler.
    """

    STANDARD_DEVIATION = 0.02
    """Of the head's first weights; those of BERT's own classifier start alike."""

    def __init__(self, width: int, classes: int) -> None:
        self.head = nn.Linear(width, classes)

    def start(self) -> None:
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            self.head.weight.normal_(std=self.STANDARD_DEVIATION, generator=generator)
            self.head.bias.zero_()

    def parameters(self) -> Iterable[nn.Parameter]:
        return self.head.parameters()

    def answer(self, model: nn.Module, batch: Batch) -> Answer:
        mask = batch["attention_mask"]
        out = model(input_ids=batch["input_ids"], attention_mask=mask, output_hidden_states=True)
        states = out.hidden_states[-1] if getattr(out, "last_hidden_state", None) is None else out.last_hidden_state
        states = states[:, -mask.shape[1] :]
        scores = self.head((states * mask[..., None]).sum(dim=1) / mask.sum(dim=1, keepdim=True))
        return Answer(functional.cross_entropy(scores, batch["labels"]), scores, states[mask.bool()])


class HeadLoss(Objective):
    """A model with a task's head of its own, which is counted like the rest; labels are classes, (examples)."""

    def answer(self, model: nn.Module, batch: Batch) -> Answer:
        out = model(**batch)
        return Answer(out.loss, out.logits, out.logits)


OWN_LOSS, HEAD_LOSS = OwnLoss(), HeadLoss()


def divergence(first: Tensor, second: Tensor) -> Tensor:
    """Half the sum of both Kullback-Leibler divergences of two sets of logits (positions, classes), averaged."""
    p, q = first.log_softmax(dim=-1), second.log_softmax(dim=-1)
    return ((p.exp() - q.exp()) * (p - q)).sum(dim=-1).mean() / 2
