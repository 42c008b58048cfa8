"""What stands in front of the input, or of keys and values."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from peft_tensors import InLibrary
from surveykit.recipes import Place


def _encoder(model: Any) -> Any:
    return model.prompt_encoder["default"]


def _rows_of(place: Place, table: Tensor, length: int) -> Tensor:
    """PEFT has the prompts of both stacks in one table, the encoder's first."""
    return table[length:] if place.sublayer == "decoder.input" and len(table) > length else table[:length]


def _mlp(model: Any) -> dict[str, Tensor]:
    layers = zip(("first", "middle", "last"), _encoder(model).mlp_head[::2], strict=True)
    return {key: value for name, m in layers for key, value in ((name, m.weight), (f"{name}_bias", m.bias))}


def _lstm(model: Any) -> dict[str, Tensor]:
    encoder = _encoder(model)
    lstm, found = encoder.lstm_head, {}
    names = {"read": "weight_ih", "state": "weight_hh", "read_bias": "bias_ih", "state_bias": "bias_hh"}
    for layer in range(lstm.num_layers):
        for ours, theirs in names.items():
            both = [getattr(lstm, f"{theirs}_l{layer}{end}") for end in ("", "_reverse")]
            found[f"{ours}_{layer}"] = torch.stack(both)
    for name, m in zip(("first", "last"), encoder.mlp_head[::2], strict=True):
        found |= {name: m.weight, f"{name}_bias": m.bias}
    return found


P_TUNING = [
    InLibrary(
        fields={"length": 4, "encoder": encoder, "hidden": 7, "layers": 2},
        read=lambda model, place: {"table": _encoder(model).embedding.weight},
        shared=network,
        merges=False,
        models=("llama", "gpt2", "bert"),  # on T5, PEFT makes a second prompt that its forward pass never reads
    )
    for encoder, network in (("MLP", _mlp), ("LSTM", _lstm))
]
MULTITASK = InLibrary(
    fields={"length": 4, "rank": 2, "tasks": 3},
    read=lambda model, place: {
        "prompt": _rows_of(place, _encoder(model).embedding.weight, 4),
        "columns": torch.stack([_rows_of(place, one, 4) for one in _encoder(model).prefix_task_cols]),
    },
    shared=lambda model: {"rows": _encoder(model).prefix_task_rows},
    given={"task_ids": torch.zeros(2, dtype=torch.long)},
    models=("t5", "llama", "gpt2"),  # PEFT gives an encoder alone no task
    merges=False,
)
CPT = InLibrary(
    fields={"tokens": (5, 9, 11, 3), "types": (1, 2, 3, 4), "input_bound": 0.3, "template_bound": 0.2},
    read=lambda model, place: {
        "context": _encoder(model).embedding.weight,
        "delta": _encoder(model).delta_embedding.weight,
    },
    models=("llama", "gpt2"),  # PEFT has it for decoders
    merges=False,
)
KINDS = {"encoded_prompt": P_TUNING, "multitask_prompt": MULTITASK, "context_prompt": CPT}
