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
    encoder = _BatchEncoder(tokenizer, length)
    encode: Callable[[Sequence[Example]], Batch]
    objective: Objective
    if (head := instance.blueprint.labels) is not None:
        if head != len(labels):
            raise SurveyError(f"the head has {head} labels, and the texts have {len(labels)}: {', '.join(labels[:9])}")
        encode, objective = partial(encoder.classifier, labels=labels), HEAD_LOSS
        form = "the model's head classifies, and is trained too"
    elif instance.model.config.is_encoder_decoder:
        if getattr(instance.model.config, "decoder_start_token_id", None) is None:
            raise SurveyError(
                f"{instance.name}: its config.json has no decoder_start_token_id, from which it would write"
            )
        encode, objective, form = encoder.encoder_decoder, OWN_LOSS, "the decoder writes the label"
    elif instance.model.can_generate():
        encode, objective, form = encoder.decoder, NextToken(), "the label is written after the text"
    else:
        encode = partial(encoder.classifier, labels=labels)
        objective = Classified(instance.model.config.hidden_size, len(labels))
        form = "a linear head on the average of the last hidden states classifies, and is trained too"
    full = [training[start : start + batch] for start in range(0, len(training) - batch + 1, batch)]
    label_text = f"{len(labels)} labels ({', '.join(labels[:4])}{'…' if len(labels) > 4 else ''})"
    sizes = f"{sum(map(len, full))} texts in batches of {batch} to train on, {len(held_out)} held out"
    return Task(tuple(map(encode, full)), encode(held_out), objective, f"{label_text}, {sizes}; {form}")


@dataclass(frozen=True)
class _BatchEncoder:
    """Turns labelled texts into batches, in the form that each architecture is trained on."""

    tokenizer: PreTrainedTokenizerBase
    length: int

    def classifier(self, examples: Sequence[Example], labels: Sequence[str]) -> Batch:
        classes = torch.tensor([labels.index(example.label) for example in examples])
        return {**self._texts(examples), "labels": classes}

    def encoder_decoder(self, examples: Sequence[Example]) -> Batch:
        targets = self._ids([example.label for example in examples])
        return {**self._texts(examples), "labels": _padded(targets, IGNORED)}

    def decoder(self, examples: Sequence[Example]) -> Batch:
        answers = [self.tokenizer(f" {example.label}", add_special_tokens=False)["input_ids"] for example in examples]
        texts = self._ids([example.text for example in examples], reserved=max(map(len, answers)))
        whole = [text + answer for text, answer in zip(texts, answers, strict=True)]
        labels = [[IGNORED] * len(text) + answer for text, answer in zip(texts, answers, strict=True)]
        return {**self._inputs(whole), "labels": _padded(labels, IGNORED)}

    def _texts(self, examples: Sequence[Example]) -> dict[str, Tensor]:
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
        mask = _padded([[1] * len(row) for row in ids], 0)
        return {"input_ids": _padded(ids, 0 if filler is None else filler), "attention_mask": mask}


def _padded(rows: Sequence[Sequence[int]], filler: int) -> Tensor:
    """A tensor (rows, longest row), each row padded at its end."""
    longest = max(map(len, rows))
    return torch.tensor([[*row, *[filler] * (longest - len(row))] for row in rows])
