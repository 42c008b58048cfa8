"""What is differentiated when a model takes a training step: read from its class, never from a list of types."""

from __future__ import annotations

from collections.abc import Set
from inspect import signature
from typing import Any, Literal

from torch import Tensor
from transformers import PreTrainedModel
from transformers.utils import ModelOutput

Labels = Literal["tokens", "target", "class", "span", "pairs"]
"""One for each position of the text; those of a target of its own; one for each example; where an answer begins and ends;
which image belongs to which text."""
_OF_A_CLASS = frozenset({
    "ForSequenceClassification", "ForImageClassification", "ForVideoClassification", "ForAudioClassification",
})  # fmt: skip
_SECOND_LABELS = frozenset({"next_sentence_label", "sentence_order_label"})


def taken_by(model: PreTrainedModel) -> Set[str]:
    """Names of what a model's forward pass takes."""
    return signature(model.forward).parameters.keys()


def labels_of(model: PreTrainedModel) -> Labels | None:
    """The labels that a model turns into a loss by itself; None where it gives hidden states or scores alone."""
    taken, kind = taken_by(model), getattr(model, "loss_type", None)
    if "return_loss" in taken:
        return "pairs"
    if kind == "ForQuestionAnswering":
        return "span" if "start_positions" in taken else None
    if "labels" not in taken or taken & _SECOND_LABELS:
        return None
    if kind in _OF_A_CLASS:
        return "class"
    if kind != "ForTokenClassification" and model.get_output_embeddings() is None:
        return None
    return "target" if model.config.is_encoder_decoder else "tokens"


def loss_of(output: Any) -> Tensor:
    """The loss of the labels; where a model made none, the mean magnitude of the first that it gives.

    (Not its mean square: behind a norm that is the same whatever the weights are.)
    """
    loss: Tensor | None = getattr(output, "loss", None)
    if loss is not None:
        return loss
    given = output.values() if isinstance(output, ModelOutput) else output
    first = next(tensor for tensor in given if isinstance(tensor, Tensor) and tensor.is_floating_point())
    return first.abs().mean()


def loss_in_words(model: PreTrainedModel, target_length: int) -> str:
    """In words, what is differentiated."""
    match labels_of(model):
        case "tokens" if model.loss_type == "ForMaskedLM":
            return "the loss is that of the token at every position"
        case "tokens" if model.loss_type == "ForTokenClassification":
            return "the loss is that of a label at every position"
        case "tokens":
            return "the loss is that of the next token, at every position"
        case "target":
            return f"the loss is that of a target of {target_length} tokens"
        case "class":
            return "the loss is that of one label for each example"
        case "pairs":
            return "the loss is that of which image belongs to which text"
        case "span":
            return "the loss is that of where an answer begins and ends"
    return "the loss is the mean magnitude of the model's output (it has no labels of its own)"
