"""Which of transformers' attention implementations the parts of a model run; each part has a configuration of its own."""

from __future__ import annotations

from collections.abc import Callable

from transformers import PreTrainedModel


class Implementations:
    """The attention implementations of a model's parts as they are now, so that they can be put back."""

    def __init__(self, model: PreTrainedModel) -> None:
        parts = [part for part in model.modules() if isinstance(part, PreTrainedModel)]
        self._now = [(part, part.config._attn_implementation or "eager") for part in parts]

    def change(self, to: Callable[[PreTrainedModel, str], str]) -> None:
        """Let each part run another, named by the part and by the one that it runs now."""
        for part, now in self._now:  # the whole before its parts, which it would set too
            part.config._attn_implementation = to(part, now)

    def put_back(self) -> None:
        """Let each part run what it ran at first."""
        self.change(lambda part, now: now)
