"""A task of labelled texts for a model: batches of tokens, and the objective that suits the kind of model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from surveykit.engine.models.model import Instance
from surveykit.engine.train.objectives import IGNORED, OWN_LOSS, Batch, Classified, NextToken, Objective
from surveykit.engine.train.texts import Example, divided
from surveykit.errors import SurveyError


@dataclass(frozen=True)
class Task:
    """What a trial on texts needs."""

    batches: tuple[Batch, ...]
    held_out: Batch
    objective: Objective
    description: str
    """In a sentence, with the sizes."""


def task_of(
    instance: Instance,
    tokenizer: PreTrainedTokenizerBase,
    examples: Sequence[Example],
    *,
    batch: int,
    steps: int,
    length: int,
) -> Task:
    """Divide labelled texts into batches to train on, one for each step as far as they go, and one that is held out.

    An encoder alone classifies, through a linear head that is trained along; a decoder alone is trained to write the
    label behind the text, an encoder-decoder to write the label.

    Args:
        batch: examples in each batch.
        length: positions that a text is cut to, the special tokens included.

    Raises:
        SurveyError: there are not enough texts, or the model does not say how its decoder starts.
    """
    held_out, training = divided(examples, batch, batch * steps)
    labels = sorted({example.label for example in examples})
    tokens = _Tokens(tokenizer, length)
    make: Callable[[Sequence[Example]], Batch]
    objective: Objective
    if instance.model.config.is_encoder_decoder:
        if getattr(instance.model.config, "decoder_start_token_id", None) is None:
            raise SurveyError(
                f"{instance.name}: its config.json has no decoder_start_token_id, from which it would write"
            )
        make, objective, how = tokens.sequences, OWN_LOSS, "the decoder writes the label"
    elif instance.model.can_generate():
        make, objective, how = tokens.continued, NextToken(), "the label is written behind the text"
    else:
        make = partial(tokens.classes, labels=labels)
        objective = Classified(instance.model.config.hidden_size, len(labels))
        how = "a linear head on the average of the last hidden states classifies, and is trained along"
    parts = [training[start : start + batch] for start in range(0, len(training), batch)]
    full = [part for part in parts if len(part) == batch] or parts
    words = f"{len(labels)} labels ({', '.join(labels[:4])}{'…' if len(labels) > 4 else ''})"
    sizes = f"{sum(map(len, full))} texts in batches of {batch} to train on, {len(held_out)} held out"
    return Task(tuple(map(make, full)), make(held_out), objective, f"{words}, {sizes}; {how}")


@dataclass(frozen=True)
class _Tokens:
    tokenizer: PreTrainedTokenizerBase
    length: int

    def classes(self, examples: Sequence[Example], labels: Sequence[str]) -> Batch:
        found = torch.tensor([labels.index(example.label) for example in examples])
        return {**self._inputs([example.text for example in examples]), "labels": found}

    def sequences(self, examples: Sequence[Example]) -> Batch:
        written = self._ids([example.label for example in examples])
        return {**self._inputs([example.text for example in examples]), "labels": _padded(written, IGNORED)}

    def continued(self, examples: Sequence[Example]) -> Batch:
        answers = [self.tokenizer(f" {example.label}", add_special_tokens=False)["input_ids"] for example in examples]
        texts = self._ids([example.text for example in examples], spare=max(map(len, answers)))
        whole = [text + answer for text, answer in zip(texts, answers, strict=True)]
        labels = [[IGNORED] * len(text) + answer for text, answer in zip(texts, answers, strict=True)]
        return {**self._filled(whole), "labels": _padded(labels, IGNORED)}

    def _inputs(self, texts: Sequence[str]) -> dict[str, Tensor]:
        return self._filled(self._ids(texts))

    def _ids(self, texts: Sequence[str], spare: int = 0) -> list[list[int]]:
        found = self.tokenizer(list(texts), truncation=True, max_length=max(1, self.length - spare))
        ids: list[list[int]] = found["input_ids"]
        return ids

    def _filled(self, ids: Sequence[Sequence[int]]) -> dict[str, Tensor]:
        """Tokens and their mask; any token would do behind them, since it is masked."""
        filler = self.tokenizer.pad_token_id
        mask = _padded([[1] * len(row) for row in ids], 0)
        return {"input_ids": _padded(ids, 0 if filler is None else filler), "attention_mask": mask}


def _padded(rows: Sequence[Sequence[int]], filler: int) -> Tensor:
    """(rows, longest), filled up behind."""
    longest = max(map(len, rows))
    return torch.tensor([[*row, *[filler] * (longest - len(row))] for row in rows])
