"""Models whose every dimension has a prime of its own: one for each architecture that formulas are read for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from surveykit.engine.models.configs import config_of
from surveykit.engine.models.model import Blueprint, blueprint_of
from surveykit.engine.trace.costs import DEPTHS
from surveykit.engine.trace.sized import Dimensions

ALTERNATING = (6, 8)
"""Layers of each stack in the two traces of models that alternate between two kinds of layers; of others, `DEPTHS`."""
BATCH, LENGTH, TARGET = 13, 128 * 11, 128 * 5
"""Lengths are multiples of 128, to which attention kernels round up."""
_HEAD, _HEADS, _GROUP = 32 * 7, 17, 19
_WIDTH, _FEED_FORWARD, _VOCABULARY, _POSITIONS = 64 * 53, 64 * 59, 64 * 83, 64 * 97


@dataclass(frozen=True)
class PrimeModel:
    """An architecture: what has to be alike for one set of formulas to hold."""

    id: str
    config: Mapping[str, Any]
    """Of transformers; valid, with the dimensions that are changed after it was read."""
    sizes: Mapping[str, int]
    """Dimensions by the names that formulas have: `h` width, `f` width of the feed-forward, `v` vocabulary, `kv` heads of
    keys and values, `g` query heads for each of them, `hd` width of a head, `p` positions that the model has a table for,
    `b` batch, `l` and `t` lengths of texts and targets, `n` layers of each stack."""
    changed: Mapping[str, int] = field(default_factory=dict)
    """Fields of the configuration that transformers would refuse beside the others."""
    depths: tuple[int, int] = DEPTHS

    def blueprint(self) -> Blueprint:
        config = config_of(self.config, self.id)
        for name, size in self.changed.items():
            setattr(config, name, size)
        return blueprint_of(config, name=self.id)

    def another(self) -> PrimeModel:
        """A model of the same architecture and other dimensions, for which formulas hold as well if they hold at all."""
        kv = 1 if self.config.get("num_key_value_heads") == 1 else 4
        group = 3 if "g" in self.sizes else 1
        other = {
            "hidden_size": 64 * kv * group, "intermediate_size": 2048, "num_attention_heads": kv * group,
            "num_key_value_heads": kv, "head_dim": 64, "vocab_size": 32000, "num_hidden_layers": 10,
        }  # fmt: skip
        if self.config["model_type"] == "t5":
            other = {
                "d_model": 512, "d_ff": 1024, "d_kv": 64, "num_heads": 6, "vocab_size": 32128, "num_layers": 8,
                "num_decoder_layers": 8,
            }  # fmt: skip
        if self.config["model_type"] == "bert":
            other = {
                "hidden_size": 256, "intermediate_size": 1024, "num_attention_heads": 4, "num_hidden_layers": 8,
                "vocab_size": 30000, "max_position_embeddings": 2048,
            }  # fmt: skip
        return PrimeModel(self.id, {**self.config, **other}, {})

    @property
    def dimensions(self) -> Dimensions:
        return Dimensions(self.sizes)


def _decoder(kind: str, heads: str, *, tied: bool, **further: Any) -> PrimeModel:
    """A decoder of Llama's kind.

    Args:
        heads: `mha` as many heads of keys as of queries; `gqa` fewer; `mqa` one.
    """
    kv = 1 if heads == "mqa" else _HEADS
    group = 1 if heads == "mha" else _GROUP
    config = {
        "model_type": kind, "architectures": [f"{_CLASSES[kind]}ForCausalLM"], "hidden_size": kv * group * _HEAD,
        "intermediate_size": _FEED_FORWARD, "num_hidden_layers": 8, "num_attention_heads": kv * group,
        "num_key_value_heads": kv, "head_dim": _HEAD, "vocab_size": _VOCABULARY, "tie_word_embeddings": tied,
        "max_position_embeddings": 1 << 17, **further,
    }  # fmt: skip
    sizes = {"b": BATCH, "l": LENGTH, "h": _WIDTH, "f": _FEED_FORWARD, "v": _VOCABULARY, "hd": _HEAD}
    sizes |= {"kv": kv} if kv > 1 else {}
    sizes |= {"g": group} if group > 1 else {}
    return PrimeModel(
        f"{kind}-{heads}-{'tied' if tied else 'untied'}",
        config,
        sizes,
        {"hidden_size": _WIDTH},
        ALTERNATING if kind == "gemma2" else DEPTHS,
    )


_CLASSES = {
    "llama": "Llama", "mistral": "Mistral", "qwen2": "Qwen2", "qwen3": "Qwen3", "gemma": "Gemma", "gemma2": "Gemma2",
}  # fmt: skip


def _t5(*, gated: bool, tied: bool) -> PrimeModel:
    config = {
        "model_type": "t5", "architectures": ["T5ForConditionalGeneration"], "d_model": _WIDTH, "d_ff": _FEED_FORWARD,
        "d_kv": _HEAD, "num_heads": _HEADS, "num_layers": 8, "num_decoder_layers": 8, "vocab_size": _VOCABULARY,
        "feed_forward_proj": "gated-gelu" if gated else "relu", "tie_word_embeddings": tied,
        "decoder_start_token_id": 0, "relative_attention_num_buckets": 32,
    }  # fmt: skip
    sizes = {
        "b": BATCH, "l": LENGTH, "t": TARGET, "h": _WIDTH, "f": _FEED_FORWARD, "v": _VOCABULARY, "hd": _HEAD,
        "kv": _HEADS,
    }  # fmt: skip
    return PrimeModel(f"t5-{'gated' if gated else 'relu'}-{'tied' if tied else 'untied'}", config, sizes)


def _bert() -> PrimeModel:
    config = {
        "model_type": "bert", "architectures": ["BertForSequenceClassification"], "num_labels": 2,
        "hidden_size": _HEADS * _HEAD, "intermediate_size": _FEED_FORWARD, "num_attention_heads": _HEADS,
        "num_hidden_layers": 8, "vocab_size": _VOCABULARY, "max_position_embeddings": _POSITIONS,
    }  # fmt: skip
    sizes = {
        "b": BATCH, "l": LENGTH, "f": _FEED_FORWARD, "v": _VOCABULARY, "hd": _HEAD, "kv": _HEADS, "p": _POSITIONS,
    }  # fmt: skip
    return PrimeModel("bert", config, sizes)


PRIME_MODELS = (
    _decoder("llama", "gqa", tied=False),
    _decoder("llama", "gqa", tied=True),
    _decoder("llama", "mha", tied=False),
    _decoder("mistral", "gqa", tied=False, sliding_window=4096),
    _decoder("qwen2", "gqa", tied=True),
    _decoder("qwen2", "gqa", tied=False),
    _decoder("gemma2", "gqa", tied=True),
    _decoder("gemma", "mqa", tied=True),
    _t5(gated=False, tied=True),
    _t5(gated=True, tied=False),
    _bert(),
    _decoder("qwen3", "gqa", tied=True),
    _decoder("qwen3", "gqa", tied=False),
    _decoder("gemma", "mha", tied=True),
)
