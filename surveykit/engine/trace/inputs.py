"""What a model is given while it is traced: made from its configuration and from what its forward pass takes."""

from __future__ import annotations

from collections.abc import Iterator
from inspect import signature
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedConfig

from surveykit.engine.models.model import Instance
from surveykit.engine.models.objective import labels_of
from surveykit.engine.trace.meta_values import VALUES
from surveykit.errors import RecipeError

Inputs = dict[str, Any]
_TEXT = ("input_ids", "inputs")
_MASK = "attention_mask"
_IMAGES, _SPECTRA, _SOUND = "pixel_values", "input_features", "input_values"
INFERENCE_LENGTH = 256
_IMAGE_SIDE = 224
"""Pixels, where a configuration does not say: what most image models are trained on."""


def inputs_of(instance: Instance, batch: int, length: int, target_length: int, padded: bool = False) -> Inputs:
    """What the model reads, on meta, and labels where it makes a loss of them.

    Text has `length` tokens, sound as much as gives so many positions; images, and spectra where the configuration says
    how long they are, have their own size (`notes_on_trace` says so).

    Args:
        padded: whether the last text is shorter by one token, so that there is a mask, if the model takes one.

    Raises:
        RecipeError: the model has fewer positions, or reads what cannot be made from its configuration. Positions that a
            prompt takes are its own to look after.
    """
    model, config = instance.model, instance.model.config
    main, labels = model.main_input_name, labels_of(model)
    _refuse_too_long(instance, length if main in _TEXT else 0, target_length)
    if main in _TEXT:
        found: Inputs = {main: _tokens(config, batch, length)}
        if padded and _MASK in signature(model.forward).parameters:
            mask = torch.ones(batch, length, dtype=torch.int64)
            mask[-1, -1] = 0
            found[_MASK] = _on_meta(mask)
    elif isinstance(main, str) and (shape := _shape(config, main, length)):
        found = {main: torch.zeros((batch, *shape), dtype=model.dtype, device="meta")}
    else:
        raise RecipeError(f"{instance.name} reads {main}, which cannot be made from its configuration")
    match labels:
        case "pairs":
            found |= {
                _IMAGES: torch.zeros((batch, *_image(config)), dtype=model.dtype, device="meta"),
                "return_loss": True,
            }
        case "tokens":
            found["labels"] = found[main] if main in _TEXT else _tokens(config, batch, length)
        case "target":
            found["labels"] = _tokens(config, batch, target_length)
        case "class":  # transformers takes a single label for a number
            kind = torch.int64 if config.num_labels > 1 else model.dtype
            found["labels"] = _on_meta(torch.zeros(batch, dtype=kind))
        case "span":
            for name in ("start_positions", "end_positions"):
                found[name] = _on_meta(torch.zeros(batch, dtype=torch.int64))
    if config.is_encoder_decoder and labels is None:  # with labels, a model makes them of these or of the text
        found["decoder_input_ids"] = _tokens(config, batch, target_length)
    return found


def inference_length(instance: Instance) -> int:
    """Positions of the text at inference: of a model that has few, half, so that a prompt has room beside it."""
    tables = [slot.positions for slot in instance.slots if slot.positions is not None]
    return min([INFERENCE_LENGTH, *(positions // 2 for positions in tables)])


def notes_on_trace(instance: Instance, length: int) -> Iterator[str]:
    """What batch and length do not say of a trace, a sentence each."""
    config, main = instance.model.config, instance.model.main_input_name
    said = _said(config)
    most = [value for name, value in said if name == "max_position_embeddings" and isinstance(value, int)]
    if main in _TEXT and most and max(most) < length:
        yield f"its configuration speaks of {max(most)} positions, fewer than the {length} that are asked for"
    if any("experts" in name and type(value) is int and value > 1 for name, value in said):
        yield "it chooses between experts: the trace takes each to be chosen equally often"
    seen = [name for name in ("vision_config", "audio_config") if getattr(config, name, None) is not None]
    if main == _IMAGES or labels_of(instance.model) == "pairs":
        *_, height, width = _image(config)
        yield f"it reads images of {height} x {width} pixels, as its configuration says, whatever the length"
    elif main not in _TEXT and (shape := _shape(config, main, 0)) == _shape(config, main, 1) and shape:
        yield f"it reads {max(shape)} frames of sound, as its configuration says, whatever the length"
    elif main in _TEXT and seen:
        yield "it is traced on text alone, without images or sound"


def _refuse_too_long(instance: Instance, length: int, target_length: int) -> None:
    for slot in instance.slots:
        target = slot.place.sublayer == "decoder.input" and instance.model.config.is_encoder_decoder
        needed = target_length if target else length
        if slot.positions is not None and needed > slot.positions:
            raise RecipeError(f"{instance.name} has {slot.positions} positions, fewer than the {needed} to trace")


def _tokens(config: Any, batch: int, length: int) -> Tensor:
    """Token ids that mean nothing special, and the end of a text at the end."""
    said = [value for name, value in _said(config) if name.endswith(("token_id", "token_index"))]
    special = {number for value in said for number in (value if isinstance(value, list) else [value])}
    usual = next(number for number in range(len(special) + 1) if number not in special)
    ids = torch.full((batch, length), usual)
    end = getattr(config, "eos_token_id", None)
    if isinstance(end, int) and end >= 0 and end != getattr(config, "pad_token_id", None):
        ids[:, -1] = end
    return _on_meta(ids)


def _said(config: Any) -> list[tuple[str, Any]]:
    """What a configuration and that of its text say, by name."""
    return [item for part in (config, _text(config)) for item in part.to_dict().items()]


def _text(config: Any) -> Any:
    try:
        return config.get_text_config()
    except ValueError:  # it has several
        return config


def _on_meta(values: Tensor) -> Tensor:
    return VALUES.tell(torch.empty_like(values, device="meta"), values)


def _shape(config: Any, name: str, length: int) -> tuple[int, ...] | None:
    """Dimensions of one example; None for what the configuration does not tell."""
    config = _part(config)
    if name == _IMAGES:
        return _image(config)
    if bands := getattr(config, "feature_projection_input_dim", None):
        return (length, bands)
    if bands := getattr(config, "input_feat_per_channel", None):
        return (length * 2 ** getattr(config, "num_conv_layers", 0), bands)
    bands = getattr(config, "num_mel_bins", None)
    if name == _SPECTRA and bands and (positions := getattr(config, "max_source_positions", None)):
        return (bands, 2 * positions)
    if name == _SOUND and bands and (frames := getattr(config, "max_length", None)):
        return (frames, bands)
    if name == _SOUND and hasattr(config, "conv_stride"):  # as many samples as give so many positions
        for kernel, stride in zip(reversed(config.conv_kernel), reversed(config.conv_stride), strict=True):
            length = (length - 1) * stride + kernel
        return (length,)
    return None


def _part(config: Any) -> Any:
    """The configuration of what reads images or sound."""
    named = ("vision_config", "audio_config", "encoder")
    return next((part for name in named if isinstance(part := getattr(config, name, None), PreTrainedConfig)), config)


def _image(config: Any) -> tuple[int, ...]:
    config = _part(config)
    side = getattr(config, "image_size", None) or _IMAGE_SIDE
    height, width = side if isinstance(side, list | tuple) else (side, side)
    channels = getattr(config, "num_channels", None) or 3
    frames = getattr(config, "num_frames", None)
    return (channels, height, width) if frames is None else (frames, channels, height, width)
