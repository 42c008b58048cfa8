"""What kind of model a configuration is of, by transformers' own lists: its class, and whether it encodes or decodes."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, cast

import transformers
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.models.auto import modeling_auto as auto

from surveykit.engine.models.stacks import Side, text_config
from surveykit.errors import SurveyError


def sides_of(config: PreTrainedConfig, model_class: type[PreTrainedModel] | None = None) -> frozenset[Side]:
    """The stacks of a model, of a class if that is known: BART's for text in order is its decoder alone. What transformers
    lists for masked words, or not for text in order, reads both ways."""
    if config.is_encoder_decoder:
        causal, seq2seq = auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES, auto.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES
        name = "" if model_class is None else model_class.__name__
        alone = name in causal.values() and name not in seq2seq.values()
        return frozenset({"decoder"}) if alone else frozenset({"encoder", "decoder"})
    decoders = (auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES, auto.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES)
    text = text_config(config)
    named = any(part.model_type in names for part in (config, text) for names in decoders)
    masked = any(part.model_type in auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES for part in (config, text))
    if getattr(text, "is_decoder", False) or (named and not masked):
        return frozenset({"decoder"})
    return frozenset({"encoder"})


def class_of(config: PreTrainedConfig) -> type[PreTrainedModel]:
    """The class that a configuration names, or else the natural one of its type.

    Raises:
        SurveyError: transformers has none.
    """
    listed = [name for names in _natural(sides_of(config)) for name in _several(names.get(config.model_type))]
    for name in config.architectures or ():
        found = getattr(transformers, name, None)
        if getattr(found, "config_class", None) is type(config) or (found is not None and name in listed):
            return cast(type[PreTrainedModel], found)
    natural: list[Any] = [found for name in listed if (found := getattr(transformers, name, None)) is not None]
    for found in (*(one for one in natural if isinstance(config, one.config_class)), _beside(type(config)), *natural):
        if found is not None:
            return cast(type[PreTrainedModel], found)
    raise SurveyError(f"transformers has no model for configurations of type '{config.model_type}'")


def _beside(config_class: type[PreTrainedConfig]) -> type[PreTrainedModel] | None:
    """The class for a configuration that transformers' lists leave out: of those in the module beside it, one that has
    scores, or else the whole of its kind."""
    try:
        home = import_module(config_class.__module__.replace(".configuration_", ".modeling_"))
    except ImportError:
        return None
    kinds: list[Any] = [found for found in vars(home).values() if isinstance(found, type)]
    models = [found for found in kinds if issubclass(found, PreTrainedModel) and found.config_class is config_class]
    ends = ("ForConditionalGeneration", "ForCausalLM", "Model", "")
    named = [(m.__name__, m) for m in models if "PreTrainedModel" not in m.__name__]
    return next((found for end in ends for name, found in named if name.endswith(end)), None)


def _natural(sides: frozenset[Side]) -> tuple[Mapping[str, Any], ...]:
    if sides == {"encoder"}:
        return (auto.MODEL_MAPPING_NAMES,)
    if sides == {"decoder"}:
        names = (auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES, auto.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES)
    else:
        names = (auto.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES, auto.MODEL_FOR_SPEECH_SEQ_2_SEQ_MAPPING_NAMES)
    return (*names, auto.MODEL_MAPPING_NAMES)


def _several(names: str | tuple[str, ...] | None) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else names or ()
