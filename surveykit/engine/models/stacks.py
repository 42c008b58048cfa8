"""Where a model's repeated blocks are: told by what its modules are and by transformers' own getters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby, takewhile
from typing import Any, Literal, cast

from torch import nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

Side = Literal["encoder", "decoder"]


@dataclass(frozen=True)
class Block:
    """One layer of a stack: a module, or several where a model keeps the parts of its layers in lists side by side."""

    parts: tuple[tuple[str, nn.Module], ...]
    """Each with its name: empty where it is the whole block."""

    @property
    def module(self) -> nn.Module:
        return self.parts[0][1]

    def named_modules(self) -> Iterator[tuple[str, nn.Module]]:
        """Every module of the block with its path in it."""
        for name, part in self.parts:
            yield from part.named_modules(prefix=name)

    def sublayers(self) -> Iterator[nn.Module]:
        """What it is made of, as far as it has parameters."""
        for name, part in self.parts:
            for child in (part,) if name else part.children():
                for inner in child if isinstance(child, nn.ModuleList) else (child,):
                    if any(True for _ in inner.parameters()):
                        yield inner


@dataclass(frozen=True)
class Stack:
    """Blocks that run one after another."""

    side: Side
    path: str
    """Of the module that holds the lists of blocks."""
    module: nn.Module
    part: PreTrainedModel
    """The part of the model that is the stack, with its embeddings."""
    blocks: tuple[Block, ...]
    own: bool
    """Whether it is the model's own encoder or decoder, not one that prepares images or sound for it."""

    @property
    def config(self) -> Any:
        """What transformers says of that part."""
        return self.part.config


def is_linear(module: nn.Module) -> bool:
    """Whether it is a layer that recipes can edit: transformers' Conv1D is one, whose weight lies the other way round."""
    return isinstance(module, nn.Linear | Conv1D)


def stacks_of(model: PreTrainedModel, sides: frozenset[Side]) -> tuple[Stack, ...]:
    """Every stack of a model, the encoder before the decoder.

    Args:
        sides: what the model's own stacks are, of one or of both kinds.
    """
    both = len(sides) == 2
    homes = {name: _module(model, f"get_{name}") for name in ("encoder", "decoder")} if both else {}
    text = model.config if both else text_config(model.config)
    base = cast(PreTrainedModel, model.base_model)
    found: list[Stack] = []

    def home_of(blocks: list[nn.Module], above: tuple[PreTrainedModel, ...]) -> str | None:
        return next((side for side, home in homes.items() if home in above or _holds(home, blocks)), None)

    for (_, home), group in groupby(_lists(base, "", (base,)), key=lambda one: (id(one[2][-1]), home_of(*one[1:]))):
        lists = list(group)
        above = lists[0][2]
        own = above[-1]
        limit = above.index(homes[home]) if home and homes[home] in above else 0
        beside = any("text" not in _modalities(part) for part in above[limit + 1 :])
        beside |= text is not model.config and type(own.config) is not type(text)
        side: Side = home or ("decoder" if both else next(iter(sides)))  # type: ignore[assignment]
        path = common_path([path.rpartition(".")[0] for path, _, _ in lists])
        blocks = tuple(_blocks([(path, list(elements)) for path, elements, _ in lists]))
        found.append(Stack(side, path, base.get_submodule(path), own, blocks, not beside))
    if any(stack.own for stack in found):
        found = [stack if stack.own else replace(stack, side="encoder") for stack in found]
    else:  # a model of images or sound alone
        found = [replace(stack, own=True) for stack in found]
    return tuple(sorted(found, key=lambda stack: (not stack.own, stack.side != "encoder")))


def _lists(
    module: nn.Module, path: str, above: tuple[PreTrainedModel, ...]
) -> Iterator[tuple[str, list[nn.Module], tuple[PreTrainedModel, ...]]]:
    """The outermost lists of blocks, each with its path and the models around it."""
    for name, child in module.named_children():
        inner = f"{path}.{name}" if path else name
        if isinstance(child, nn.ModuleList):
            if blocks := [block for element in child for block in _unpacked(element)]:
                yield inner, blocks, above
        elif isinstance(child, PreTrainedModel):
            yield from _lists(child, inner, (*above, child))
        else:
            yield from _lists(child, inner, above)


def _unpacked(element: nn.Module) -> Iterator[nn.Module]:
    """The blocks that an element of a list is: itself, or those of a list inside it (groups of ALBERT, stages of Swin)."""
    if is_linear(element):
        return
    if isinstance(element, nn.ModuleList):
        for inner in element:
            yield from _unpacked(inner)
        return
    for inner in element.children():
        if isinstance(inner, nn.ModuleList) and len({type(one) for one in inner}) == 1 and all(map(_attends, inner)):
            yield from inner
            return
    if any(is_linear(part) or "attention" in type(part).__name__.lower() for part in element.modules()):
        yield element


def _attends(module: nn.Module) -> bool:
    """Whether an attention is among its children."""
    return any("attention" in type(child).__name__.lower() for child in module.children())


def _blocks(lists: list[tuple[str, list[nn.Module]]]) -> Iterator[Block]:
    """Lists of one length side by side are parts of the same layers; others follow each other."""
    for _, group in groupby(lists, key=lambda one: (one[0].rpartition(".")[0], len(one[1]))):
        together = list(group)
        if len(together) == 1:
            yield from (Block((("", module),)) for module in together[0][1])
            continue
        names = [path.rpartition(".")[2] for path, _ in together]
        for parts in zip(*(modules for _, modules in together), strict=True):
            yield Block(tuple(zip(names, parts, strict=True)))


def common_path(paths: list[str]) -> str:
    """The longest path that all begin with."""
    names = zip(*(path.split(".") if path else [] for path in paths), strict=False)
    return ".".join(together[0] for together in takewhile(lambda one: len({*one}) == 1, names))


def _modalities(part: PreTrainedModel) -> tuple[str, ...]:
    said = part.input_modalities
    return (said,) if isinstance(said, str) else tuple(said or ("text",))


def text_config(config: Any) -> Any:
    """The configuration of the text part; the whole where a model has none of its own, or several."""
    try:
        return config.get_text_config()
    except ValueError:
        return config


def _module(model: PreTrainedModel, getter: str) -> nn.Module | None:
    try:
        found = getattr(model, getter)()
    except (AttributeError, NotImplementedError):  # it has none that transformers finds
        return None
    return found if isinstance(found, nn.Module) and found is not model else None


def _holds(home: nn.Module | None, blocks: list[nn.Module]) -> bool:
    return home is not None and any(module is blocks[0] for module in home.modules())
