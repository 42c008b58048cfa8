"""Every model type of transformers that has a class for text, in a small model without weights."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any, cast

import torch
import transformers
from transformers import CONFIG_MAPPING, PreTrainedConfig, PreTrainedModel
from transformers.models.auto import modeling_auto

from surveykit.site.data.breadth import Kind

KINDS: dict[Kind, tuple[str, ...]] = {
    "seq2seq": ("SEQ_TO_SEQ_CAUSAL_LM",), "masked": ("MASKED_LM",), "causal": ("CAUSAL_LM",),
    "classification": ("SEQUENCE_CLASSIFICATION",), "several parts": ("IMAGE_TEXT_TO_TEXT", "TEXT_TO_WAVEFORM"),
}  # fmt: skip
"""Of several kinds that a type has, the first is what its models are published as. For the last, a type must have another
too, whose class cannot be built from its default configuration."""
CLASSES: dict[Kind, dict[str, Any]] = {
    kind: dict(kv for name in names for kv in getattr(modeling_auto, f"MODEL_FOR_{name}_MAPPING_NAMES").items())
    for kind, names in KINDS.items()
}
"""Names of classes by model type."""
GIVEN: dict[str, dict[str, Any]] = {
    "esm": {"vocab_size": 33, "pad_token_id": 1}, "hunyuan_v1_dense": {"head_dim": 128}, "hunyuan_v1_moe": {"head_dim": 128},
    "lfm2_moe": {"layer_types": ["conv", "full_attention"] * 16}, "ministral": {"head_dim": 128},
    "nemotron": {"num_key_value_heads": 8},
}  # fmt: skip
"""What default configurations lack, and published ones have."""
DEPTH = 8
"""Layers of a stack at most: so many that most patterns of kinds of layers occur."""
DEPTHS = {
    "num_hidden_layers", "num_layers", "n_layer", "n_layers", "depth", "encoder_layers", "decoder_layers", "num_encoder_layers",
    "num_decoder_layers", "speech_encoder_layers", "t2u_encoder_layers", "t2u_decoder_layers",
}  # fmt: skip
"""What configurations call the number of layers of a stack."""


def types() -> list[str]:
    names = {name for kind, names in CLASSES.items() if kind != "several parts" for name in names}
    return sorted(names & {*CONFIG_MAPPING})


def class_names(model_type: str) -> Iterator[tuple[Kind, str]]:
    for kind, names in CLASSES.items():
        found = names.get(model_type, ())
        yield from ((kind, name) for name in ((found,) if isinstance(found, str) else found))


def cut(config: PreTrainedConfig) -> PreTrainedConfig:
    """The same with at most `DEPTH` layers in each stack, lists of a value for each layer cut with them."""
    config = copy.deepcopy(config)
    left = [config]
    while left:
        said = vars(one := left.pop())
        left += [value for value in said.values() if isinstance(value, PreTrainedConfig)]
        deep = {name: n for name, n in said.items() if name in DEPTHS and isinstance(n, int) and n > DEPTH}
        long = {name: v for name, v in said.items() if isinstance(v, list | tuple) and len(v) in deep.values()}
        for name in deep:
            setattr(one, name, DEPTH)
        for name, values in long.items():
            setattr(one, name, values[:DEPTH])
    return config


def made(name: str, config: PreTrainedConfig) -> PreTrainedModel:
    """What transformers alone builds, without weights."""
    with torch.device("meta"):
        return cast(PreTrainedModel, getattr(transformers, name)(copy.deepcopy(config)))


def made_for(name: str, config: PreTrainedConfig) -> bool:
    """Whether a class takes such a configuration whole, not a part of it."""
    try:
        return getattr(transformers, name).config_class is type(config)
    except ImportError:  # of a package that is not there, which the class needs
        return False


def built(model_type: str) -> tuple[Kind, PreTrainedConfig, PreTrainedModel] | str:
    """The first of its classes, those for whole models before those for a part, that transformers builds from its default
    configuration, small or else as it is; or why none."""
    reason = "transformers has no class for it"
    try:
        config = CONFIG_MAPPING[model_type](**GIVEN.get(model_type, {}))
    except Exception as error:
        return f"no default configuration: {line(error)}"
    for kind, name in sorted(class_names(model_type), key=lambda found: not made_for(found[1], config)):
        for small in (cut(config), config):
            small.architectures = [name]  # as in a published config.json
            try:
                return kind, small, made(name, small)
            except Exception as error:
                reason = f"{name}: {line(error)}"
    return reason


def line(error: Exception) -> str:
    """What an exception says."""
    return " ".join(str(error).split())[:400] or type(error).__name__
