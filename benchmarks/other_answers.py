"""The methods of the benchmark of breadth, and other answers for what they train: PEFT's, and sums over modules."""

from __future__ import annotations

import copy
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, cast

import torch
from every_type import line
from peft import LoraConfig, get_peft_model
from torch import nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from surveykit.catalog.locate import locate
from surveykit.catalog.selection import selected_recipes
from surveykit.engine import Instance, count
from surveykit.recipes import Recipe

METHODS = {
    "LoRA, query and value": "lora/qv-r8", "LoRA, all linear layers": "", "Norms": "ln-tuning/norms",
    "Prefix": "prefix-tuning/flat-p30", "Prompt": "prompt-tuning/p20", "BitFit": "bitfit/native", "Adapters": "adapters/rf16",
}  # fmt: skip
ATTENTION, LINEAR, NORMS, PREFIX, PROMPT = list(METHODS)[:5]
RANK, POSITIONS, PROMPTS = 8, 30, 20


def recipe(*edits: dict[str, Any]) -> Recipe:
    stage = {"name": "fine_tuning", "scope": "task", "edits": edits, "train": []}
    return Recipe.model_validate_json(json.dumps({"stages": [stage]}))


def linear(modules: Iterable[str] = ()) -> Recipe:
    """LoRA on whole linear layers, all or those of these names: what PEFT makes of `target_modules`."""
    where = {"roles": ["linear"], **({"modules": [*modules]} if modules else {})}
    return recipe({"kind": "low_rank", "where": where, "rank": RANK, "alpha": 8.0, "gate": "none"})


def recipes() -> dict[str, Recipe]:
    found = dict(selected_recipes(locate(None).root, [name for name in METHODS.values() if name]))
    return {method: found[name] if name else linear() for method, name in METHODS.items()}


class Comparison(NamedTuple):
    """One of our counts beside another answer."""

    name: str
    ours: int | None
    theirs: int | str
    """The other answer, or why there is none."""


def comparisons(instance: Instance, plain: PreTrainedModel, ours: dict[str, int | None]) -> Iterator[Comparison]:
    """Every count that another answer is there for."""
    yield Comparison("parameters", instance.parameters, plain.num_parameters())
    layers = [module for module in plain.modules() if isinstance(module, nn.Linear | Conv1D)]
    widths = [sum(layer.weight.shape) for layer in layers if layer is not plain.get_output_embeddings()]
    yield Comparison("all linear layers, by shapes", ours[LINEAR], RANK * sum(widths))
    yield Comparison("all linear layers, as PEFT", ours[LINEAR], _peft(plain, "all-linear"))
    places = [slot.place for slot in instance.slots if slot.place.role in ("query", "value")]
    if places and ours[ATTENTION] is not None:
        names = sorted({place.name for place in places})
        yield Comparison("query and value, as PEFT", count(linear(names), instance).trainable, _peft(plain, names))
        yield Comparison(
            "query and value, by shapes", ours[ATTENTION], RANK * sum(p.fan_in + p.fan_out for p in places)
        )
    if ours[NORMS] is not None:
        yield Comparison("norms", ours[NORMS], _norms(plain))
    if ours[PREFIX] is not None:
        yield Comparison("prefixes, by shapes", ours[PREFIX], POSITIONS * _keys_and_values(instance))
        crossing = any(slot.place.sublayer == "decoder.cross" for slot in instance.slots)  # what has no cache here
        if not crossing and (cached := _cached(plain)):
            yield Comparison("prefixes, as the cache", ours[PREFIX], POSITIONS * cached)
    if ours[PROMPT] is not None:
        yield Comparison("prompts", ours[PROMPT], PROMPTS * plain.get_input_embeddings().weight.shape[1])


def _peft(plain: PreTrainedModel, targets: str | list[str]) -> int | str:
    """Trainable parameters of PEFT's LoRA, or why it refuses."""
    config = LoraConfig(r=RANK, lora_alpha=8, target_modules=targets)
    try:
        with torch.device("meta"):
            wrapped = get_peft_model(copy.deepcopy(plain), config, low_cpu_mem_usage=True)
    except Exception as error:  # whatever PEFT, or the model in its hands, makes of it
        return f"PEFT refuses: {line(error)}"
    found = sum(p.numel() for p in wrapped.parameters() if p.requires_grad)
    if tensors := wrapped.peft_config["default"].target_parameters:
        return f"PEFT counts {found:,}, as it adds the experts' tensors ({', '.join(sorted(tensors))})"
    return found


def _keys_and_values(instance: Instance) -> int:
    """Widths of all keys and values of the stacks that read text: outputs of matrices, and what the configuration says."""
    config = instance.model.config.get_text_config(decoder=True)
    kinds = getattr(config, "layer_types", None) or ()
    turned = getattr(config, "qk_rope_head_dim", 0)  # of one key for all heads, put beside that of each
    blocks = {id(block) for _, block in instance.blocks}
    own = {_stack(name) for name, module in instance.model.named_modules() if id(module) in blocks}
    widths: dict[tuple[str, int], Counter[str]] = {}
    for slot in instance.slots:
        place = slot.place
        linear = place.layer < len(kinds) and "linear" in kinds[place.layer]  # an attention that keeps a state
        if place.role in ("key", "value") and _stack(place.name) in own and not linear:
            at = widths.setdefault((place.sublayer, place.layer), Counter())
            heads = config.per_layer_config[place.layer].num_attention_heads if turned else 0
            at[place.role] += place.fan_out + (turned * heads if place.role == "key" else 0)
    return sum((at["key"] or at["value"]) + at["value"] for at in widths.values())  # some have one matrix for both


def _stack(name: str) -> str:
    """The path of what holds the list that a module is in, or whose part it is in."""
    return re.split(r"\.[^.]*\.\d", name)[0]


def _cached(plain: PreTrainedModel) -> int | None:
    """Numbers that a decoder alone keeps of each position: keys and values of all layers. None where it keeps none, or
    does not run without weights."""
    if plain.config.is_encoder_decoder:
        return None
    try:
        with torch.no_grad():
            cache = plain(
                input_ids=torch.ones((1, 3), dtype=torch.int64, device="meta"), use_cache=True
            ).past_key_values
        kept = [tensor for layer in cache.layers for tensor in (layer.keys, layer.values)]
    except Exception:  # whatever a model makes of tensors without values, or of having no cache
        return None
    latent = getattr(plain.config.get_text_config(decoder=True), "kv_lora_rank", None)
    if any(tensor is not None and tensor.shape[-1] == latent for tensor in kept):  # what keys and values are made of
        return None
    return sum(tensor.shape[1] * tensor.shape[3] for tensor in kept if tensor is not None and tensor.dim() == 4)


def _norms(plain: PreTrainedModel) -> int:
    """Own parameters of all modules in front of the head that have norm in their class's name."""
    base = cast(nn.Module, plain.base_model)
    norms = [module for module in base.modules() if "norm" in type(module).__name__.lower()]
    own = {id(p): p for norm in norms for p in norm.parameters(recurse=False) if p.dim() < 2}  # no table of normed rows
    return sum(p.numel() for p in own.values())
