"""Backbones: a model of catalogued dimensions, and the places in it that recipes speak of. Here T5; others beside it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel, T5Config, T5ForConditionalGeneration

from surveykit.catalog.backbones import Backbone
from surveykit.errors import RecipeError
from surveykit.recipes import Place, Role, Sublayer
from surveykit.recipes.base import Site


@dataclass(frozen=True)
class Slot:
    """A place together with the module that is there."""

    place: Place
    module: nn.Module
    blocks: tuple[nn.Module, ...] = ()
    """The blocks of a stack, where the module is one."""
    unable: Mapping[Site, str] = field(default_factory=dict)
    """Sites whose edits are counted here but cannot run, each with the reason."""

    def at(self, *, shape: tuple[int, ...] | None = None, places: int = 1) -> Slot:
        """The same place, for a pretrained tensor of this shape, or for an edit that is in so many places."""
        return replace(self, place=replace(self.place, shape=shape or self.place.shape, places=places))


class Instance:
    """A backbone that exists: its model, its slots, and which parameters are pretrained.

    Parameters are known by identity, each once however many names it has; what is not in `pretrained` was added.
    """

    def __init__(self, record: Backbone, model: PreTrainedModel, slots: Iterable[Slot]) -> None:
        self.record = record
        self.model = model
        self.pretrained: tuple[nn.Parameter, ...] = tuple(model.parameters())
        self.slots: tuple[Slot, ...] = tuple(slots)
        for parameter in self.pretrained:
            parameter.requires_grad_(False)

    @property
    def blocks(self) -> tuple[tuple[str, nn.Module], ...]:
        """Every block with the stack it belongs to (`encoder` or `decoder`), in order."""
        stacks = [slot for slot in self.slots if slot.blocks]
        return tuple((s.place.sublayer.partition(".")[0], block) for s in stacks for block in s.blocks)


def build(record: Backbone, *, device: str = "meta", seed: int = 0) -> Instance:
    """Instantiate a backbone without weights (`meta`) or with random ones (`cpu`).

    Raises:
        RecipeError: the model has not the catalogued number of parameters.
    """
    if record.architecture == "t5":
        model: PreTrainedModel = _t5(record, device, seed)
        slots = _slots(model)
    else:
        from surveykit.engine import architectures  # it imports this module

        model = architectures.model_of(record, device, seed)
        slots = architectures.slots_of(record, model)
    count = sum(parameter.numel() for parameter in model.parameters())
    if count != record.parameters:
        message = f"{record.id}: transformers builds {count:,} parameters, the catalog expects {record.parameters:,}"
        raise RecipeError(message)
    return Instance(record, model, slots)


def _t5(record: Backbone, device: str, seed: int) -> T5ForConditionalGeneration:
    config = T5Config(
        d_model=record.d_model,
        d_ff=record.d_ff,
        d_kv=record.d_kv,
        num_heads=record.heads,
        num_layers=record.encoder_layers,
        num_decoder_layers=record.decoder_layers,
        vocab_size=record.vocabulary,
        relative_attention_num_buckets=record.relative_buckets,
        feed_forward_proj="gated-gelu" if record.gated else "relu",
        tie_word_embeddings=record.tied,
        decoder_start_token_id=0,
    )
    with torch.random.fork_rng(devices=[]), torch.device(device):
        torch.manual_seed(seed)
        model = T5ForConditionalGeneration(config)
        if not record.tied:
            _untie(model)
    model.eval()
    return model


def _untie(model: T5ForConditionalGeneration) -> None:
    """Give the output layer a weight of its own, as T5 v1.1 has.

    transformers 5 ties it whatever the configuration says, and separates the two only while it loads a checkpoint.
    """
    own = torch.empty_like(model.shared.weight)
    model.lm_head.weight = nn.Parameter(own if own.is_meta else own.normal_(std=model.config.d_model**-0.5))
    model.config.tie_word_embeddings = False


def _slots(model: T5ForConditionalGeneration) -> Iterator[Slot]:
    config = model.config
    d_model, inner = config.d_model, config.num_heads * config.d_kv

    def slot(module: nn.Module, role: Role, sublayer: Sublayer, layer: int = 0, layers: int = 0) -> Slot:
        if isinstance(module, nn.Linear):
            fan_in, fan_out = module.in_features, module.out_features
        else:
            fan_in = fan_out = d_model
        weight = getattr(module, "weight", None)
        place = Place(
            role, sublayer, layer, layers, fan_in, fan_out, d_model, inner, config.num_heads, config.d_ff,
            tuple(weight.shape) if isinstance(weight, Tensor) else (), config.relative_attention_num_buckets,
        )  # fmt: skip
        return Slot(place, module, tuple(module.get_submodule("block").children()) if role == "input" else ())

    yield slot(model.shared, "embedding", "outside")
    yield slot(model.lm_head, "head", "outside")
    for name, stack in (("encoder", model.encoder), ("decoder", model.decoder)):
        inputs: Sublayer = "encoder.input" if name == "encoder" else "decoder.input"
        own: Sublayer = "encoder.self" if name == "encoder" else "decoder.self"
        feed: Sublayer = "encoder.feed_forward" if name == "encoder" else "decoder.feed_forward"
        final: Sublayer = "encoder.final" if name == "encoder" else "decoder.final"
        depth = len(stack.block)
        yield slot(stack, "input", inputs, layers=depth)
        for i, block in enumerate(stack.block):
            attentions = [(block.layer[0].SelfAttention, own, block.layer[0].layer_norm)]
            if name == "decoder":
                attentions.append((block.layer[1].EncDecAttention, "decoder.cross", block.layer[1].layer_norm))
            for attention, sublayer, norm in attentions:
                yield slot(norm, "norm", sublayer, i, depth)
                yield slot(attention, "attention", sublayer, i, depth)
                yield slot(attention.q, "query", sublayer, i, depth)
                yield slot(attention.k, "key", sublayer, i, depth)
                yield slot(attention.v, "value", sublayer, i, depth)
                yield slot(attention.o, "attention_output", sublayer, i, depth)
                if attention.has_relative_attention_bias:
                    yield slot(attention.relative_attention_bias, "position_bias", sublayer, i, depth)
            feed_forward = block.layer[-1]
            dense = feed_forward.DenseReluDense
            yield slot(feed_forward.layer_norm, "norm", feed, i, depth)
            yield slot(dense, "feed_forward", feed, i, depth)
            if config.is_gated_act:
                yield slot(dense.wi_0, "feed_forward_gate", feed, i, depth)
                yield slot(dense.wi_1, "feed_forward_in", feed, i, depth)
            else:
                yield slot(dense.wi, "feed_forward_in", feed, i, depth)
            yield slot(dense.wo, "feed_forward_out", feed, i, depth)
        yield slot(stack.final_layer_norm, "norm", final)
