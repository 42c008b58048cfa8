"""Backbones of the catalog: their dimensions as a configuration of transformers, built like that of any other model."""

from __future__ import annotations

from transformers import BartConfig, BertConfig, DistilBertConfig, GPT2Config, PreTrainedConfig, RobertaConfig, T5Config

from surveykit.catalog.backbones import Backbone
from surveykit.engine.models.model import Blueprint, Instance, blueprint_of
from surveykit.errors import RecipeError


def build(record: Backbone, *, device: str = "meta", seed: int = 0) -> Instance:
    """Instantiate a backbone without weights (`meta`) or with random ones (`cpu`).

    Raises:
        RecipeError: the model has not the catalogued number of parameters.
    """
    instance = blueprint(record).build(device=device, seed=seed)
    if instance.parameters != record.parameters:
        built = f"transformers builds {instance.parameters:,} parameters"
        raise RecipeError(f"{record.id}: {built}, the catalog expects {record.parameters:,}")
    return instance


def blueprint(record: Backbone) -> Blueprint:
    """What transformers builds from the catalogued dimensions."""
    return blueprint_of(config_of(record), name=record.id)


def config_of(r: Backbone) -> PreTrainedConfig:
    """The catalogued dimensions in the words of transformers."""
    config: PreTrainedConfig
    bert = {
        "hidden_size": r.d_model, "intermediate_size": r.d_ff, "num_attention_heads": r.heads,
        "num_hidden_layers": r.encoder_layers, "vocab_size": r.vocabulary, "max_position_embeddings": r.positions,
        "type_vocab_size": r.token_types,
    }  # fmt: skip
    match r.architecture:
        case "t5":
            config = T5Config(
                d_model=r.d_model, d_ff=r.d_ff, d_kv=r.d_kv, num_heads=r.heads, num_layers=r.encoder_layers,
                num_decoder_layers=r.decoder_layers, vocab_size=r.vocabulary,
                relative_attention_num_buckets=r.relative_buckets,
                feed_forward_proj="gated-gelu" if r.gated else "relu", tie_word_embeddings=r.tied,
                decoder_start_token_id=0,
            )  # fmt: skip
            config.tie_word_embeddings = r.tied  # transformers forgets it
        case "bert":
            config = BertConfig(**bert)
        case "roberta":
            config = RobertaConfig(**bert)
        case "distilbert":
            config = DistilBertConfig(
                dim=r.d_model, hidden_dim=r.d_ff, n_heads=r.heads, n_layers=r.encoder_layers,
                vocab_size=r.vocabulary, max_position_embeddings=r.positions,
            )  # fmt: skip
        case "bart":
            config = BartConfig(
                d_model=r.d_model, encoder_ffn_dim=r.d_ff, decoder_ffn_dim=r.d_ff,
                encoder_attention_heads=r.heads, decoder_attention_heads=r.heads,
                encoder_layers=r.encoder_layers, decoder_layers=r.decoder_layers, vocab_size=r.vocabulary,
                max_position_embeddings=r.positions - 2,  # the model adds two rows of its own
            )  # fmt: skip
        case "gpt2":
            config = GPT2Config(
                n_embd=r.d_model, n_inner=r.d_ff, n_head=r.heads, n_layer=r.decoder_layers,
                vocab_size=r.vocabulary, n_positions=r.positions,
            )  # fmt: skip
    return config
