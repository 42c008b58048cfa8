"""The backbones that are not T5: where in transformers' models the places of recipes are.

Counting works on all of them. What runs is an edit of a matrix, of any pretrained tensor, or of what a sublayer gives;
the rest is refused where the model is run. A map is all that an architecture needs:

- An encoder alone has the sublayers `encoder.*`, GPT-2 has `decoder.*` without cross-attention, BART is laid out as T5.
- The norm of the embeddings is at `encoder.input` or `decoder.input`, that of a stack's end at `encoder.final`….
- `attention` and `feed_forward` are the last matrix of the sublayer: what it gives, of width d_model, is the sublayer's
  output before the residual sum. What it reads is not what the sublayer reads.
- All tables of embeddings are `embedding`; `head` is the tied output layer, or the pooler of an encoder alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    BertConfig,
    BertModel,
    DistilBertConfig,
    DistilBertModel,
    GPT2Config,
    GPT2LMHeadModel,
    PreTrainedModel,
    RobertaConfig,
    RobertaModel,
)
from transformers.pytorch_utils import Conv1D

from surveykit.catalog.backbones import Backbone
from surveykit.engine.backbones import Slot
from surveykit.recipes import Place, Role, Sublayer
from surveykit.recipes.base import LINEAR_ROLES, Site


@dataclass(frozen=True)
class _Stack:
    inputs: Sublayer
    path: str
    layers: str
    """Path of the list of blocks."""
    sublayers: Mapping[Sublayer, Mapping[Role, str]]
    """Paths inside a block."""
    norm: tuple[Sublayer, str]
    """The norm outside the blocks."""


@dataclass(frozen=True)
class _Map:
    embeddings: tuple[str, ...]
    head: str | None
    stacks: tuple[_Stack, ...]


def _encoder(prefix: str, attention: Mapping[Role, str], feed_forward: Mapping[Role, str]) -> _Stack:
    sublayers: dict[Sublayer, Mapping[Role, str]] = {"encoder.self": attention, "encoder.feed_forward": feed_forward}
    return _Stack("encoder.input", prefix, f"{prefix}.layer", sublayers, ("encoder.input", "embeddings.LayerNorm"))


def _bart_attention(name: str) -> dict[Role, str]:
    return {
        "norm": f"{name}_layer_norm", "query": f"{name}.q_proj", "key": f"{name}.k_proj", "value": f"{name}.v_proj",
        "attention_output": f"{name}.out_proj",
    }  # fmt: skip


_BART_FEED_FORWARD: dict[Role, str] = {
    "norm": "final_layer_norm", "feed_forward_in": "fc1", "feed_forward_out": "fc2",
}  # fmt: skip
_BERT_TABLES = tuple(f"embeddings.{name}_embeddings" for name in ("word", "position", "token_type"))
_BERT = _Map(
    _BERT_TABLES,
    "pooler.dense",
    (
        _encoder(
            "encoder",
            {
                "query": "attention.self.query", "key": "attention.self.key", "value": "attention.self.value",
                "attention_output": "attention.output.dense", "norm": "attention.output.LayerNorm",
            },
            {"feed_forward_in": "intermediate.dense", "feed_forward_out": "output.dense", "norm": "output.LayerNorm"},
        ),
    ),
)  # fmt: skip
_DISTILBERT = _Map(
    _BERT_TABLES[:2],
    None,
    (
        _encoder(
            "transformer",
            {
                "query": "attention.q_lin", "key": "attention.k_lin", "value": "attention.v_lin",
                "attention_output": "attention.out_lin", "norm": "sa_layer_norm",
            },
            {"feed_forward_in": "ffn.lin1", "feed_forward_out": "ffn.lin2", "norm": "output_layer_norm"},
        ),
    ),
)  # fmt: skip
_BART = _Map(
    ("model.shared", "model.encoder.embed_positions", "model.decoder.embed_positions"),
    "lm_head",
    (
        _Stack(
            "encoder.input", "model.encoder", "model.encoder.layers",
            {"encoder.self": _bart_attention("self_attn"), "encoder.feed_forward": _BART_FEED_FORWARD},
            ("encoder.input", "model.encoder.layernorm_embedding"),
        ),
        _Stack(
            "decoder.input", "model.decoder", "model.decoder.layers",
            {
                "decoder.self": _bart_attention("self_attn"), "decoder.cross": _bart_attention("encoder_attn"),
                "decoder.feed_forward": _BART_FEED_FORWARD,
            },
            ("decoder.input", "model.decoder.layernorm_embedding"),
        ),
    ),
)  # fmt: skip
_GPT2 = _Map(
    ("transformer.wte", "transformer.wpe"),
    "lm_head",
    (
        _Stack(
            "decoder.input", "transformer", "transformer.h",
            {
                # Query, key and value are one fused matrix (c_attn); there is no module for any of them, so no place.
                "decoder.self": {"norm": "ln_1", "attention_output": "attn.c_proj"},
                "decoder.feed_forward": {
                    "norm": "ln_2", "feed_forward_in": "mlp.c_fc", "feed_forward_out": "mlp.c_proj",
                },
            },
            ("decoder.final", "transformer.ln_f"),
        ),
    ),
)  # fmt: skip
_MAPS = {"bert": _BERT, "roberta": _BERT, "distilbert": _DISTILBERT, "bart": _BART, "gpt2": _GPT2}
_MODULE_OF: dict[Role, Role] = {"attention_output": "attention", "feed_forward_out": "feed_forward"}


def model_of(record: Backbone, device: str, seed: int) -> PreTrainedModel:
    """The model in evaluation mode, without weights (`meta`) or with random ones."""
    with torch.random.fork_rng(devices=[]), torch.device(device):
        torch.manual_seed(seed)
        model = _model(record)
    model.eval()
    return model


def _model(r: Backbone) -> PreTrainedModel:
    bert = {
        "hidden_size": r.d_model, "intermediate_size": r.d_ff, "num_attention_heads": r.heads,
        "num_hidden_layers": r.encoder_layers, "vocab_size": r.vocabulary, "max_position_embeddings": r.positions,
        "type_vocab_size": r.token_types,
    }  # fmt: skip
    match r.architecture:
        case "bert":
            return BertModel(BertConfig(**bert))
        case "roberta":
            return RobertaModel(RobertaConfig(**bert))
        case "distilbert":
            return DistilBertModel(
                DistilBertConfig(
                    dim=r.d_model, hidden_dim=r.d_ff, n_heads=r.heads, n_layers=r.encoder_layers,
                    vocab_size=r.vocabulary, max_position_embeddings=r.positions,
                )
            )  # fmt: skip
        case "bart":
            return BartForConditionalGeneration(
                BartConfig(
                    d_model=r.d_model, encoder_ffn_dim=r.d_ff, decoder_ffn_dim=r.d_ff,
                    encoder_attention_heads=r.heads, decoder_attention_heads=r.heads,
                    encoder_layers=r.encoder_layers, decoder_layers=r.decoder_layers, vocab_size=r.vocabulary,
                    max_position_embeddings=r.positions - 2,  # the model adds two rows of its own
                )
            )  # fmt: skip
        case "gpt2":
            return GPT2LMHeadModel(
                GPT2Config(
                    n_embd=r.d_model, n_inner=r.d_ff, n_head=r.heads, n_layer=r.decoder_layers,
                    vocab_size=r.vocabulary, n_positions=r.positions,
                )
            )  # fmt: skip
        case "t5":
            raise AssertionError("T5 is built in surveykit.engine.backbones")


def slots_of(record: Backbone, model: PreTrainedModel) -> Iterator[Slot]:
    """Every place of a model that is not a T5."""
    found = _MAPS[record.architecture]

    def slot(
        module: nn.Module, role: Role, sublayer: Sublayer, layer: int = 0, layers: int = 0, *blocks: nn.Module
    ) -> Slot:
        fan_in, fan_out = _widths(module) if role in LINEAR_ROLES | {"head"} else (record.d_model, record.d_model)
        weight = getattr(module, "weight", None)
        place = Place(
            role, sublayer, layer, layers, fan_in, fan_out, record.d_model, record.inner, record.heads, record.d_ff,
            tuple(weight.shape) if isinstance(weight, Tensor) else (),
        )  # fmt: skip
        return Slot(place, module, blocks, _unable(module, role))

    for path in found.embeddings:
        yield slot(model.get_submodule(path), "embedding", "outside")
    if found.head is not None:
        yield slot(model.get_submodule(found.head), "head", "outside")
    for stack in found.stacks:
        blocks = tuple(model.get_submodule(stack.layers).children())
        depth = len(blocks)
        yield slot(model.get_submodule(stack.path), "input", stack.inputs, 0, depth, *blocks)
        for i, block in enumerate(blocks):
            for sublayer, paths in stack.sublayers.items():
                for role, path in paths.items():
                    module = block.get_submodule(path)
                    yield slot(module, role, sublayer, i, depth)
                    if role in _MODULE_OF:
                        yield slot(module, _MODULE_OF[role], sublayer, i, depth)
        sublayer, path = stack.norm
        yield slot(model.get_submodule(path), "norm", sublayer)


def _widths(module: nn.Module) -> tuple[int, int]:
    if isinstance(module, Conv1D):
        return module.nx, module.nf
    assert isinstance(module, nn.Linear)
    return module.in_features, module.out_features


def _unable(module: nn.Module, role: Role) -> Mapping[Site, str]:
    """Why edits of a site are counted at a place but cannot run there."""
    if role in _MODULE_OF.values():
        return {"kv": "it has no way into this attention", "output": "what this sublayer reads is not at hand here"}
    if role == "input":
        return {"input": "it knows only the inputs of T5", "side": "it knows only the stacks of T5"}
    return {"weight": "this weight is stored the other way round"} if isinstance(module, Conv1D) else {}
