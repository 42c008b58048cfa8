"""A T5 small enough to train in a blink, with an inner width that is not its d_model and unequal stacks."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from surveykit.catalog.backbones import Backbone
from surveykit.engine.models.catalogued import build
from surveykit.engine.models.model import Instance


def tiny_backbone(
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
) -> Backbone:
    """A small T5 geometry; its expected count is the closed form."""
    dimensions: dict[str, Any] = {
        "d_model": d_model,
        "d_ff": d_ff,
        "d_kv": d_kv,
        "heads": heads,
        "encoder_layers": encoder_layers,
        "decoder_layers": decoder_layers,
        "vocabulary": vocabulary,
        "relative_buckets": 32,
        "gated": gated,
        "tied": tied,
    }
    described: dict[str, Any] = {
        "id": "tiny",
        "name": "tiny",
        "survey_label": None,
        "checkpoint": "none/none",
        "architecture": "t5",
        "paper": "raffel2019t5",
        "parameters_source": "closed form, for tests",
    }
    unchecked = Backbone.model_construct(**dimensions, **described, parameters=0)
    return Backbone.model_validate({**dimensions, **described, "parameters": unchecked.symbols()["N"]})


def tiny_instance(*, seed: int = 3, gated: bool = False) -> Instance:
    """A tiny T5 with random weights on the CPU."""
    return build(tiny_backbone(gated=gated), device="cpu", seed=seed)


def tiny_batch() -> dict[str, Tensor]:
    """Three examples of seven tokens, one padded, with five labels each."""
    ids = torch.randint(1, 100, (3, 7), generator=torch.Generator().manual_seed(1))
    labels = torch.randint(1, 100, (3, 5), generator=torch.Generator().manual_seed(2))
    mask = torch.ones_like(ids)
    mask[0, -2:] = 0
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}
