"""The places of a live model: the roles of its layers, bound to the modules and with the widths that are there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from surveykit.engine.models.fused import Rows, Widths, linear_widths, rows_of, widths_of
from surveykit.engine.models.roles import Group, Part, attends, groups_of, inside, is_norm
from surveykit.engine.models.stacks import Stack, is_linear
from surveykit.errors import SurveyError
from surveykit.recipes import Place, Role, Sublayer
from surveykit.recipes.base import LINEAR_ROLES, MODULE_ROLES, Site


@dataclass(frozen=True)
class BoundPlace:
    """A place together with the modules that are there."""

    place: Place
    module: nn.Module
    """What gives the place's output: a matrix, a norm, a table; of a sublayer, itself or its last matrix."""
    reads: nn.Module | None = None
    """Of a sublayer: the module whose input is what it reads. An attention's is the one that attends. Of a stack's input: the
    table of tokens."""
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

    def at(self, **known: Any) -> BoundPlace:
        """The same place with what is known of it: the shape of a pretrained tensor, in how many places an edit is…"""
        return replace(self, place=replace(self.place, **known))

    @property
    def transposed(self) -> bool:
        """Whether the weight is stored as (fan_in, fan_out)."""
        return isinstance(self.module, Conv1D)

    def held(self) -> Iterator[nn.Module]:
        """The modules whose parameters are those of the place."""
        yield from self.inside or (self.module,)


_SIDE_NETWORKS = ("t5", "mt5", "umt5")
"""Types whose stacks are built like the blocks of side networks."""
_POOLER = "pooler.dense"
"""The head of an encoder alone, by its path in the base model."""


def slots_of(model: PreTrainedModel, stacks: Sequence[Stack]) -> Iterator[BoundPlace]:
    """Every place of a model.

    Raises:
        SurveyError: it has no blocks.
    """
    names = {id(module): name for name, module in model.named_modules()}
    found = [
        replace(slot, place=replace(slot.place, name=names.get(id(slot.module), ""))) for slot in _slots(model, stacks)
    ]
    yield from found
    yield from _linear(model, stacks, found)


def _linear(model: PreTrainedModel, stacks: Sequence[Stack], slots: Sequence[BoundPlace]) -> Iterator[BoundPlace]:
    """Every linear layer but the output layer, as a module of its own."""
    output = output_layer(model)
    known = {id(slot.module): slot for slot in reversed(slots) if slot.place.role in LINEAR_ROLES}
    blocks = {id(m): (s, i) for s in reversed(stacks) for i, b in enumerate(s.blocks) for _, m in b.named_modules()}
    outer = replace(slots[0].place, sublayer="outside", layer=0, layers=0)
    for name, module in model.named_modules():
        if not is_linear(module) or module is output:
            continue
        if (slot := known.get(id(module))) is None:
            stack, layer = blocks.get(id(module), (None, 0))
            place = outer
            if stack is not None:
                beside = cast(Sublayer, f"{stack.side}.feed_forward")
                place = replace(outer, sublayer=beside, layer=layer, layers=len(stack.blocks))
            slot = BoundPlace(place, module)
        fan_in, fan_out = linear_widths(module)
        shape = tuple(cast(Tensor, module.weight).shape)
        whole = replace(slot.place, role="linear", fan_in=fan_in, fan_out=fan_out, shape=shape, name=name)
        yield replace(slot, place=whole, fused=(), rows=None)


def _slots(model: PreTrainedModel, stacks: Sequence[Stack]) -> Iterator[BoundPlace]:
    base = cast(nn.Module, model.base_model)
    bound = [_BoundStack(stack) for stack in stacks]
    if not bound:
        raise SurveyError(f"{type(model).__name__} has no blocks: no list of modules with linear layers or attentions")
    outer = bound[0].widths
    within = {id(part) for stack in stacks for block in stack.blocks for _, part in block.named_modules()}
    tables = list(_tables(base, stacks, within))
    for _, table in tables:
        yield _slot(table, "embedding", "outside", outer)
    if (head := head_of(model)) is not None:
        yield _slot(head, "head", "outside", outer)
    norms = [(path, m) for path, m in base.named_modules() if is_norm(m) and id(m) not in within]
    read = token_table(model)
    entered: set[str] = set()
    for stack in bound:
        side = stack.stack.side
        if stack.stack.own and side not in entered:  # a prompt stands where its text enters, once
            entered.add(side)
            yield stack.entry(read, _positions(tables, stack.stack), model.config.model_type)
        yield from stack.places()
        for which in ("input", "final"):
            for path, module in norms:
                if _around(path, stacks) == (stack.stack, which):
                    yield _slot(module, "norm", cast(Sublayer, f"{side}.{which}"), stack.widths)
    for path, module in norms:
        if _around(path, stacks) is None:
            yield _slot(module, "norm", "outside", outer)


def _around(path: str, stacks: Sequence[Stack]) -> tuple[Stack, str] | None:
    """The stack whose embeddings or last block a norm follows, if it stands beside the blocks or among embeddings."""
    beside = next((stack for stack in stacks if stack.path == path.rpartition(".")[0]), None)
    if "embed" in path:
        return beside or stacks[0], "input"
    return None if beside is None else (beside, "final")


def _tables(base: nn.Module, stacks: Sequence[Stack], within: set[int]) -> Iterator[tuple[str, nn.Embedding]]:
    """Every table of tokens, positions or types, each once; a table of distances is none."""
    beside = {id(m) for stack in stacks if not stack.own for m in stack.part.modules()}
    seen: set[int] = set()
    for path, module in base.named_modules():
        if not isinstance(module, nn.Embedding) or id(module) in within | beside or id(module.weight) in seen:
            continue
        if not path.rpartition(".")[2].startswith("rel"):
            seen.add(id(module.weight))
            yield path, module


def _positions(tables: Sequence[tuple[str, nn.Embedding]], stack: Stack) -> int | None:
    """How many positions a stack's table of absolute positions has; None without one."""
    named = [(path, t) for path, t in tables if (last := path.rpartition(".")[2]) == "wpe" or "position" in last]
    own = [table for path, table in named if path.rpartition(".")[0] == stack.path]
    if not (own := own or [table for path, table in named if path.split(".")[0] not in ("encoder", "decoder")]):
        return None
    table = own[0]
    # RoBERTa begins to count behind the position of padding; BART and OPT leave out rows that they say.
    unused = int(getattr(table, "offset", 0)) or (-1 if table.padding_idx is None else table.padding_idx) + 1
    return table.num_embeddings - unused


def unplaced(model: PreTrainedModel, slots: Iterable[BoundPlace]) -> Iterator[nn.Module]:
    """Modules in front of the head that are no matrix, norm or table of a role, and no part of one."""
    placed = [slot for slot in slots if slot.place.role not in MODULE_ROLES | {"input", "linear", "block"}]
    seen = {id(part) for slot in placed for held in slot.held() for part in held.modules()}
    head = head_of(model)
    seen |= {id(head)}
    of_head = set() if head is None else {id(parameter) for parameter in head.parameters()}
    for module in cast(nn.Module, model.base_model).modules():
        if id(module) not in seen and not any(id(parameter) in of_head for parameter in module._parameters.values()):
            yield module


def output_layer(model: PreTrainedModel) -> nn.Module | None:
    """What gives a model's scores, if it has such a layer."""
    layer = model.get_output_embeddings()
    return layer if isinstance(layer, nn.Module) else None


def token_table(model: PreTrainedModel) -> nn.Embedding | None:
    """The table of a model's tokens; None where it reads images or sound."""
    try:
        table = model.get_input_embeddings()
    except (NotImplementedError, AttributeError):
        return None
    return table if isinstance(table, nn.Embedding) else None


def head_of(model: PreTrainedModel) -> nn.Module | None:
    """The output layer, or the pooler of an encoder alone; None without either."""
    if (layer := output_layer(model)) is not None and is_linear(layer):
        return layer
    found: Any = model.base_model
    for name in _POOLER.split("."):
        found = found._modules.get(name) if isinstance(found, nn.Module) else None
    return found if isinstance(found, nn.Module) and is_linear(found) else None


class _BoundStack:
    """A stack with the groups and widths of each of its blocks."""

    def __init__(self, stack: Stack) -> None:
        self.stack, self.depth = stack, len(stack.blocks)
        self.modules: list[dict[str, nn.Module]] = []
        self.groups: list[tuple[Group, ...]] = []
        seen: set[int] = set()  # Zamba's blocks share an attention, which is one place
        for block in stack.blocks:
            modules = {path: module for path, module in block.named_modules() if id(module) not in seen}
            seen |= {id(module) for module in modules.values()}
            self.modules.append(modules)
            self.groups.append(groups_of(modules, reads_other=stack.side == "decoder" or not stack.own))
        crossing = any(group.inside == "cross" for groups in self.groups for group in groups)
        self.side = "decoder" if crossing else stack.side  # what reads another stack is a decoder
        self.own = [self._of_block(layer) for layer in range(self.depth)]
        self.widths = next((widths for widths in self.own if widths.inner), self.own[0])

    def _of_block(self, layer: int) -> Widths:
        attention = next((group for group in self.groups[layer] if group.inside == "self"), None)
        return widths_of(attention, self.groups[layer], self.modules[layer], self.stack.config, self.stack.side)

    def entry(self, read: nn.Embedding | None, positions: int | None, model_type: str) -> BoundPlace:
        """The stack itself: a prompt stands among the embeddings, which some models widen behind them."""
        slot = _slot(self.stack.module, "input", cast(Sublayer, f"{self.stack.side}.input"), self.widths, 0, self.depth)
        unable: dict[Site, str] = {}
        if model_type not in _SIDE_NETWORKS:
            unable["side"] = "side networks are built like T5's stacks"
        if read is None:
            unable["input"] = "a prompt stands among embedded tokens, and transformers names no table of them"
        else:
            slot = replace(slot, place=replace(slot.place, d_model=read.embedding_dim), reads=read)
        blocks = tuple(block.module for block in self.stack.blocks)
        return replace(slot, blocks=blocks, unable=unable, positions=positions)

    def places(self) -> Iterator[BoundPlace]:
        for kind in ("self", "cross", "feed_forward"):
            for layer, groups in enumerate(self.groups):
                for group in groups:
                    if group.inside == kind:
                        yield from self._group(group, layer)
        for layer, block in enumerate(self.stack.blocks):
            sublayer = cast(Sublayer, f"{self.side}.block")
            slot = _slot(block.module, "block", sublayer, self.widths, layer, self.depth)
            yield replace(slot, reads=block.module)

    def _group(self, group: Group, layer: int) -> Iterator[BoundPlace]:
        modules, sublayer = self.modules[layer], cast(Sublayer, f"{self.side}.{group.inside}")
        if group.inside == "feed_forward":
            own = self.own[layer]
            widths = own if own.inner else replace(self.widths, d_ff=own.d_ff)
        else:
            widths = widths_of(group, self.groups[layer], modules, self.stack.config, self.stack.side)

        def slot(path: str, role: Role) -> BoundPlace:
            return _slot(modules[path], role, sublayer, widths, layer, self.depth)

        for path in group.norms:
            yield slot(path, "norm")
        if not group.parts and not group.is_module:
            return
        last: Part = "feed_forward_out" if group.inside == "feed_forward" else "attention_output"
        outputs = group.paths(last)
        whole = group.is_module and all(inside(path, group.home) for path in outputs)
        reads = modules[group.home if group.is_module else group.parts[0][1]]
        around = slot(
            group.home if whole else outputs[-1], "feed_forward" if last == "feed_forward_out" else "attention"
        )
        held = () if whole else tuple(dict.fromkeys(modules[path] for _, path in group.parts))
        yield replace(around, reads=reads, inside=held, unable=self._unable(group, reads, widths))
        for part, path in group.parts:
            shared = rows_of(part, path, group, modules, widths)
            for role, rows in shared.items():
                bound = slot(path, role)
                yield replace(bound, place=replace(bound.place, fan_out=rows.width), fused=tuple(shared), rows=rows)
            if not shared:
                yield slot(path, cast(Role, part))
        for path in modules:
            if path.endswith("attention_bias") and inside(path, group.home) and isinstance(modules[path], nn.Embedding):
                yield slot(path, "position_bias")

    def _unable(self, group: Group, reads: nn.Module, widths: Widths) -> Mapping[Site, str]:
        """Whether keys and values can be put before those of an attention."""
        name = type(reads).__name__
        if group.inside == "feed_forward":
            return {}
        if not self.stack.own:
            return {"kv": "it goes on the stack that reads text"}
        own = name.removeprefix(type(self.stack.part).__name__.removesuffix("Model"))  # Kimi Linear's own has the word
        if any(word in own.lower() for word in _NO_KEYS) or not attends(reads):
            return {"kv": f"{name} keeps a state, not the keys and values of earlier positions"}
        return {} if widths.keys else {"kv": f"{name} reads the keys and values of another layer"}


_NO_KEYS = ("lightning", "linear", "delta")
"""What stands in the classes of attentions that keep a state instead of keys and values."""


def _slot(
    module: nn.Module, role: Role, sublayer: Sublayer, widths: Widths, layer: int = 0, layers: int = 0
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
            shape, widths.buckets, keys=widths.keys, values=widths.values,
        ),
        module,
    )  # fmt: skip
