"""Variants of LoRA that a configuration inside LoRA's asks for, and inventories of LoRAs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from peft_tensors import InLibrary

LINEAR = ("t5", "llama", "bert")
"""PEFT puts these on no Conv1D, which GPT-2 has."""


def pair(module: Any) -> dict[str, Tensor]:
    return {"down": module.lora_A["default"].weight, "up": module.lora_B["default"].weight}


def truncated(module: Any) -> Mapping[str, Tensor]:
    return {**pair(module), "diagonal": module.lora_diag["default"]}


def compressed(module: Any) -> Mapping[str, Tensor]:
    return {**pair(module), "direction": module.lora_velora_embed["default"]}


def sampled(module: Any) -> Mapping[str, Tensor]:
    sampler = module.lora_monteclora_sampler["default"]
    return {**pair(module), "deviation": sampler.std_prior, "shares": sampler.expert_weights_prior}


def skills(module: nn.Module) -> Mapping[str, Tensor]:
    router = module.poly_router["default"]
    return {
        "down": module.poly_lora_A["default"],
        "up": module.poly_lora_B["default"],
        "logits": router.module_logits,
    }


KINDS = {
    "truncated_low_rank": InLibrary(
        fields={"rank": 3, "alpha": 6.0, "value_penalty": 1e-4, "orthogonality": 1e-3}, read=truncated, models=LINEAR
    ),
    "compressed_low_rank": [
        InLibrary(fields={"rank": 3, "alpha": 6.0, "groups": 7, "gain": 0.5, "along": along}, read=compressed)
        for along in ("batch_average", "batch_average_once", "random")
    ],
    "sampled_low_rank": InLibrary(
        fields={"rank": 3, "alpha": 6.0, "samples": 4, "spread": 1e-2, "ahead": 2},
        read=sampled, unneeded="monteclora_sampler",
    ),
    "block_diagonal": [
        InLibrary(fields={"rank": 4, "alpha": 6.0, "blocks": 2, "split": split}, read=pair, models=LINEAR) for split in ("down", "up")
    ],
    "activated_low_rank": InLibrary(
        fields={"rank": 3, "alpha": 6.0, "invocation": (5, 9)}, read=pair, ours={"last": 3},
        given={"alora_offsets": [3, 3]}, models=("llama", "gpt2"), merges=False,  # PEFT has it for decoders alone
    ),
    "skills": InLibrary(
        fields={"rank": 3, "tasks": 2, "skills": 3, "splits": 2}, read=skills, models=LINEAR, merges=False,
        given={"task_ids": torch.zeros(2, dtype=torch.long)},
    ),
}  # fmt: skip
