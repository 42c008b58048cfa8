"""The dimensions of a model, read from its config.json without transformers, and the symbols that formulas use of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from surveykit.errors import FormulaError
from surveykit.record import MOST

KEYS: Mapping[str, tuple[str, ...]] = {
    "d_model": ("hidden_size", "d_model", "n_embd", "dim"),
    "d_ff": ("intermediate_size", "d_ff", "n_inner", "ffn_dim", "hidden_dim", "encoder_ffn_dim"),
    "heads": ("num_attention_heads", "num_heads", "n_head", "n_heads", "encoder_attention_heads"),
    "kv_heads": ("num_key_value_heads",),
    "d_kv": ("head_dim", "d_kv", "attention_head_size"),
    "layers": ("encoder_layers", "num_hidden_layers", "num_layers", "n_layer", "n_layers"),
    "decoder_layers": ("decoder_layers", "num_decoder_layers"),
    "vocabulary": ("vocab_size",),
    "positions": ("max_position_embeddings", "n_positions"),
    "token_types": ("type_vocab_size",),
    "relative_buckets": ("relative_attention_num_buckets",),
    "decoder_d_ff": ("decoder_ffn_dim",),
    "decoder_heads": ("decoder_attention_heads",),
}
"""What transformers' configurations call each dimension. Of several keys the first that is there is meant."""
Trait = Literal["encoder_and_decoder", "no_biases", "separate_matrices", "keys_as_queries", "tokens_alone_embedded"]
"""What a formula can rely on: both stacks; no biases in the blocks; query, key and value in a matrix each; and as many
heads of keys and values as of queries."""
MOST_LAYERS = 1_000
"""As for a user's own configuration: so many blocks are made, one after another."""


@dataclass(frozen=True)
class Layout:
    """What models of a type have that no key of their configuration says: only with it do formulas have symbols."""

    biases: frozenset[str] = frozenset()
    """Which parts have biases: `qkv`, `output`, `feed_forward`, `norm`."""
    gated: bool | None = None
    """Whether the feed-forward has a second, gating input matrix; None where the configuration says it."""
    norms: int = 2
    """In a block without cross-attention, which brings one more; each stack has one outside its blocks."""
    spare_positions: int | None = None
    """Rows of the tables of learned positions beyond those that the configuration names; None without such tables."""
    fused: bool = False
    """Whether query, key and value are one matrix."""
    pooler: bool = False
    """Whether the bare model ends with a square matrix and its biases."""
    needs: tuple[str, ...] = ()
    """Dimensions that the configuration must name, beside those of every model."""
    tied: bool = True
    """Whether the output layer is the token embedding, where the configuration does not say it."""


_ALL = frozenset({"qkv", "output", "feed_forward", "norm"})
_T5 = Layout(needs=("relative_buckets",))
_BERT = Layout(_ALL, spare_positions=0, pooler=True, needs=("positions", "token_types"))
_LLAMA = Layout(gated=True, tied=False)
LAYOUTS: Mapping[str, Layout] = {
    "t5": _T5,
    "mt5": _T5,
    "bert": _BERT,
    "roberta": _BERT,
    "distilbert": Layout(_ALL, spare_positions=0, needs=("positions",)),
    "bart": Layout(_ALL, spare_positions=2, needs=("positions",)),
    "gpt2": Layout(_ALL, fused=True, spare_positions=0, needs=("positions",)),
    "gpt_neox": Layout(_ALL, fused=True, tied=False),
    "llama": _LLAMA,
    "mistral": _LLAMA,
    "qwen2": Layout(frozenset({"qkv"}), gated=True, tied=False),
    "gemma2": Layout(gated=True, norms=4),
}
"""By transformers' `model_type`. A model of any other type is counted all the same; formulas have no value on it."""


@dataclass(frozen=True)
class Dimensions:
    """Widths are numbers of features."""

    model_type: str
    """What transformers calls the architecture."""
    d_model: int
    d_ff: int
    d_kv: int
    """Width of one attention head."""
    heads: int
    """Of queries."""
    kv_heads: int
    """Of keys and of values; fewer where several heads of queries share one."""
    encoder_layers: int
    """0 without an encoder."""
    decoder_layers: int
    """0 without a decoder. A decoder beside an encoder has cross-attention, one alone has none."""
    vocabulary: int
    """Rows of the token embedding."""
    relative_buckets: int
    """Rows of each stack's table of relative positions; 0 without."""
    positions: int
    """Rows of each stack's table of learned positions, those that are never used included; 0 without."""
    token_types: int
    """Rows of the table of token types; 0 without."""
    gated: bool | None
    """Whether the feed-forward has a second, gating input matrix; None where nothing says it."""
    tied: bool
    """Whether the output layer is the token embedding, or there is none."""
    has_symbols: bool
    """Whether the layout of what is counted is known: without it, no formula has a value on the model."""

    @property
    def inner(self) -> int:
        """Width of all queries of an attention."""
        return self.heads * self.d_kv

    @property
    def traits(self) -> frozenset[Trait]:
        """Those that the model has; none where its layout is not known."""
        if not self.has_symbols:
            return frozenset()
        layout = LAYOUTS[self.model_type]
        having: dict[Trait, bool] = {
            "encoder_and_decoder": self.encoder_layers > 0 and self.decoder_layers > 0,
            "no_biases": not layout.biases,
            "separate_matrices": not layout.fused,
            "keys_as_queries": self.kv_heads == self.heads,
            "tokens_alone_embedded": not self.positions and not self.token_types,
        }
        return frozenset(trait for trait, has in having.items() if has)

    def symbols(self) -> dict[str, int]:
        """The symbols of `surveykit.formula`, with the closed form of the model's own count as `N`.

        Raises:
            FormulaError: its layout is not known.
        """
        if not self.has_symbols:
            raise FormulaError(f"formulas have no symbols for this model of type '{self.model_type}'")
        layout = LAYOUTS[self.model_type]
        d, inner, kv, f = self.d_model, self.inner, self.kv_heads * self.d_kv, self.d_ff
        le, ld, v = self.encoder_layers, self.decoder_layers, self.vocabulary
        stacks = bool(le) + bool(ld)
        cross = ld if le else 0
        attentions, feed_forwards, norms = le + ld + cross, le + ld, layout.norms * (le + ld) + cross + stacks
        gates, tokens = (2 if self.gated else 1), (1 if self.tied else 2)
        of_attention = ("qkv" in layout.biases) * (inner + 2 * kv) + ("output" in layout.biases) * d
        of_feed_forward = ("feed_forward" in layout.biases) * (gates * f + d)
        symbols = {
            "d": d, "I": inner, "Kv": kv, "f": f, "H": self.heads, "Le": le, "Ld": ld, "V": v,
            "U": self.relative_buckets, "G": gates, "T": tokens, "A": attentions, "Ka": stacks + bool(cross),
            "F": feed_forwards, "L": norms, "B": attentions * of_attention + feed_forwards * of_feed_forward,
            "Bn": ("norm" in layout.biases) * norms * d,
        }  # fmt: skip
        matrices = 2 * attentions * d * (inner + kv) + feed_forwards * (1 + gates) * d * f
        tables = stacks * (self.positions * d + self.relative_buckets * self.heads) + self.token_types * d
        pooler = layout.pooler * (d * d + d)
        whole = tokens * v * d + matrices + symbols["B"] + norms * d + symbols["Bn"] + tables + pooler
        return {**symbols, "N": whole}


def read_dimensions(config: Mapping[str, Any], counted: str) -> tuple[Dimensions | None, list[tuple[str, str]]]:
    """The dimensions that a configuration states, or what keeps it from stating them.

    Args:
        config: the content of a config.json.
        counted: the class of transformers that is counted: it decides whether a single stack is a decoder, and whether
            there is an output layer.

    Returns:
        The dimensions, and the problems: the key that each is about (empty: of the whole file), and a message.
    """
    said = {**config, **text} if isinstance(text := config.get("text_config"), Mapping) else config
    problems: list[tuple[str, str]] = []

    def one(dimension: str, default: int | None = None, *, least: int = 1, most: int = MOST) -> int:
        key = next((name for name in KEYS[dimension] if said.get(name) is not None), None)
        if key is None:
            if default is None:
                problems.append(("", f"it does not say {dimension}; it needs {' or '.join(KEYS[dimension])}"))
            return default or 0
        value = said[key]
        if type(value) is int and least <= value <= most:
            return value
        problems.append((key, f"{key} is {_brief(value)}; allowed are whole numbers from {least} to {most:,}"))
        return 0

    def flag(key: str, default: bool) -> bool:
        value = said.get(key, default)
        if not isinstance(value, bool):
            problems.append((key, f"{key} is {_brief(value)}; allowed are true and false"))
        return bool(value)

    model_type = config.get("model_type")
    if not isinstance(model_type, str) or not model_type:
        problems.append(("model_type", "it needs a model_type, the name that transformers has for the architecture"))
    kind, layout = str(model_type), LAYOUTS.get(str(model_type))
    needs = layout.needs if layout else ()
    both = flag("is_encoder_decoder", counted.endswith("ForConditionalGeneration"))
    d_model, heads = one("d_model"), one("heads")
    d_ff = one("d_ff", 4 * d_model if "n_embd" in said else None)  # as GPT-2's n_inner: null
    layers = one("layers", most=MOST_LAYERS)
    kv_heads = one("kv_heads", heads)
    d_kv = one("d_kv", d_model // heads if heads else 0)
    if heads and d_model % heads and not any(said.get(key) for key in KEYS["d_kv"]):
        problems.append((KEYS["heads"][0], f"{heads} heads do not divide the width {d_model}"))
    if kv_heads and heads % kv_heads:
        problems.append((KEYS["kv_heads"][0], f"{heads} heads cannot share {kv_heads} heads of keys and values"))
    decoder = both or any(name.endswith(("ForCausalLM", "LMHeadModel")) for name in (counted, *_named(config)))
    tables = layout.spare_positions if layout else None
    positions = one("positions", None if "positions" in needs else 0)
    gated = layout.gated if layout else None
    if gated is None and (layout or "feed_forward_proj" in said or "is_gated_act" in said):
        gated = str(said.get("feed_forward_proj", "")).startswith("gated") or flag("is_gated_act", False)
    found = Dimensions(
        model_type=kind,
        d_model=d_model,
        d_ff=d_ff,
        d_kv=d_kv,
        heads=heads,
        kv_heads=kv_heads,
        encoder_layers=layers if both or not decoder else 0,
        decoder_layers=one("decoder_layers", layers, most=MOST_LAYERS) if both else (layers if decoder else 0),
        vocabulary=one("vocabulary"),
        relative_buckets=one("relative_buckets", None if "relative_buckets" in needs else 0),
        positions=0 if tables is None else positions + tables,
        token_types=one("token_types", None if "token_types" in needs else 0, least=0),
        gated=gated,
        tied=flag("tie_word_embeddings", layout.tied if layout else True) or _is_bare(counted),
        has_symbols=layout is not None and _is_plain(layout, counted, said),
    )
    for dimension, value in (("decoder_d_ff", d_ff), ("decoder_heads", heads)):
        if both and one(dimension, value) != value:
            problems.append((KEYS[dimension][0], f"{KEYS[dimension][0]} is not that of the encoder, {value}"))
    return (None if problems else found), problems


def dimension_keys(config: Mapping[str, Any]) -> dict[str, Any]:
    """Those entries of a configuration that state a dimension."""
    known = {key for keys in KEYS.values() for key in keys}
    return {key: value for key, value in config.items() if key in known and value is not None}


def from_row(row: Any) -> Dimensions:
    """The dimensions in a row of the table `backbone`, which holds one column for each."""
    names = {"model_type": "architecture"}
    return Dimensions(**{field.name: getattr(row, names.get(field.name, field.name)) for field in fields(Dimensions)})


def _is_bare(counted: str) -> bool:
    """Whether a class has no output layer."""
    return counted.endswith("Model") and not counted.endswith("LMHeadModel")


def _is_plain(layout: Layout, counted: str, said: Mapping[str, Any]) -> bool:
    """Whether what is counted has nothing beyond its layout: no other head than one matrix, no unusual biases."""
    with_matrix = counted.endswith(("ForCausalLM", "LMHeadModel", "ForConditionalGeneration")) and not layout.pooler
    biases = {"attention_bias": "qkv" in layout.biases, "mlp_bias": "feed_forward" in layout.biases}
    return (_is_bare(counted) or with_matrix) and all(said.get(key, usual) == usual for key, usual in biases.items())


def _named(config: Mapping[str, Any]) -> list[str]:
    named = config.get("architectures")
    return [name for name in named if isinstance(name, str)] if isinstance(named, list) else []


def _brief(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
