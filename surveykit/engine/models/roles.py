"""Which modules of a model are query, key, value, norm…: one map for each family of architectures, read by `models`.

A map is all that an architecture needs to be counted and run; recipes speak of roles and know no paths. Paths are
those of the base model (what `PreTrainedModel.base_model` gives), so that a head around it changes nothing. Of several
paths for a role, those that are there are meant: a plain T5 has `wi`, a gated one `wi_0` and `wi_1`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from surveykit.recipes.base import Role

Side = Literal["encoder", "decoder"]
Inside = Literal["self", "cross", "feed_forward"]


@dataclass(frozen=True)
class Group:
    """A sublayer, by paths inside its block."""

    reads: str
    """The module whose input is what the sublayer reads; of an attention, the one that attends."""
    roles: Mapping[Role, tuple[str, ...]]
    """Norms need no path: all of a block are found by their class. A path says to which sublayer one belongs, where its
    name does not."""
    whole: bool = True
    """Whether that module is the whole sublayer. If not, its last matrix gives the output, before dropout."""
    fused: tuple[Role, ...] = ()
    """Roles that are rows of one matrix, in this order."""
    by_head: bool = False
    """Whether these rows stand head by head: the query, key and value of the first head, then those of the second."""


@dataclass(frozen=True)
class Stack:
    side: Side
    path: str
    """The stack itself; its input is what prompts lengthen."""
    blocks: str
    """The list of its blocks."""
    sublayers: Mapping[Inside, Group]
    norms: tuple[str, ...] = ()
    """Norms behind the last block."""
    input_norms: tuple[str, ...] = ()
    """Norms of the embeddings."""
    positions: str | None = None
    """The table of its absolute positions, which ends; without one a stack reads texts of any length."""


@dataclass(frozen=True)
class Family:
    """What models of one layout have in common."""

    embeddings: tuple[str, ...]
    stacks: tuple[Stack, ...]
    head: str | None = None
    """The pooler of an encoder; where a model has an output layer, that is its head."""
    side_networks: bool = field(default=False, kw_only=True)
    """Whether side networks, which are built like T5's blocks, can run beside it."""

    @property
    def sides(self) -> frozenset[Side]:
        return frozenset(stack.side for stack in self.stacks)


def _attention(reads: str, names: str, *norms: str, whole: bool = True, inside: str | None = None) -> Group:
    """An attention with four matrices; `names` are query, key, value and output, inside `inside` (by default `reads`)."""
    home = reads if inside is None else inside
    query, key, value, output = (f"{home}.{name}" if "." not in name else name for name in names.split())
    return Group(
        reads,
        {
            "norm": norms, "query": (query,), "key": (key,), "value": (value,), "attention_output": (output,),
        },
        whole,
    )  # fmt: skip


def _fused(reads: str, fused: str, output: str, *norms: str, by_head: bool = False) -> Group:
    """An attention whose query, key and value are one matrix."""
    whole = f"{reads}.{fused}"
    roles: dict[Role, tuple[str, ...]] = {
        "norm": norms, "query": (whole,), "key": (whole,), "value": (whole,), "attention_output": (f"{reads}.{output}",),
    }  # fmt: skip
    return Group(reads, roles, fused=("query", "key", "value"), by_head=by_head)


def _feed_forward(reads: str, up: str, down: str, *norms: str, gate: str | None = None, whole: bool = True) -> Group:
    roles: dict[Role, tuple[str, ...]] = {
        "norm": norms, "feed_forward_gate": () if gate is None else (gate,), "feed_forward_in": tuple(up.split()),
        "feed_forward_out": (down,),
    }  # fmt: skip
    return Group(reads, roles, whole)


def _t5_attention(path: str, name: str) -> Group:
    found = _attention(f"{path}.{name}", "q k v o", f"{path}.layer_norm")
    return Group(found.reads, {**found.roles, "position_bias": (f"{found.reads}.relative_attention_bias",)})


def _t5_feed_forward(path: str) -> Group:
    dense = f"{path}.DenseReluDense"
    return _feed_forward(
        dense, f"{dense}.wi {dense}.wi_1", f"{dense}.wo", f"{path}.layer_norm", gate=f"{dense}.wi_0"
    )  # fmt: skip


_T5 = Family(
    ("shared",),
    (
        Stack(
            "encoder", "encoder", "encoder.block",
            {"self": _t5_attention("layer.0", "SelfAttention"), "feed_forward": _t5_feed_forward("layer.1")},
            ("encoder.final_layer_norm",),
        ),
        Stack(
            "decoder", "decoder", "decoder.block",
            {
                "self": _t5_attention("layer.0", "SelfAttention"), "cross": _t5_attention("layer.1", "EncDecAttention"),
                "feed_forward": _t5_feed_forward("layer.2"),
            },
            ("decoder.final_layer_norm",),
        ),
    ),
    side_networks=True,
)  # fmt: skip


def _bart_attention(name: str) -> Group:
    return _attention(name, "q_proj k_proj v_proj out_proj", f"{name}_layer_norm")


_BART_FEED_FORWARD = _feed_forward("fc1", "fc1", "fc2", "final_layer_norm", whole=False)


def _bart_stack(side: Side, sublayers: Mapping[Inside, Group]) -> Stack:
    norms = ((f"{side}.layer_norm", f"{side}.final_layer_norm"), (f"{side}.layernorm_embedding",))
    return Stack(
        side,
        side,
        f"{side}.layers",
        {**sublayers, "feed_forward": _BART_FEED_FORWARD},
        *norms,
        f"{side}.embed_positions",
    )


_BART_SELF: Mapping[Inside, Group] = {"self": _bart_attention("self_attn")}
_BART = Family(
    ("shared", "encoder.embed_positions", "decoder.embed_positions"),
    (
        _bart_stack("encoder", _BART_SELF),
        _bart_stack("decoder", {**_BART_SELF, "cross": _bart_attention("encoder_attn")}),
    ),
)
_OPT = Family(("decoder.embed_tokens", "decoder.embed_positions"), (_bart_stack("decoder", _BART_SELF),))


def _bert(attention: Group, feed_forward: Group, stack: str = "encoder") -> Family:
    tables = tuple(f"embeddings.{name}_embeddings" for name in ("word", "position", "token_type"))
    sublayers: dict[Inside, Group] = {"self": attention, "feed_forward": feed_forward}
    found = Stack(
        "encoder", stack, f"{stack}.layer", sublayers, input_norms=("embeddings.LayerNorm",), positions=tables[1]
    )
    return Family(tables, (found,), "pooler.dense")


def _bert_family(names: str) -> Family:
    return _bert(
        _attention("attention.self", names, "attention.output.LayerNorm", whole=False),
        _feed_forward("intermediate.dense", "intermediate.dense", "output.dense", "output.LayerNorm", whole=False),
    )


_BERT = _bert_family("query key value attention.output.dense")
_DEBERTA = _bert_family("query_proj key_proj value_proj attention.output.dense")
_DISTILBERT = _bert(
    _attention("attention", "q_lin k_lin v_lin out_lin", "sa_layer_norm"),
    _feed_forward("ffn", "ffn.lin1", "ffn.lin2", "output_layer_norm"),
    "transformer",
)


def _decoder(
    attention: Group,
    feed_forward: Group,
    *,
    embeddings: tuple[str, ...],
    blocks: str,
    norms: tuple[str, ...],
    positions: str | None = None,
) -> Family:
    sublayers: dict[Inside, Group] = {"self": attention, "feed_forward": feed_forward}
    return Family(embeddings, (Stack("decoder", "", blocks, sublayers, norms, positions=positions),))


_GPT2 = _decoder(
    _fused("attn", "c_attn", "c_proj", "ln_1"),
    _feed_forward("mlp", "mlp.c_fc", "mlp.c_proj", "ln_2"),
    embeddings=("wte", "wpe"), blocks="h", norms=("ln_f",), positions="wpe",
)  # fmt: skip
_GPT_NEOX = _decoder(
    _fused("attention", "query_key_value", "dense", "input_layernorm", by_head=True),
    _feed_forward("mlp", "mlp.dense_h_to_4h", "mlp.dense_4h_to_h", "post_attention_layernorm"),
    embeddings=("embed_in",), blocks="layers", norms=("final_layer_norm",),
)  # fmt: skip
_PHI = _decoder(
    _attention("self_attn", "q_proj k_proj v_proj dense", "input_layernorm"),
    _feed_forward("mlp", "mlp.fc1", "mlp.fc2"),
    embeddings=("embed_tokens",), blocks="layers", norms=("final_layernorm",),
)  # fmt: skip


def _llama(self_norms: str, feed_forward_norms: str) -> Family:
    return _decoder(
        _attention("self_attn", "q_proj k_proj v_proj o_proj", *self_norms.split()),
        _feed_forward("mlp", "mlp.up_proj", "mlp.down_proj", *feed_forward_norms.split(), gate="mlp.gate_proj"),
        embeddings=("embed_tokens",), blocks="layers", norms=("norm",),
    )  # fmt: skip


LLAMA = _llama("input_layernorm", "post_attention_layernorm")
"""The names that most decoders have; families without a map of their own are tried with it."""
_AROUND = _llama(
    "input_layernorm post_attention_layernorm", "pre_feedforward_layernorm post_feedforward_layernorm"
)  # with norms before and behind each sublayer, or behind alone

FAMILIES: Mapping[str, Family] = {
    **dict.fromkeys(("t5", "mt5", "umt5"), _T5),
    **dict.fromkeys(("bart", "mbart", "pegasus"), _BART),
    **dict.fromkeys(("bert", "roberta", "xlm-roberta", "electra"), _BERT),
    "deberta-v2": _DEBERTA,
    "distilbert": _DISTILBERT,
    "gpt2": _GPT2,
    "gpt_neox": _GPT_NEOX,
    "opt": _OPT,
    "phi": _PHI,
    **dict.fromkeys(("gemma2", "gemma3_text", "olmo2"), _AROUND),
    **dict.fromkeys(("llama", "mistral", "qwen2", "qwen3", "gemma"), LLAMA),
}
"""By transformers' `model_type`."""
NEEDED: tuple[str, ...] = tuple(
    path
    for group in LLAMA.stacks[0].sublayers.values()
    for role, paths in group.roles.items()
    if role not in ("norm", "feed_forward_gate")
    for path in paths
)
"""What a block must have for the names of Llama to fit it."""
