"""Activation checkpointing: blocks keep their input, and are computed again in the backward pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from surveykit.catalog.training import Training
from surveykit.engine.edits.hidden_states import read_by
from surveykit.engine.models.model import Instance
from surveykit.engine.trace.autocast import autocast_as_on_cuda
from surveykit.engine.trace.memory import Memory
from surveykit.errors import SettingError


@contextmanager
def checkpointed(instance: Instance, memory: Memory, training: Training) -> Iterator[None]:
    """Let the model checkpoint its blocks, as transformers does without reentrant autograd.

    Raises:
        SettingError: transformers does not checkpoint models of this class.
    """
    if training.checkpointing == "none":
        yield
        return
    model = instance.model
    how: dict[str, Any] = {"use_reentrant": False, "preserve_rng_state": False}  # no figure depends on chance
    if training.autocast:
        how["context_fn"] = lambda: (nullcontext(), autocast_as_on_cuda())
    try:
        model.activation_checkpointing_enable(how, training.checkpoint_every)
    except ValueError as error:
        what = f"transformers has no checkpointing for {type(model).__name__}: take --checkpointing none"
        raise SettingError(f"{instance.name}: {what}") from error
    handles: list[RemovableHandle] = []
    try:
        if training.checkpointing == "offloaded":
            handles += _offload(instance, memory)
        yield
    finally:
        for handle in handles:
            handle.remove()
        model.activation_checkpointing_disable()
        if hasattr(model, "_require_grads_hooks"):  # enabling lets gradients reach the embeddings' output
            model.disable_input_require_grads()


def _offload(instance: Instance, memory: Memory) -> Iterator[RemovableHandle]:
    """Move the input of a block to the host once the next block begins, and back when the block is computed again."""
    last: dict[str, Tensor] = {}

    def enter(stack: str) -> Callable[..., None]:
        def hook(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            read = read_by(args, kwargs)
            if torch._C._current_graph_task_id() != -1:  # in backward
                memory.move(read, to_host=False)
                return
            before = last.get(stack)
            if before is not None and before is not read:
                memory.move(before, to_host=True)
            last[stack] = read

        return hook

    for stack, block in instance.blocks:
        yield block.register_forward_pre_hook(enter(stack), with_kwargs=True)
