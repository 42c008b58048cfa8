"""Masks on an attached stage: a boolean beside each masked tensor, and a hook on its gradient."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from surveykit.recipes import Mask


class Masked:
    """The masked tensors of a stage. Chosen at random until `choose` is given scores."""

    def __init__(self, mask: Mask, tensors: Sequence[nn.Parameter]) -> None:
        self.mask = mask
        self.tensors = tuple(tensors)
        self.kept = [torch.zeros(t.shape, dtype=torch.bool, device=t.device) for t in self.tensors]
        if self.tensors and not self.tensors[0].is_meta:
            generator = torch.Generator().manual_seed(0)
            self.choose({id(t): torch.rand(t.shape, generator=generator) for t in self.tensors})

    @property
    def entries(self) -> int:
        return sum(t.numel() for t in self.tensors)

    def entries_kept(self) -> int:
        """How many entries stay, whichever they are."""
        return sum(self.kept_of_each()) if self.mask.across == "tensor" else self.mask.kept(self.entries)

    def kept_of_each(self) -> list[int]:
        """Entries that stay of each tensor, where the same share of each does."""
        return [self.mask.kept(t.numel()) for t in self.tensors]

    def choose(self, scores: Mapping[int, Tensor]) -> None:
        """Keep the entries with the largest scores, given by identity of the tensor; of equal ones the first."""
        flat = [scores[id(t)].detach().flatten() for t in self.tensors]
        if self.mask.across == "tensor":
            chosen = [_largest(one, count) for one, count in zip(flat, self.kept_of_each(), strict=True)]
        else:
            together = _largest(torch.cat(flat), self.mask.kept(self.entries))
            chosen = list(torch.split(together, [len(one) for one in flat]))
        for kept, t, one in zip(self.kept, self.tensors, chosen, strict=True):
            kept.copy_(one.reshape(t.shape))

    def keep_all(self) -> None:
        """Let gradients through everywhere, so that scores are of all entries."""
        for kept in self.kept:
            kept.fill_(True)

    def rewind(self, to: Mapping[int, Tensor]) -> None:
        """Set what is not kept to the given values, by identity of the tensor."""
        with torch.no_grad():
            for kept, t in zip(self.kept, self.tensors, strict=True):
                t.copy_(torch.where(kept, t, to[id(t)].to(t.device)))

    def hook(self) -> list[RemovableHandle]:
        """Give no gradient to what is not kept."""
        handles = []
        for t, kept in zip(self.tensors, self.kept, strict=True):
            handle: RemovableHandle = t.register_hook(_masking(kept))  # type: ignore[no-untyped-call]
            handles.append(handle)
        return handles


def _largest(scores: Tensor, count: int) -> Tensor:
    order = torch.argsort(scores, descending=True, stable=True)
    kept = torch.zeros(scores.shape, dtype=torch.bool)
    kept[order[:count]] = True
    return kept


def _masking(kept: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda gradient: gradient * kept
