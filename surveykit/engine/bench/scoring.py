"""What a trained model scores on examples, one by one."""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from surveykit.engine.models.model import Instance
from surveykit.engine.train.objectives import IGNORED, Batch, Classified, Objective
from surveykit.engine.train.tasks import Form
from surveykit.engine.train.texts import Example
from surveykit.errors import MissingExtra


def scores(
    instance: Instance, form: Form, objective: Objective, examples: Sequence[Example], metric: str, batch: int,
    device: torch.device, longest: int,
) -> list[float]:  # fmt: skip
    """For each example 1 or 0 (accuracy), or ROUGE-L's F between 0 and 1.

    A label is the one to which the model gives the highest probability, all its tokens together; a text is written token by
    token, the likeliest first.

    Args:
        longest: tokens that are written at most.
    """
    parts = [examples[at : at + batch] for at in range(0, len(examples), batch)]
    with torch.no_grad():
        if metric == "rouge-l":
            return [score for part in parts for score in _written(instance, form, part, device, longest)]
        return [score for part in parts for score in _chosen(instance, form, objective, part, device)]


def chance(examples: Sequence[Example], labels: Sequence[str]) -> float:
    """What is right when the commonest label is always said."""
    return max(Counter(example.label for example in examples).values()) / len(examples) if examples else 1 / len(labels)


def _chosen(
    instance: Instance, form: Form, objective: Objective, examples: Sequence[Example], device: torch.device
) -> Iterator[float]:
    assert form.labels is not None
    truth = [form.labels.index(example.label) for example in examples]
    if isinstance(objective, Classified) or form.classifies:
        batch = _on(device, form.encode(examples))
        answers = objective.answer(instance.model, batch).scores.argmax(dim=-1)
    else:
        likely = [
            _likelihood(instance, _on(device, form.encode([Example(e.text, label) for e in examples])))
            for label in form.labels
        ]
        answers = torch.stack(likely).argmax(dim=0)
    yield from (float(answer == right) for answer, right in zip(answers.tolist(), truth, strict=True))


def _likelihood(instance: Instance, batch: Batch) -> Tensor:
    """The logarithm of the probability of each example's label, (examples,)."""
    labels = batch["labels"]
    if instance.model.config.is_encoder_decoder:
        logits = instance.model(**batch, use_cache=False).logits[:, -labels.shape[1] :]
    else:
        given = {name: batch[name] for name in ("input_ids", "attention_mask")}
        logits = instance.model(**given, use_cache=False).logits[:, -labels.shape[1] :][:, :-1]
        labels = labels[:, 1:]
    known = labels != IGNORED
    each = logits.float().log_softmax(dim=-1).gather(-1, labels.masked_fill(~known, 0)[..., None])[..., 0]
    found: Tensor = (each * known).sum(dim=-1)
    return found


def _written(
    instance: Instance, form: Form, examples: Sequence[Example], device: torch.device, longest: int
) -> Iterator[float]:
    try:
        scorer = importlib.import_module("rouge_score.rouge_scorer").RougeScorer(["rougeL"], use_stemmer=True)
    except ImportError:
        raise MissingExtra("rouge_score", "bench", "scoring texts that a model writes") from None
    for example, text in zip(examples, written(instance, form, examples, device, longest), strict=True):
        yield float(scorer.score(example.label, text)["rougeL"].fmeasure)


def written(
    instance: Instance, form: Form, examples: Sequence[Example], device: torch.device, longest: int
) -> list[str]:
    """What an encoder-decoder writes for each text, the likeliest token after another. Without a cache, which prompts and
    prefixes would have to share."""
    model, tokenizer = instance.model, form.encoder.tokenizer
    batch = _on(device, form.encoder.texts(examples))
    said = torch.full((len(examples), 1), model.config.decoder_start_token_id, device=device)
    end, over = tokenizer.eos_token_id, torch.zeros(len(examples), dtype=torch.bool, device=device)
    for _ in range(longest):
        following = model(**batch, decoder_input_ids=said, use_cache=False).logits[:, -1].argmax(dim=-1)
        following = following.masked_fill(over, tokenizer.pad_token_id or 0)
        said = torch.cat([said, following[:, None]], dim=1)
        over |= following == end
        if bool(over.all()):
            break
    found: list[str] = tokenizer.batch_decode(said[:, 1:], skip_special_tokens=True)
    return found


def _on(device: torch.device, batch: Batch) -> dict[str, Tensor]:
    return {name: tensor.to(device) for name, tensor in batch.items()}
