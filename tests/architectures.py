"""Small models of the catalog's kind, one for each layout that formulas know, with geometries that nobody has."""

from __future__ import annotations

from typing import Any

from surveykit.catalog.models import Model

_ENCODER: dict[str, Any] = {
    "hidden_size": 48, "intermediate_size": 80, "num_attention_heads": 4, "num_hidden_layers": 3, "vocab_size": 60,
    "max_position_embeddings": 22, "pad_token_id": 1,
}  # fmt: skip
_DECODER: dict[str, Any] = {
    "hidden_size": 48, "intermediate_size": 80, "num_attention_heads": 4, "num_key_value_heads": 2,
    "num_hidden_layers": 3, "vocab_size": 60, "max_position_embeddings": 64, "pad_token_id": 0,
}  # fmt: skip
_T5: dict[str, Any] = {
    "d_model": 48, "d_ff": 80, "d_kv": 20, "num_heads": 4, "num_layers": 2, "num_decoder_layers": 3, "vocab_size": 60,
    "relative_attention_num_buckets": 6, "is_encoder_decoder": True, "decoder_start_token_id": 0,
}  # fmt: skip
CONFIGS: dict[str, tuple[str, dict[str, Any]]] = {
    "t5": ("T5ForConditionalGeneration", {**_T5, "feed_forward_proj": "relu"}),
    "t5-gated": (
        "T5ForConditionalGeneration",
        {**_T5, "model_type": "t5", "feed_forward_proj": "gated-gelu", "tie_word_embeddings": False},
    ),
    "mt5": (
        "MT5ForConditionalGeneration", {**_T5, "feed_forward_proj": "gated-gelu", "tie_word_embeddings": False},
    ),
    "bert": ("BertModel", {**_ENCODER, "type_vocab_size": 2}),
    "roberta": ("RobertaModel", {**_ENCODER, "type_vocab_size": 1}),
    "distilbert": (
        "DistilBertModel",
        {"dim": 48, "hidden_dim": 80, "n_heads": 4, "n_layers": 2, "vocab_size": 60, "max_position_embeddings": 20},
    ),
    "bart": (
        "BartForConditionalGeneration",
        {
            "d_model": 48, "encoder_ffn_dim": 80, "decoder_ffn_dim": 80, "encoder_attention_heads": 4,
            "decoder_attention_heads": 4, "encoder_layers": 2, "decoder_layers": 3, "vocab_size": 60,
            "max_position_embeddings": 20, "is_encoder_decoder": True,
        },
    ),
    "gpt2": (
        "GPT2LMHeadModel",
        {"n_embd": 48, "n_inner": 80, "n_head": 4, "n_layer": 2, "vocab_size": 60, "n_positions": 20},
    ),
    "gpt_neox": ("GPTNeoXForCausalLM", {**_DECODER, "num_key_value_heads": None}),
    "llama": ("LlamaForCausalLM", {**_DECODER, "num_key_value_heads": 4}),
    "llama-grouped": ("LlamaForCausalLM", {**_DECODER, "model_type": "llama", "head_dim": 16}),
    "mistral": ("MistralForCausalLM", {**_DECODER, "tie_word_embeddings": True}),
    "qwen2": ("Qwen2ForCausalLM", _DECODER),
    "gemma2": ("Gemma2ForCausalLM", {**_DECODER, "head_dim": 16}),
}  # fmt: skip


def small(kind: str, **changes: Any) -> Model:
    """A small model of a kind in `CONFIGS`; changes are keys of its config.json. Its expected count is the closed form."""
    counts, config = CONFIGS[kind]
    return with_config(
        Model(
            id="tiny", name="tiny", checkpoint="none/none", paper=None, counts=counts, parameters=None,
            parameters_source="closed form, for tests", config={"model_type": kind, **config},
        ),
        **changes,
    )  # fmt: skip


def with_config(model: Model, **changes: Any) -> Model:
    """A model with other values in its config.json; its expected count is the closed form."""
    config = {**model.config, **changes}
    return Model.model_validate({**model.model_dump(), "config": config, "parameters": None})
