"""Soft prompts: learned positions before the embedded input of a stack."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle
from transformers import PreTrainedModel

from surveykit.engine.models.bound_places import BoundPlace
from surveykit.errors import RecipeError
from surveykit.recipes.base import Parts
from surveykit.recipes.sites import InputEdit

IGNORED_LABEL = -100


def prepend_prompts(model: PreTrainedModel, prompts: Sequence[tuple[InputEdit, BoundPlace, Parts]]) -> RemovableHandle:
    """Replace token ids by embeddings with the prompt before them; masks and labels are lengthened to match.

    Running the model raises RecipeError where it has too few positions for prompt and text.
    """
    both = model.config.is_encoder_decoder
    sides = {
        ("decoder_" if both and slot.place.sublayer == "decoder.input" else ""): (edit, slot, parts)
        for edit, slot, parts in prompts
    }

    def hook(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[()], dict[str, Any]]:
        names = ("input_ids", "attention_mask", "decoder_input_ids", "decoder_attention_mask")
        given = {**dict(zip(names, args, strict=False)), **kwargs}
        if "decoder_" in sides and given.get("labels") is not None and given.get("decoder_input_ids") is None:
            given["decoder_input_ids"] = model.prepare_decoder_input_ids_from_labels(given["labels"])
        for side, (edit, slot, parts) in sides.items():
            _lengthen(model, given, side, edit.positions(parts), slot.positions, labelled=bool(side) or not both)
        return (), given

    handle: RemovableHandle = model.register_forward_pre_hook(hook, with_kwargs=True)
    return handle


def _lengthen(
    model: PreTrainedModel, given: dict[str, Any], side: str, prompt: Tensor, most: int | None, *, labelled: bool
) -> None:
    ids = given.pop(f"{side}input_ids", None)
    embedded = given.get(f"{side}inputs_embeds")
    if embedded is None:
        embedded = model.get_input_embeddings()(ids)
    batch, text, length = embedded.shape[0], embedded.shape[1], prompt.shape[0]
    if most is not None and length + text > most:
        taken = f"a prompt of {length} and a text of {text} take {length + text}"
        raise RecipeError(f"the model has {most} positions, and {taken}")
    given[f"{side}inputs_embeds"] = torch.cat((prompt.expand(batch, -1, -1).to(embedded.dtype), embedded), dim=1)
    mask = given.get(f"{side}attention_mask")
    if mask is not None:
        given[f"{side}attention_mask"] = torch.cat((mask.new_ones(batch, length), mask), dim=1)
    types = None if side else given.get("token_type_ids")
    if types is not None:
        given["token_type_ids"] = torch.cat((types.new_zeros(batch, length), types), dim=1)
    labels = given.get("labels")
    if labelled and labels is not None and labels.dim() > 1:  # a task's head has one label for a whole text
        given["labels"] = torch.cat((labels.new_full((batch, length), IGNORED_LABEL), labels), dim=1)
