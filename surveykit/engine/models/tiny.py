"""A T5 small enough to train in a blink, with an inner width that is not its d_model and unequal stacks."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from surveykit.catalog.models import Model
from surveykit.engine.models.catalogued import build
from surveykit.engine.models.model import Instance


def tiny_model(
    *,
    d_model: int = 128,
    d_ff: int = 160,
    d_kv: int = 24,
    heads: int = 4,
    encoder_layers: int = 2,
    decoder_layers: int = 3,
    vocabulary: int = 101,
    gated: bool = False,
    tied: bool = True,
) -> Model:
    """A small T5 geometry; its expected count is the closed form."""
    config: dict[str, Any] = {
        "model_type": "t5", "is_encoder_decoder": True, "d_model": d_model, "d_ff": d_ff, "d_kv": d_kv,
        "num_heads": heads, "num_layers": encoder_layers, "num_decoder_layers": decoder_layers,
        "vocab_size": vocabulary, "relative_attention_num_buckets": 32, "decoder_start_token_id": 0,
        "feed_forward_proj": "gated-gelu" if gated else "relu", "tie_word_embeddings": tied,
    }  # fmt: skip
    return Model(
        id="tiny",
        name="tiny",
        checkpoint=None,
        paper=None,
        counts="T5ForConditionalGeneration",
        parameters=None,
        parameters_source="closed form, for tests",
        config=config,
    )


def tiny_instance(*, seed: int = 3, gated: bool = False) -> Instance:
    """A tiny T5 with random weights on the CPU."""
    return build(tiny_model(gated=gated), device="cpu", seed=seed)


def tiny_batch() -> dict[str, Tensor]:
    """Three examples of seven tokens, one padded, with five labels each."""
    ids = torch.randint(1, 100, (3, 7), generator=torch.Generator().manual_seed(1))
    labels = torch.randint(1, 100, (3, 5), generator=torch.Generator().manual_seed(2))
    mask = torch.ones_like(ids)
    mask[0, -2:] = 0
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}
