"""The places of a live model: its family's map of roles, read from the modules that are there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from surveykit.engine.models.roles import Family, Group, Inside, Stack
from surveykit.errors import SurveyError
from surveykit.recipes import Place, Role, Sublayer
from surveykit.recipes.base import LINEAR_ROLES, Site


@dataclass(frozen=True)
class Rows:
    """The features of a layer's output that are one role's: the same ones in each of equal groups."""

    groups: int
    start: int
    stop: int

    def of(self, tensor: Tensor, dim: int) -> Tensor:
        """These features of a tensor that has all of the layer's along `dim`."""
        dim %= tensor.dim()
        return self._grouped(tensor, dim).narrow(dim + 1, self.start, self.stop - self.start).flatten(dim, dim + 1)

    def put(self, tensor: Tensor, part: Tensor, dim: int) -> Tensor:
        """Such a tensor with other values of these features."""
        dim %= tensor.dim()
        whole = self._grouped(tensor, dim)
        before = whole.narrow(dim + 1, 0, self.start)
        behind = whole.narrow(dim + 1, self.stop, whole.shape[dim + 1] - self.stop)
        return torch.cat((before, self._grouped(part, dim), behind), dim + 1).flatten(dim, dim + 1)

    def _grouped(self, tensor: Tensor, dim: int) -> Tensor:
        return tensor.reshape(*tensor.shape[:dim], self.groups, -1, *tensor.shape[dim + 1 :])


@dataclass(frozen=True)
class BoundPlace:
    """A place together with the modules that are there."""

    place: Place
    module: nn.Module
    """What gives the place's output: a matrix, a norm, a table; of a sublayer, itself or its last matrix."""
    reads: nn.Module | None = None
    """Of a sublayer: the module whose input is what it reads. An attention's is the one that attends."""
    inside: tuple[nn.Module, ...] = ()
    """Of a sublayer that is no module of its own: its matrices."""
    blocks: tuple[nn.Module, ...] = ()
    """The blocks of a stack, where the module is one."""
    positions: int | None = None
    """How many positions a stack can read; None where texts may have any length."""
    unable: Mapping[Site, str] = field(default_factory=dict)
    """Sites whose edits do not fit here, each with the reason."""
    fused: tuple[Role, ...] = ()
    """The roles that share the matrix, this one among them; () where it has one role."""
    rows: Rows | None = None
    """Which of the matrix's outputs are this role's, where others share it."""

    def at(self, *, shape: tuple[int, ...] | None = None, places: int = 1) -> BoundPlace:
        """The same place, for a pretrained tensor of this shape, or for an edit that is in so many places."""
        return replace(self, place=replace(self.place, shape=shape or self.place.shape, places=places))

    @property
    def transposed(self) -> bool:
        """Whether the weight is stored as (fan_in, fan_out)."""
        return isinstance(self.module, Conv1D)

    def held(self) -> Iterator[nn.Module]:
        """The modules whose parameters are those of the place."""
        yield from self.inside or (self.module,)


@dataclass(frozen=True)
class _Widths:
    """What the places of one attention, and of the stack around it, have in common."""

    d_model: int
    inner: int
    keys: int
    heads: int
    d_ff: int
    buckets: int


def slots_of(family: Family, model: PreTrainedModel) -> Iterator[BoundPlace]:
    """Every place of a model; stacks that it lacks (an encoder taken alone) are passed over.

    Raises:
        SurveyError: a block is not laid out as the family's are.
    """
    names = {id(module): name for name, module in model.named_modules()}
    found = [
        replace(slot, place=replace(slot.place, name=names.get(id(slot.module), ""))) for slot in _slots(family, model)
    ]
    yield from found
    yield from _linear(model, found)


def _linear(model: PreTrainedModel, slots: Sequence[BoundPlace]) -> Iterator[BoundPlace]:
    """Every linear layer but the output layer, as a module of its own."""
    output = model.get_output_embeddings()
    known = {id(slot.module): slot for slot in reversed(slots) if slot.place.role in LINEAR_ROLES}
    stacks = [slot for slot in slots if slot.blocks]
    blocks = {id(m): (s.place, i) for s in stacks for i, b in enumerate(s.blocks) for m in b.modules()}
    outer = slots[0].place
    for name, module in model.named_modules():
        if not isinstance(module, nn.Linear | Conv1D) or module is output:
            continue
        if (slot := known.get(id(module))) is None:
            around, layer = blocks.get(id(module), (None, 0))
            place = replace(outer, sublayer="outside", layer=0, layers=0)
            if around is not None:
                inside: Sublayer = (
                    "encoder.feed_forward" if around.sublayer == "encoder.input" else "decoder.feed_forward"
                )
                place = replace(around, sublayer=inside, layer=layer)
            slot = BoundPlace(place, module)
        fan_in, fan_out = linear_widths(module)
        whole = replace(
            slot.place, role="linear", fan_in=fan_in, fan_out=fan_out, shape=tuple(module.weight.shape), name=name
        )
        yield replace(slot, place=whole, fused=(), rows=None)


def _slots(family: Family, model: PreTrainedModel) -> Iterator[BoundPlace]:
    base = cast(nn.Module, model.base_model)
    stacks = [stack for stack in family.stacks if find(base, stack.blocks) is not None]
    if not stacks:
        raise SurveyError(f"{type(model).__name__} has no {family.stacks[0].blocks}, where its family has its blocks")
    first = _blocks(base, stacks[0])[0]
    outer = _widths(first, stacks[0], stacks[0].sublayers["self"], model.config)
    for path in family.embeddings:
        if (table := find(base, path)) is not None:
            yield _slot(table, "embedding", "outside", outer)
    if (head := _head(family, model)) is not None:
        yield _slot(head, "head", "outside", outer)
    placed: set[int] = set()
    for stack in stacks:
        for slot in _stack(base, stack, family, model.config):
            if slot.place.role == "input":  # a prompt stands among the embeddings, which some models widen behind them
                width = cast(nn.Embedding, model.get_input_embeddings()).embedding_dim
                slot = replace(slot, place=replace(slot.place, d_model=width))
            placed.add(id(slot.module))
            yield slot
    for module in base.modules():
        if is_norm(module) and id(module) not in placed:
            yield _slot(module, "norm", "outside", outer)


def is_norm(module: nn.Module) -> bool:
    """Whether a module normalizes, whatever its model calls it: it has no parts, and its class has the word in its name."""
    return "norm" in type(module).__name__.lower() and next(module.children(), None) is None


def _positions(base: nn.Module, stack: Stack) -> int | None:
    table = find(base, stack.positions) if stack.positions else None
    if not isinstance(table, nn.Embedding):
        return None
    # RoBERTa begins to count behind the position of padding; BART and OPT leave out rows that they say.
    unused = int(getattr(table, "offset", 0)) or (-1 if table.padding_idx is None else table.padding_idx) + 1
    return table.num_embeddings - unused


def unplaced(family: Family, model: PreTrainedModel, slots: Iterable[BoundPlace]) -> Iterator[nn.Module]:
    """Modules in front of the head that are in no place, and no part of what is."""
    seen = {id(part) for slot in slots if slot.place.role != "input" for held in slot.held() for part in held.modules()}
    seen |= {id(_head(family, model))}
    yield from (module for module in cast(nn.Module, model.base_model).modules() if id(module) not in seen)


def find(base: nn.Module, path: str) -> nn.Module | None:
    """The module at a path; None where there is none."""
    found: Any = base
    for name in path.split(".") if path else ():
        found = found._modules.get(name) if isinstance(found, nn.Module) else None
    return found if isinstance(found, nn.Module) else None


def _head(family: Family, model: PreTrainedModel) -> nn.Module | None:
    layer = model.get_output_embeddings()
    if isinstance(layer, nn.Module):
        return layer
    return None if family.head is None else find(cast(nn.Module, model.base_model), family.head)


def _stack(base: nn.Module, stack: Stack, family: Family, config: Any) -> Iterator[BoundPlace]:
    side, blocks = stack.side, _blocks(base, stack)
    depth, norms = len(blocks), [_norms(block, stack) for block in blocks]
    own = [_widths(block, stack, stack.sublayers["self"], config) for block in blocks]
    inputs: Sublayer = "encoder.input" if side == "encoder" else "decoder.input"
    final: Sublayer = "encoder.final" if side == "encoder" else "decoder.final"
    unable: Mapping[Site, str] = {} if family.side_networks else {"side": "side networks are built like T5's stacks"}
    top = _slot(base.get_submodule(stack.path), "input", inputs, own[0], 0, depth)
    yield replace(top, blocks=blocks, unable=unable, positions=_positions(base, stack))
    for name, group in stack.sublayers.items():
        sublayer = cast(Sublayer, f"{side}.{name}")
        for i, block in enumerate(blocks):
            widths = _widths(block, stack, group, config) if name == "cross" else own[i]
            for norm in norms[i][name]:
                yield _slot(norm, "norm", sublayer, widths, i, depth)
            yield from _group(block, group, sublayer, widths, i, depth)
    for path, sublayer in (
        (path, place) for place, paths in ((inputs, stack.input_norms), (final, stack.norms)) for path in paths
    ):
        if (outer := find(base, path)) is not None:
            yield _slot(outer, "norm", sublayer, own[0])


def _blocks(base: nn.Module, stack: Stack) -> tuple[nn.Module, ...]:
    blocks = tuple(base.get_submodule(stack.blocks).children())
    if not blocks:
        raise SurveyError(f"the {stack.side} has no blocks")
    return blocks


def _norms(block: nn.Module, stack: Stack) -> dict[Inside, list[nn.Module]]:
    """Every norm of a block by the sublayer it belongs to, which its family says, or else the name it has there."""
    said = {
        id(find(block, path)): name
        for name, group in stack.sublayers.items() for path in group.roles.get("norm", ())
    }  # fmt: skip
    found: dict[Inside, list[nn.Module]] = {name: [] for name in stack.sublayers}
    for path, module in block.named_modules():
        if is_norm(module):
            fed = any(word in path for word in _FEED_FORWARD)
            found[said.get(id(module), "feed_forward" if fed else "self")].append(module)
    return found


_FEED_FORWARD = ("feed_forward", "feedforward", "ffn", "mlp")
"""What stands in the names of norms around a feed-forward."""


def _group(
    block: nn.Module, group: Group, sublayer: Sublayer, widths: _Widths, layer: int, depth: int
) -> Iterator[BoundPlace]:
    named = [(role, path) for role, paths in group.roles.items() if role != "norm" for path in paths]
    found = [(role, there) for role, path in named if (there := find(block, path)) is not None]
    modules: dict[Role, nn.Module] = dict(found)
    reads = find(block, group.reads)
    last: Role = "feed_forward_out" if "feed_forward_out" in group.roles else "attention_output"
    if reads is None or last not in modules:
        missing = group.reads if reads is None else group.roles[last][0]
        raise SurveyError(
            f"block {layer} of the {sublayer.partition('.')[0]} has no {missing}, where its family has it"
        )
    kind: Role = "feed_forward" if last == "feed_forward_out" else "attention"
    whole = _slot(reads if group.whole else modules[last], kind, sublayer, widths, layer, depth)
    inside = () if group.whole else tuple(m for r, m in found if r in LINEAR_ROLES)
    yield replace(whole, reads=reads, inside=inside)
    for role, module in found:
        slot = _slot(module, role, sublayer, widths, layer, depth)
        if role in group.fused:  # its part of the outputs is its own, the matrix is not
            rows = _rows(role, group, widths)
            width = rows.groups * (rows.stop - rows.start)
            slot = replace(slot, place=replace(slot.place, fan_out=width), fused=group.fused, rows=rows)
        yield slot


def _rows(role: Role, group: Group, widths: _Widths) -> Rows:
    groups = widths.heads if group.by_head else 1
    start = 0
    for other in group.fused:
        width = (widths.inner if other == "query" else widths.keys) // groups
        if other == role:
            return Rows(groups, start, start + width)
        start += width
    raise AssertionError(f"{role} is not among {group.fused}")


def _widths(block: nn.Module, stack: Stack, group: Group, config: Any) -> _Widths:
    """Of one block: others may be wider."""

    def sides(role: Role, of: Group = group) -> tuple[int, int]:
        path = of.roles[role][0]
        module = find(block, path)
        if module is None:
            raise SurveyError(f"a block of the {stack.side} has no {path}, where its family has it")
        return linear_widths(module)

    inner, d_model = sides("attention_output")
    keys = (sides("key")[1] - inner) // 2 if group.fused else sides("key")[1]
    heads = getattr(config, f"{stack.side}_attention_heads", None) or config.num_attention_heads
    d_ff = sides("feed_forward_out", stack.sublayers["feed_forward"])[0]
    return _Widths(d_model, inner, keys, heads, d_ff, getattr(config, "relative_attention_num_buckets", 0))


def _slot(
    module: nn.Module, role: Role, sublayer: Sublayer, widths: _Widths, layer: int = 0, layers: int = 0
) -> BoundPlace:
    weight = getattr(module, "weight", None)
    shape = tuple(weight.shape) if isinstance(weight, Tensor) else ()
    if role in LINEAR_ROLES or role == "head":
        fan_in, fan_out = linear_widths(module)
    else:
        fan_in = fan_out = shape[-1] if role == "norm" and shape else widths.d_model
    return BoundPlace(
        Place(
            role, sublayer, layer, layers, fan_in, fan_out, widths.d_model, widths.inner, widths.heads, widths.d_ff,
            shape, widths.buckets, keys=widths.keys,
        ),
        module,
    )  # fmt: skip


def linear_widths(module: nn.Module) -> tuple[int, int]:
    """Features that a linear layer reads and gives.

    Raises:
        SurveyError: it is no linear layer that recipes know.
    """
    if isinstance(module, Conv1D):
        return module.nx, module.nf
    if isinstance(module, nn.Linear):
        return module.in_features, module.out_features
    raise SurveyError(f"a {type(module).__name__} stands where a linear layer is expected")
