"""Side networks: they read the backbone's hidden states and give the output of its last stack."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from surveykit.engine.backbones import Slot
from surveykit.engine.parts import Part
from surveykit.recipes.sites import SideEdit, SideStack


class _Reader:
    """Collects the states of one stack during a forward pass."""

    def __init__(self, slot: Slot, part: Part) -> None:
        self.slot, self.part = slot, part
        self.states: list[Tensor] = []
        self.mask: Tensor | None = None

    def enter(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.states = []
        self.mask = kwargs.get("attention_mask")

    def read_input(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.states.append((args[0] if args else kwargs["hidden_states"]).detach())

    def read_output(self, module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        self.states.append((output[0] if isinstance(output, tuple) else output).detach())

    def stack(self) -> SideStack:
        mask = self.mask if self.mask is not None and self.mask.dim() == 2 else None
        return SideStack(self.slot.place, self.part, tuple(self.states), mask)


def run_beside(edit: SideEdit, placed: Sequence[tuple[Slot, Part]]) -> list[RemovableHandle]:
    """Hook a side network on the stacks it reads; the output of the last of them becomes the network's."""
    readers = [_Reader(slot, part) for slot, part in placed]
    handles: list[RemovableHandle] = []
    for reader in readers:
        blocks = reader.slot.blocks
        handles.append(reader.slot.module.register_forward_pre_hook(reader.enter, with_kwargs=True))
        handles.append(blocks[0].register_forward_pre_hook(reader.read_input, with_kwargs=True))
        handles += [block.register_forward_hook(reader.read_output) for block in blocks]
    handles.append(readers[-1].slot.module.register_forward_hook(_replace(edit, readers)))
    return handles


def _replace(edit: SideEdit, readers: Sequence[_Reader]) -> Callable[..., Any]:
    def hook(module: nn.Module, args: tuple[Any, ...], output: Any) -> Any:
        replaced = edit.output([reader.stack() for reader in readers])
        if isinstance(output, tuple):
            return (replaced, *output[1:])
        output.last_hidden_state = replaced
        return output

    return hook
