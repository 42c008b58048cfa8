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
        places={"num_transformer_submodules": 1},  # with two, PEFT makes a second prompt that no pass of a T5 reads
        merges=False,
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


def _cartridge(model: Any, place: Place) -> dict[str, Tensor]:
    """PEFT has the keys and values of all layers in one table: of each layer the keys, then the values."""
    encoder, found = _encoder(model), {}
    for start, table in (("", encoder.trainable_embedding), ("first_", encoder.frozen_embedding)):
        if table is not None:
            both = table.reshape(len(table), -1, 2, place.keys)[:, place.layer]
            found |= {f"{start}key": both[:, 0], f"{start}value": both[:, 1]}
    return found


CARTRIDGE = [
    InLibrary(
        fields={"length": 5, "frozen": frozen},
        read=_cartridge,
        models=("llama", "gpt2"),  # PEFT's is a cache, which an encoder has not, and of a T5 the decoder's alone
        merges=False,
    )
    for frozen in (0, 2)
]
LLAMA_ADAPTER = [
    InLibrary(
        fields={"length": 4, "gates": "layer"},
        read=lambda model, place: {
            "prompt": _at(model, place).adaption_prompt,
            "gate": _at(model, place).adaption_gate,
        },
        places={"adapter_layers": layers},
        models=("llama",),  # PEFT knows Llama, Mistral and GPT-2, on which it leaves the output matrix out
        merges=False,
    )
    for layers in (2, 3)
]
TOKENS = InLibrary(
    fields={"tokens": (57, 22, 20)},
    read=lambda model, place: {"rows": _at(model, place).trainable_tokens_delta["default"]},
    repeated=True,  # a table that is tied is saved under each of its names
)


def _at(model: Any, place: Place) -> Any:
    return model.get_submodule(f"base_model.model.{place.name}")


KINDS = {
    "encoded_prompt": P_TUNING,
    "multitask_prompt": MULTITASK,
    "context_prompt": CPT,
    "cartridge": CARTRIDGE,
    "gated_attention": LLAMA_ADAPTER,
    "token_rows": TOKENS,
}
