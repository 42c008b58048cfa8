"""A backbone's dimensions under the names that config.json has for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from surveykit.catalog.backbones import Backbone
from surveykit.checkpoints.header import Header, printed
from surveykit.errors import CheckpointError

_BERT = {
    "hidden_size": "d_model", "intermediate_size": "d_ff", "num_attention_heads": "heads",
    "num_hidden_layers": "encoder_layers", "vocab_size": "vocabulary", "max_position_embeddings": "positions",
    "type_vocab_size": "token_types",
}  # fmt: skip
_FIELDS: Mapping[str, Mapping[str, str]] = {
    "t5": {
        "d_model": "d_model", "d_ff": "d_ff", "d_kv": "d_kv", "num_heads": "heads", "num_layers": "encoder_layers",
        "num_decoder_layers": "decoder_layers", "vocab_size": "vocabulary",
        "relative_attention_num_buckets": "relative_buckets", "tie_word_embeddings": "tied",
    },
    "bert": _BERT,
    "roberta": _BERT,
    "distilbert": {
        "dim": "d_model", "hidden_dim": "d_ff", "n_heads": "heads", "n_layers": "encoder_layers",
        "vocab_size": "vocabulary", "max_position_embeddings": "positions",
    },
    "bart": {
        "d_model": "d_model", "encoder_ffn_dim": "d_ff", "decoder_ffn_dim": "d_ff", "encoder_attention_heads": "heads",
        "decoder_attention_heads": "heads", "encoder_layers": "encoder_layers", "decoder_layers": "decoder_layers",
        "vocab_size": "vocabulary",
    },
    "gpt2": {
        "n_embd": "d_model", "n_head": "heads", "n_layer": "decoder_layers", "vocab_size": "vocabulary",
        "n_positions": "positions",
    },
}  # fmt: skip


def expected(backbone: Backbone) -> dict[str, object]:
    """What config.json should say of a backbone, where it says it.

    It has what no shape tells: the number of heads, and whether an output layer beside the embedding is its copy.
    """
    dimensions = {name: getattr(backbone, field) for name, field in _FIELDS[backbone.architecture].items()}
    return {"model_type": backbone.architecture, **dimensions}


def nearest_to(header: Header, among: Iterable[Backbone]) -> tuple[Backbone, str]:
    """The backbone whose dimensions a checkpoint's config.json has, or else most of them, and a sentence that says so.

    A field that config.json leaves out, or has null in, is no objection.

    Raises:
        CheckpointError: there is no config.json, it is of another architecture, or it fits more than one backbone.
    """
    name_one = "name the backbone that it should be"
    config = header.config
    if config is None:
        raise CheckpointError(f"{header.source}: there is no config.json that says what it is; {name_one}")
    kind = config.get("model_type")
    candidates = [backbone for backbone in among if backbone.architecture == kind]
    if kind is None:
        raise CheckpointError(f"{header.source}: config.json has no model_type; {name_one}")
    if not candidates:
        raise CheckpointError(
            f"{header.source}: config.json is of a {printed(str(kind))}, and the catalog has none; {name_one}"
        )

    def objections(backbone: Backbone) -> int:
        return sum(config.get(name) not in (None, value) for name, value in expected(backbone).items())

    fewest = min(map(objections, candidates))
    best = [backbone for backbone in candidates if objections(backbone) == fewest]
    if fewest:
        return best[0], f"config.json has the dimensions of no catalogued backbone; the nearest is {best[0].id}"
    if len(best) > 1:
        fitting = ", ".join(backbone.id for backbone in best)
        raise CheckpointError(f"{header.source}: config.json fits {fitting}; {name_one}")
    return best[0], f"config.json has the dimensions of {best[0].id}"
