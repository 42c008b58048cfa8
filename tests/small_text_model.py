"""A folder as a user has it: a small BERT with biases that are not zero, its weights, and a tokenizer of words."""

from __future__ import annotations

from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import BertConfig, BertModel, PreTrainedModel, PreTrainedTokenizerFast

from surveykit.engine.train import texts


def save_tokenizer(folder: Path) -> int:
    """Every word of the texts that come along is a token; returns how many there are."""
    words = sorted({word for example in texts.read(texts.BUNDLED) for word in example.text.lower().split()})
    vocabulary = {word: number for number, word in enumerate(["[PAD]", "[UNK]", "</s>", "praise", "complaint", *words])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="[UNK]", pad_token="[PAD]", eos_token="</s>"
    ).save_pretrained(folder)
    return len(vocabulary)


def bert(vocabulary: int, kind: type[PreTrainedModel] = BertModel) -> PreTrainedModel:
    torch.manual_seed(0)
    model = kind(
        BertConfig(
            vocab_size=vocabulary, hidden_size=48, num_hidden_layers=2, num_attention_heads=4, intermediate_size=80,
            max_position_embeddings=160,
        )
    )  # fmt: skip
    randomise_biases(model)
    return model


def randomise_biases(model: PreTrainedModel) -> None:
    """As training leaves them; transformers starts biases at zero, which hides what they do."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                parameter.normal_(std=0.2)


def save_bert(folder: Path) -> Path:
    """A folder with everything."""
    bert(save_tokenizer(folder)).save_pretrained(folder)
    return folder
