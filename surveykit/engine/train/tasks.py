"""Labelled texts as a task for a model: batches of tokens, and the objective that suits the architecture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from surveykit.engine.models.model import Instance
from surveykit.engine.train.objectives import HEAD_LOSS, IGNORED, OWN_LOSS, Batch, Classified, NextToken, Objective
from surveykit.engine.train.texts import Example, split_held_out
from surveykit.errors import SurveyError


@dataclass(frozen=True)
class Task:
    """What a trial on texts needs."""

    batches: tuple[Batch, ...]
    held_out: Batch
    objective: Objective
    description: str
    """One sentence with labels, sizes and what is trained."""


def make_task(
    instance: Instance,
    tokenizer: PreTrainedTokenizerBase,
    examples: Sequence[Example],
    *,
    batch: int,
    steps: int,
    length: int,
) -> Task:
    """Make batches to train on, one for each step as long as there are texts, and one batch that is held out.

    A task's head of the model classifies. Without one, an encoder classifies through a linear head, which is trained too; a decoder is trained to write the label after the
    text; an encoder-decoder is trained to write the label.

    Args:
        instance: the model.
        tokenizer: the model's.
        examples: labelled texts.
        batch: examples in a batch.
        steps: optimizer steps.
        length: tokens that a text is cut to, special tokens included.

    Raises:
        SurveyError: there are not enough texts, or the model does not say how its decoder starts.
    """
    held_out, training = split_held_out(examples, batch, batch * steps)
    labels = sorted({example.label for example in examples})
    form = form_of(instance, BatchEncoder(tokenizer, length), labels)
    full = [training[start : start + batch] for start in range(0, len(training) - batch + 1, batch)]
    label_text = f"{len(labels)} labels ({', '.join(labels[:4])}{'…' if len(labels) > 4 else ''})"
    sizes = f"{sum(map(len, full))} texts in batches of {batch} to train on, {len(held_out)} held out"
    return Task(
        tuple(map(form.encode, full)), form.encode(held_out), form.objective, f"{label_text}, {sizes}; {form.words}"
    )


@dataclass(frozen=True)
class Form:
    """How a model of some architecture does a task."""

    encode: Callable[[Sequence[Example]], Batch]
    objective: Objective
    labels: tuple[str, ...] | None
    """What it chooses from; None where it writes a text."""
    classifies: bool
    """Whether it has an output for each label; else it writes the label."""
    words: str
    encoder: BatchEncoder


def form_of(instance: Instance, encoder: BatchEncoder, labels: Sequence[str] | None) -> Form:
    """How a model does a task.

    Args:
        labels: what it chooses from; None where it writes a text.

    Raises:
        SurveyError: the model does not say how its decoder starts, has a head for another number of labels, or cannot write.
    """
    known = None if labels is None else tuple(labels)
    if known is not None and (head := instance.blueprint.labels) is not None:
        if head != len(known):
            raise SurveyError(f"the head has {head} labels, but the texts have {len(known)}: {', '.join(known[:9])}")
        words = "the model's head classifies, and is trained too"
        return Form(partial(encoder.classifier, labels=known), HEAD_LOSS, known, True, words, encoder)
    if instance.model.config.is_encoder_decoder:
        if getattr(instance.model.config, "decoder_start_token_id", None) is None:
            raise SurveyError(
                f"{instance.name}: its config.json has no decoder_start_token_id, from which to start writing"
            )
        words = "the decoder writes the label" if known else "the decoder writes the text"
        return Form(encoder.encoder_decoder, OWN_LOSS, known, False, words, encoder)
    if known is None:
        raise SurveyError(f"{instance.name} has no encoder and decoder, which a task that writes text needs")
    if instance.model.can_generate():
        return Form(encoder.decoder, NextToken(), known, False, "the label is written after the text", encoder)
    words = "a linear head on the average of the last hidden states classifies, and is trained too"
    objective = Classified(instance.model.config.hidden_size, len(known))
    return Form(partial(encoder.classifier, labels=known), objective, known, True, words, encoder)


@dataclass(frozen=True)
class BatchEncoder:
    """Turns labelled texts into batches, in the form that each architecture is trained on."""

    tokenizer: PreTrainedTokenizerBase
    length: int
    padded_to: int = 0
    """Positions that every text is padded to at least, so that all steps are of one shape."""
    target_length: int | None = None
    """Positions that every target is cut and padded to; None: as many as it has."""

    def classifier(self, examples: Sequence[Example], labels: Sequence[str]) -> Batch:
        classes = torch.tensor([labels.index(example.label) for example in examples])
        return {**self.texts(examples), "labels": classes}

    def encoder_decoder(self, examples: Sequence[Example]) -> Batch:
        targets = self._ids([example.label for example in examples])
        targets = [target[: self.target_length] for target in targets]
        return {**self.texts(examples), "labels": _padded(targets, IGNORED, self.target_length or 0)}

    def decoder(self, examples: Sequence[Example]) -> Batch:
        answers = [self.tokenizer(f" {example.label}", add_special_tokens=False)["input_ids"] for example in examples]
        texts = self._ids([example.text for example in examples], reserved=max(map(len, answers)))
        whole = [text + answer for text, answer in zip(texts, answers, strict=True)]
        labels = [[IGNORED] * len(text) + answer for text, answer in zip(texts, answers, strict=True)]
        return {**self._inputs(whole), "labels": _padded(labels, IGNORED, self.padded_to)}

    def texts(self, examples: Sequence[Example]) -> dict[str, Tensor]:
        return self._inputs(self._ids([example.text for example in examples]))

    def _ids(self, texts: Sequence[str], reserved: int = 0) -> list[list[int]]:
        """Token ids of each text, cut so that with the reserved tokens it has at most `length`."""
        ids: list[list[int]] = self.tokenizer(list(texts), truncation=True, max_length=max(1, self.length - reserved))[
            "input_ids"
        ]
        return ids

    def _inputs(self, ids: Sequence[Sequence[int]]) -> dict[str, Tensor]:
        """Tokens, padded at the end, and their mask; any token serves as padding, since it is masked."""
        filler = self.tokenizer.pad_token_id
        mask = _padded([[1] * len(row) for row in ids], 0, self.padded_to)
        return {"input_ids": _padded(ids, 0 if filler is None else filler, self.padded_to), "attention_mask": mask}


def _padded(rows: Sequence[Sequence[int]], filler: int, least: int = 0) -> Tensor:
    """A tensor (rows, longest row, or `least` where that is more), each row padded at its end."""
    longest = max(least, *map(len, rows))
    return torch.tensor([[*row, *[filler] * (longest - len(row))] for row in rows])
