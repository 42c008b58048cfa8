"""Small configurations of many families, with geometries that nobody has: widths that differ, odd numbers of heads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import transformers as t
from torch import Tensor
from transformers import PreTrainedConfig

from surveykit.engine import Instance

_DECODER: dict[str, Any] = {
    "hidden_size": 60, "intermediate_size": 88, "num_hidden_layers": 3, "num_attention_heads": 6,
    "num_key_value_heads": 2, "vocab_size": 71, "max_position_embeddings": 300, "pad_token_id": 0, "bos_token_id": 1,
    "eos_token_id": 2,
}  # fmt: skip
_ENCODER: dict[str, Any] = {
    "hidden_size": 60, "intermediate_size": 84, "num_hidden_layers": 3, "num_attention_heads": 5, "vocab_size": 71,
    "max_position_embeddings": 302, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip
_BART: dict[str, Any] = {
    "d_model": 48, "encoder_ffn_dim": 80, "decoder_ffn_dim": 80, "encoder_layers": 2, "decoder_layers": 3,
    "encoder_attention_heads": 4, "decoder_attention_heads": 6, "vocab_size": 71, "max_position_embeddings": 300,
    "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 2, "forced_eos_token_id": 2,
}  # fmt: skip
_T5: dict[str, Any] = {
    "d_model": 40, "d_ff": 72, "d_kv": 12, "num_heads": 3, "num_layers": 2, "num_decoder_layers": 3, "vocab_size": 71,
    "decoder_start_token_id": 0,
}  # fmt: skip
_SMALL_IDS: dict[str, Any] = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}


def _v1_1(kind: type[PreTrainedConfig]) -> PreTrainedConfig:
    config = kind(**_T5, feed_forward_proj="gated-gelu", tie_word_embeddings=False)
    config.tie_word_embeddings = False
    return config


CONFIGS: dict[str, Callable[[], PreTrainedConfig]] = {
    "llama": lambda: t.LlamaConfig(**_DECODER),
    "llama-tied": lambda: t.LlamaConfig(**{**_DECODER, "num_key_value_heads": 6}, tie_word_embeddings=True),
    "mistral": lambda: t.MistralConfig(**_DECODER, head_dim=14, sliding_window=4),
    "qwen2": lambda: t.Qwen2Config(**_DECODER, tie_word_embeddings=True),
    "qwen3": lambda: t.Qwen3Config(**_DECODER, head_dim=16),
    "gemma": lambda: t.GemmaConfig(**{**_DECODER, "num_key_value_heads": 1}, head_dim=16),
    "gemma2": lambda: t.Gemma2Config(**_DECODER, head_dim=16, sliding_window=4),
    "olmo2": lambda: t.Olmo2Config(**_DECODER),
    "granite": lambda: t.GraniteConfig(**_DECODER),
    "phi": lambda: t.PhiConfig(**{**_DECODER, "num_attention_heads": 5, "num_key_value_heads": 5}),
    "opt": lambda: t.OPTConfig(
        hidden_size=60, ffn_dim=88, num_hidden_layers=3, num_attention_heads=6, vocab_size=71, word_embed_proj_dim=60,
        max_position_embeddings=300, **_SMALL_IDS,
    ),
    "gpt2": lambda: t.GPT2Config(
        n_embd=60, n_inner=92, n_head=6, n_layer=3, vocab_size=71, n_positions=300, **_SMALL_IDS
    ),
    "gpt_neox": lambda: t.GPTNeoXConfig(
        hidden_size=60, intermediate_size=88, num_hidden_layers=3, num_attention_heads=6, vocab_size=71,
        **_SMALL_IDS,
    ),
    "bert": lambda: t.BertConfig(**_ENCODER),
    "roberta": lambda: t.RobertaConfig(**_ENCODER, type_vocab_size=1),
    "distilbert": lambda: t.DistilBertConfig(
        dim=60, hidden_dim=84, n_layers=3, n_heads=5, vocab_size=71, max_position_embeddings=300, pad_token_id=0
    ),
    "electra": lambda: t.ElectraConfig(**_ENCODER, embedding_size=36),
    "deberta-v2": lambda: t.DebertaV2Config(**_ENCODER),
    "bart": lambda: t.BartConfig(**_BART),
    "mbart": lambda: t.MBartConfig(**_BART),
    "pegasus": lambda: t.PegasusConfig(**_BART),
    "t5": lambda: t.T5Config(**_T5),
    "t5-v1.1": lambda: _v1_1(t.T5Config),
    "mt5": lambda: _v1_1(t.MT5Config),
    "umt5": lambda: _v1_1(t.UMT5Config),
}  # fmt: skip
DECODERS = ("llama", "llama-tied", "mistral", "qwen2", "qwen3", "gemma", "gemma2", "olmo2", "granite", "phi", "opt",
            "gpt2", "gpt_neox")  # fmt: skip
ENCODERS = ("bert", "roberta", "distilbert", "electra", "deberta-v2")


def batch(instance: Instance) -> dict[str, Tensor]:
    """Two examples of seven tokens, one padded; with labels unless the model is an encoder alone."""
    ids = torch.randint(3, 70, (2, 7), generator=torch.Generator().manual_seed(1))
    mask = torch.ones_like(ids)
    mask[0, -2:] = 0
    given = {"input_ids": ids, "attention_mask": mask}
    if instance.blueprint.causal:
        given["labels"] = ids.masked_fill(mask == 0, -100)
    elif not instance.blueprint.encoder_only:
        given["labels"] = torch.randint(3, 70, (2, 5), generator=torch.Generator().manual_seed(2))
    return given


def outputs(instance: Instance) -> Tensor:
    """Logits, or the last hidden state, of the batch's own positions."""
    given = batch(instance)
    with torch.no_grad():
        out = instance.run(given)
    found: Tensor = out.logits if "labels" in given else out[0]
    return found[:, -given.get("labels", given["input_ids"]).shape[1] :]
