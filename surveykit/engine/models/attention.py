"""Which of transformers' attention implementations the parts of a model run; each part has a configuration of its own."""

from __future__ import annotations

from collections.abc import Callable

from transformers import PreTrainedModel


def parts(model: PreTrainedModel) -> list[PreTrainedModel]:
    """The model and the models within it that have a configuration of their own, the whole before its parts."""
    found = {id(part.config): part for part in reversed([*model.modules()]) if isinstance(part, PreTrainedModel)}
    return [*found.values()][::-1]


class Implementations:
    """The attention implementations of a model's parts as they are now, so that they can be put back."""

    def __init__(self, model: PreTrainedModel) -> None:
        self._now = [(part.config, part.config._attn_implementation or "eager") for part in parts(model)]

    def change(self, to: Callable[[str], str]) -> None:
        """Let each part run another, named by the one that it runs now."""
        for config, now in self._now:  # the whole before its parts, which it would set too
            config._attn_implementation = to(now)

    def put_back(self) -> None:
        """Let each part run what it ran at first."""
        self.change(lambda now: now)
