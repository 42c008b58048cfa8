"""What the linear layers of a block are: query, key, feed-forward…, told by known words and by where they stand.

A block has attentions, each a module that holds a query (or a matrix of query, key and value), and feed-forwards, which
are what else has known names. Layers of no known name (gates, routers, state spaces) have no role but `linear`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from torch import nn

from surveykit.engine.models.stacks import common_path, is_linear
from surveykit.recipes.base import Role

Inside = Literal["self", "cross", "feed_forward"]
Part = Literal[Role, "qkv", "kv", "gate_up"]
"""A role, or what one matrix has of several."""

_ATTENTION: Mapping[Part, str] = {
    "query": "q linear_q projection_query q_proj q_lin q_head q_attn q_b_proj q_gate_proj query query_proj query_key Wq to_q project_q",
    "key": "k linear_k projection_key k_proj k_lin k_head key key_proj Wk to_k project_k",
    "value": "v linear_v projection_value v_proj v_lin v_head value value_proj Wv to_v project_v v_proj_current v_proj_delayed",
    "qkv": "c_attn att_proj query_key_value qkv qkv_proj Wqkv W_pack in_proj",
    "kv": "kv_proj kv_b_proj to_kv",
    "attention_output": "o linear_out o_proj o_b_proj out_proj out_lin dense c_proj Wo to_out post_proj attention_out output proj",
}
_FEED_FORWARD: Mapping[Part, str] = {
    "feed_forward_gate": "gate_proj wi_0 w1 w_0 proj_up_gate",
    "feed_forward_in": (
        "up_proj fc1 wi wi_1 w3 w_1 lin1 linear1 linear_1 linear_fc1 layer_1 dense1 c_fc fc_in dense_h_to_4h intermediate "
        "proj_up input_linear Wi intermediate.dense intermediate_query.dense dense.dense ffn.0 ffn gate_up_proj"
    ),
    "feed_forward_out": (
        "down_proj fc2 wo w2 lin2 linear2 linear_2 linear_fc2 layer_2 dense2 c_proj fc_out dense_4h_to_h output proj_down "
        "output_linear Wo w_out output.dense output_query.dense ffn.2 ffn_output"
    ),
}
"""What models call their matrices: the last name of a path, or the last two."""
_NOT_FEED_FORWARD = ("router", "adapter", "norm", "bottleneck", ".gate.")
"""What stands in the paths of layers that only look like a feed-forward's."""
_NOT_ATTENTION = ("layout_",)
"""… like an attention's: LiLT's second stream, of another width, beside the words'."""
_CROSS = ("cross", "encoder_attn", "encdec")
"""What stands in the paths of attentions that read another stack."""
_FED = ("feed_forward", "feedforward", "ffn", "mlp", "_ff_")
"""What stands in the names of norms around a feed-forward."""


def _of(table: Mapping[Part, str]) -> dict[str, Part]:
    return {word: part for part, words in table.items() for word in words.split()}


_ATTENTION_WORDS, _FEED_FORWARD_WORDS = _of(_ATTENTION), _of(_FEED_FORWARD)


@dataclass(frozen=True)
class Group:
    """A sublayer of a block, by the paths of its modules in it."""

    inside: Inside
    around: str
    """The part of the block that is this sublayer's alone, its norms included; empty where there is none."""
    home: str
    """The module that it is, without its norms; of an attention, the one that attends. Empty where it is none."""
    parts: tuple[tuple[Part, str], ...] = ()
    """Its matrices, in the order of a forward pass."""
    norms: list[str] = field(default_factory=list)

    @property
    def is_module(self) -> bool:
        """Whether one module is the sublayer, which only an attention can be as the whole block."""
        return bool(self.home) or self.inside != "feed_forward"

    def paths(self, *parts: Part) -> list[str]:
        return [path for part, path in self.parts if part in parts]


def groups_of(modules: Mapping[str, nn.Module], *, reads_other: bool) -> tuple[Group, ...]:
    """The sublayers of a block, attentions first, with every norm of it in one of them.

    Args:
        modules: those of the block by their paths.
        reads_other: whether a second attention reads another stack.
    """
    linear = [path for path, module in modules.items() if is_linear(module)]
    attentions = list(_attentions(linear, modules, reads_other))
    taken = {path for group in attentions for _, path in group.parts}
    rest = [path for path in linear if path not in taken and not any(inside(path, g.home) for g in attentions)]
    found = (*attentions, *_feed_forwards(rest, modules)) or (Group("feed_forward", "", ""),)
    _share_norms(found, [path for path, module in modules.items() if is_norm(module)])
    return found


def has_experts(module: nn.Module) -> bool:
    """Whether a module holds experts, as modules or as tensors of three dimensions."""
    return "experts" in type(module).__name__.lower()


def is_norm(module: nn.Module) -> bool:
    """Whether a module normalizes, whatever its model calls it: its class has the word in its name, it is no table or
    matrix that is normalized, and its parts, if it has any, have no parameters."""
    if "norm" not in type(module).__name__.lower() or isinstance(module, nn.Embedding) or is_linear(module):
        return False
    return all(parameter is None for part in module.children() for parameter in part.parameters())


def attends(module: nn.Module) -> bool:
    """Whether a module's class is called an attention."""
    return any(word in type(module).__name__.lower() for word in ("attention", "attn", "mla"))


def _word(path: str, words: Mapping[str, Part]) -> tuple[str, Part | None]:
    """The home of a layer, and what it is there. A layer may be wrapped in a module that has its name."""
    path = path.removesuffix(".linear")
    home, _, last = path.rpartition(".")
    return home, words.get(".".join(path.split(".")[-2:])) or words.get(last)


def _attentions(linear: list[str], modules: Mapping[str, nn.Module], reads_other: bool) -> Iterator[Group]:
    homes: dict[str, list[tuple[Part, str]]] = {}
    linear = [path for path in linear if not any(word in path for word in _NOT_ATTENTION)]
    for path in linear:
        home, part = _word(path, _ATTENTION_WORDS)
        if part is not None and (attends(modules[home]) or not path.endswith("in_proj")):  # state spaces have it too
            homes.setdefault(home, []).append((part, path))
    asking = [home for home, parts in homes.items() if _asks({part for part, _ in parts}, modules[home])]
    for home in asking:
        if any(inside(home, other) and home != other for other in asking):
            continue  # an indexer inside an attention
        parts = [(part, path) for part, path in homes[home] if part != "attention_output"]
        if any(part == "query" for part, _ in parts):  # GPT-2's cross-attention: c_attn is key and value then
            parts = [("kv" if part == "qkv" else part, path) for part, path in parts]
        outputs = [path for part, path in homes[home] if part == "attention_output"]
        for around in (home, home.rpartition(".")[0]):
            if around and not outputs:
                outputs = [
                    p for p in linear if inside(p, around) and _word(p, _ATTENTION_WORDS)[1] == "attention_output"
                ]
        last: list[tuple[Part, str]] = [("attention_output", path) for path in outputs[-1:]]
        crosses = reads_other and any(word in home.lower() for word in _CROSS)
        whole, matrices = _attending(home, modules), tuple(_ordered(parts + last))
        yield Group("cross" if crosses else "self", _unit(home, modules), whole, matrices)


def _attending(home: str, modules: Mapping[str, nn.Module]) -> str:
    """The module that attends: that of the matrices, or the attention whose part it is."""
    names = home.split(".") if home else []
    around = [".".join(names[:length]) for length in range(len(names), 0, -1)]
    return next((path for path in around if attends(modules[path])), home)


def _asks(parts: set[Part], home: nn.Module) -> bool:
    """Whether a module is an attention: it has a query, and a value unless it reads that of another layer."""
    return "qkv" in parts or (
        "query" in parts and (bool(parts & {"value", "kv"}) or "att" in type(home).__name__.lower())
    )


def _feed_forwards(linear: list[str], modules: Mapping[str, nn.Module]) -> Iterator[Group]:
    """Layers up to the one that ends a feed-forward, or all of a part of the block that has experts."""
    units: dict[str, list[tuple[Part, str]]] = {}
    for path in linear:
        _, part = _word(path, _FEED_FORWARD_WORDS)
        if part is not None and not any(word in path for word in _NOT_FEED_FORWARD):
            units.setdefault(_unit(path, modules), []).append((part, path))
    experts = {
        path.rpartition(".")[0]: _unit(path, modules) for path, module in modules.items()
        if has_experts(module) and "." in path and "att" not in path
    }  # fmt: skip
    for unit in experts.values():
        units.setdefault(unit, [])
    waiting: list[tuple[Part, str]] = []
    for unit, parts in units.items():
        waiting += parts
        homes = [home for home, around in experts.items() if around == unit]
        if not homes and not any(part == "feed_forward_out" for part, _ in waiting):
            continue
        around = unit if len({_unit(path, modules) for _, path in waiting}) <= 1 else ""
        home = common_path([*(path.rpartition(".")[0] for _, path in waiting), *homes])
        yield Group("feed_forward", around, home, tuple(_ordered(waiting)))
        waiting = []


def _ordered(parts: Iterable[tuple[Part, str]]) -> list[tuple[Part, str]]:
    return sorted(parts, key=lambda one: _ORDER.index(one[0]))


_ORDER: tuple[Part, ...] = (
    "query", "qkv", "key", "kv", "value", "attention_output",
    "feed_forward_gate", "gate_up", "feed_forward_in", "feed_forward_out",
)  # fmt: skip


def _share_norms(groups: tuple[Group, ...], norms: list[str]) -> None:
    """A norm belongs to the sublayer that it stands in, or whose name it has; the last of a block to the feed-forward."""
    by_kind = {group.inside: group for group in reversed(groups)}
    between: list[str] = []
    for path in norms:
        holder = max(
            (g for g in groups if g.around and inside(path, g.around)),
            key=lambda g: len(g.home if inside(path, g.home) else ""),
            default=None,
        )
        if holder is None:
            holder = next(
                (
                    g
                    for g in groups
                    if not g.around and any(inside(path, p.rpartition(".")[0] or p) for _, p in g.parts)
                ),
                None,
            )
        if holder is None:
            between.append(path)
        else:
            holder.norms.append(path)
    fed = [path for path in between if any(word in path.lower() for word in _FED)]
    crossing = [path for path in between if any(word in path.lower() for word in _CROSS)]
    if not fed and len(between) > 1:
        fed = [between[-1]]
    for path in between:
        kind: Inside = "feed_forward" if path in fed else "cross" if path in crossing else "self"
        by_kind.get(kind, groups[0]).norms.append(path)


def _unit(path: str, modules: Mapping[str, nn.Module]) -> str:
    """The part of the block that a path is in: its first name, and the next where that is a list."""
    names, taken = path.split("."), 1
    while taken < len(names) and isinstance(modules.get(".".join(names[:taken])), nn.ModuleList):
        taken += 1
    return ".".join(names[:taken])


def inside(path: str, home: str) -> bool:
    """Whether a path is that of a module or of a part of it."""
    return not home or path == home or path.startswith(f"{home}.")
