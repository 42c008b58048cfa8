"""What the tests of traces share: a few methods of the catalog, and how they are traced."""

from __future__ import annotations

import torch
from torch import Tensor

from surveykit.catalog.load import Catalog
from surveykit.catalog.models import Model
from surveykit.engine import Attached, Instance, build
from surveykit.engine.trace.step import StepTrace, trace_step
from surveykit.recipes import Stage, Where

METHODS = {
    "full": "full-tuning/all",
    "lora": "lora/qv-r8",
    "houlsby": "adapters/rf16",
    "prefix": "prefix-tuning/mlp-p30-h512",
    "ia3": "ia3/kv-ff",
    "norms": "ln-tuning/norms",
    "prompt": "prompt-tuning/p100",
    "unipelt": "unipelt/p10-rf16-r8",
}
LAST_BLOCK = Where(
    roles=("query", "key", "value", "attention_output", "feed_forward_in", "feed_forward_out", "norm"),
    sublayers=("decoder.self", "decoder.cross", "decoder.feed_forward"),
    layers=(-1,),
)
NOTHING = Stage(name="nothing", scope="task", edits=(), train=())


def stage_of(catalog: Catalog, name: str) -> Stage:
    """The last stage of a method in `METHODS`, or one of two that need no method."""
    if name == "nothing":
        return NOTHING
    return (
        NOTHING.model_copy(update={"train": (LAST_BLOCK,)})
        if name == "last block"
        else catalog.recipe(METHODS[name]).stages[-1]
    )


def model_for(record: Model, *, device: str = "meta", dtype: torch.dtype = torch.bfloat16) -> Instance:
    instance = build(record, device=device)
    instance.model.set_attn_implementation("eager")
    instance.model.to(dtype)
    instance.model.train()
    return instance


def inputs(device: str, *, batch: int = 3, positions: int = 24) -> dict[str, Tensor]:
    ones = {"dtype": torch.long, "device": device}
    return {
        "input_ids": torch.ones(batch, positions, **ones),  # type: ignore[call-overload]
        "labels": torch.ones(batch, 5, **ones),  # type: ignore[call-overload]
    }


def trace(instance: Instance, stage: Stage, *, passes: int = 1) -> StepTrace:
    with Attached(instance, stage):
        given = inputs(str(instance.model.device))
        return trace_step(instance, given, passes=passes, consistency=stage.consistency)
