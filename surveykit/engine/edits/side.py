"""Side networks: they read the backbone's hidden states and give the output of the last stack they read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from surveykit.engine.edits.tensors import Part
from surveykit.engine.models.bound_places import BoundPlace
from surveykit.errors import RecipeError
from surveykit.recipes.sites import SideEdit, SideStack


class _Reader:
    """Collects what one stack computes during a forward pass, detached from the graph."""

    def __init__(self, slot: BoundPlace, part: Part) -> None:
        self.slot, self.part = slot, part
        self.states: list[Tensor] = []
        self.hidden: list[Tensor] = []
        self.mask: Tensor | None = None

    def enter(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.forget()
        # Here the mask is still that of the padding; inside the stack, heads and causality are already in it.
        self.mask = kwargs.get("attention_mask", args[1] if len(args) > 1 else None)
        if self.mask is not None and self.mask.dim() != 2:
            raise RecipeError(f"a side network reads a mask of 2 dimensions, not of {self.mask.dim()}")
        cache = kwargs.get("past_key_values")
        if cache is not None and cache.get_seq_length():
            raise RecipeError("a side network reads all positions at once; pass use_cache=False")

    def read_input(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.states.append((args[0] if args else kwargs["hidden_states"]).detach())

    def read_output(self, module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        self.states.append((output[0] if isinstance(output, tuple) else output).detach())

    def read_hidden(self, module: nn.Module, args: tuple[Any, ...]) -> None:
        self.hidden.append(args[0].detach())

    def hook(self, hidden: bool) -> list[RemovableHandle]:
        blocks = self.slot.blocks
        handles: list[RemovableHandle] = [
            self.slot.module.register_forward_pre_hook(self.enter, with_kwargs=True),
            blocks[0].register_forward_pre_hook(self.read_input, with_kwargs=True),
            *(block.register_forward_hook(self.read_output) for block in blocks),
        ]
        if hidden:
            handles += [_last_matrix(block).register_forward_pre_hook(self.read_hidden) for block in blocks]
        return handles

    def stack(self) -> SideStack:
        if not self.states:
            name = self.slot.place.sublayer.partition(".")[0]
            raise RecipeError(f"a side network reads the {name}, which did not run in this pass; pass its input_ids")
        cast = self.part.cast
        attention = next(m for m in self.slot.blocks[0].modules() if getattr(m, "has_relative_attention_bias", False))
        norm = self.slot.module.get_submodule("final_layer_norm")
        return SideStack(
            place=self.slot.place,
            parts=self.part,
            states=tuple(cast(state) for state in self.states),
            hidden=tuple(cast(state) for state in self.hidden),
            mask=self.mask,
            buckets=_buckets(attention, self.states[0]),
            position_bias=cast(attention.get_submodule("relative_attention_bias").weight.detach()),  # type: ignore[operator]
            final_norm=lambda state: cast(norm(state)),
        )

    def forget(self) -> None:
        self.states, self.hidden, self.mask = [], [], None


def _last_matrix(block: nn.Module) -> nn.Linear:
    """The matrix that ends a block's feed-forward."""
    return [module for module in block.modules() if isinstance(module, nn.Linear)][-1]


def _buckets(attention: Any, states: Tensor) -> Tensor:
    positions = torch.arange(states.shape[1], device=states.device)
    found: Tensor = attention._relative_position_bucket(
        positions[None, :] - positions[:, None],
        bidirectional=not attention.is_decoder,
        num_buckets=attention.relative_attention_num_buckets,
        max_distance=attention.relative_attention_max_distance,
    )
    return found


def run_beside(edit: SideEdit, placed: Sequence[tuple[BoundPlace, Part]]) -> list[RemovableHandle]:
    """Hook a side network on the stacks it reads; the output of the last of them becomes the network's."""
    readers = [_Reader(slot, part) for slot, part in placed]
    handles = [handle for reader in readers for handle in reader.hook(edit.reads_hidden)]
    handles.append(readers[-1].slot.module.register_forward_hook(_replace(edit, readers)))
    return handles


def _replace(edit: SideEdit, readers: Sequence[_Reader]) -> Callable[..., Any]:
    def hook(module: nn.Module, args: tuple[Any, ...], output: Any) -> Any:
        read = readers[-1].states[-1].dtype
        replaced = edit.output([reader.stack() for reader in readers]).to(read)
        for reader in readers:  # what the backward pass needs, the graph holds
            reader.forget()
        if isinstance(output, tuple):
            return (replaced, *output[1:])
        output.last_hidden_state = replaced
        return output

    return hook
