"""Updates of low rank, or made of few numbers, each in a form of its own."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from peft_tensors import InLibrary

LINEAR_ALONE = ("t5", "llama", "bert")
"""PEFT does not put it on the Conv1D of GPT-2."""


def _granular(m: nn.Module) -> dict[str, Tensor]:
    found = {"down": m.gralora_A["default"].mT.flatten(0, 1), "up": m.gralora_B["default"].mT.flatten(0, 1)}
    if m.hybrid_r["default"]:
        found["whole_down"] = m.gralora_A_general["default"].weight
        found["whole_up"] = m.gralora_B_general["default"].weight
    return found


def _network(m: nn.Module) -> dict[str, Tensor]:
    found = {"down": m.peanut_A["default"].weight, "up": m.peanut_B["default"].weight}
    for number, layer in enumerate(m.peanut_encoders["default"]):
        found[f"encoder_{number}"] = layer.weight
    for number, layer in enumerate(m.peanut_decoders["default"]):
        found[f"decoder_{number}"] = layer.weight
    return found


def _subspace(m: nn.Module) -> dict[str, Tensor]:
    injection = {"injection": m.deft_R["default"]} if "default" in m.deft_R else {}
    return {"direction": m.deft_P["default"], **injection}


def _lower(m: nn.Module, part: Any) -> None:
    """The lower factor of a layer's neighbourhood, where it lies in ours."""
    value: Tensor = m.lily_A["default"].weight
    group = part.place.order // m.stride_A["default"]
    part.shared.down[group * len(value) : (group + 1) * len(value)].copy_(value)


BOUNDED = InLibrary(
    fields={"rank": 5, "strength": 3.0},
    read=lambda m: {
        "down": m.delora_A["default"], "up": m.delora_B["default"], "bound": m.delora_lambda["default"],
        "norms": m.delora_w_norm["default"],
    },
    models=LINEAR_ALONE,
)  # fmt: skip
GRANULAR = [
    InLibrary(fields={"rank": 6, "hybrid_rank": hybrid, "blocks": 2, "alpha": 7.0}, read=_granular) for hybrid in (0, 3)
]
SHARD = InLibrary(fields={"rank": 7}, read=lambda m: {"shard": m.miss_block["default"]}, models=LINEAR_ALONE)
MINI_SHARD = InLibrary(
    fields={"rank": 7, "mini_rank": 4}, read=lambda m: {"shard": m.miss_block["default"]}, models=LINEAR_ALONE
)
BLOCKWISE = InLibrary(fields={"rank": 4}, read=lambda m: {"shards": m.miss_block["default"]}, models=LINEAR_ALONE)
HADAMARD_BASE = InLibrary(fields={"rank": 5}, read=lambda m: {"down": m.hira_A["default"], "up": m.hira_B["default"]})
HADAMARD_PAIR = InLibrary(
    fields={"rank": 5, "alpha": 3.0},
    read=lambda m: {
        "first_up": m.hada_w1_a["default"], "first_down": m.hada_w1_b["default"],
        "second_up": m.hada_w2_a["default"], "second_down": m.hada_w2_b["default"],
    },
    models=LINEAR_ALONE,
)  # fmt: skip
NETWORK = [
    InLibrary(
        fields={"rank": 5, "depth": depth, "activation": activation, "scaling": 2.0}, read=_network, models=LINEAR_ALONE
    )
    for depth, activation in ((0, "relu"), (2, "gelu"))
]
INTERCONNECTED = [
    InLibrary(
        fields={"rank": 5, "stride": stride, "experts": 3, "scaling": 2.0},
        read=lambda m: {"router": m.lily_router["default"].weight},
        shared=lambda m: {"ups": m.lily_B["default"].weight},
        write=_lower,
        repeated=True,
        models=LINEAR_ALONE,
        merges=False,
    )
    for stride in (1, 2)
]


def _clusters(m: nn.Module) -> dict[str, Tensor]:
    """PEFT has factors for each cluster of rows; ours are side by side."""
    downs, ups = m.adamss_A["default"], m.adamss_B["default"]
    outer = ups[0].new_zeros((m.out_features, ups[0].shape[1]))
    cluster = m.scatter_index["default"].new_zeros(m.out_features)
    for number, up in enumerate(ups):
        rows = m.seg_result["default"][m.train_subspace_index["default"][number]]
        outer[rows], cluster[rows] = up, number
    return {"inner": torch.stack([*downs]), "outer": outer, "projection": m.adamss_newB["default"], "cluster": cluster}


CLUSTERED = [
    InLibrary(
        fields={"rank": 9, "subspaces": subspaces, "subspace_rank": rank}, read=_clusters,
        models=("t5", "llama"),  # a bias is one more column of PEFT's projection
    )
    for subspaces, rank in ((4, 1), (2, 2))
]  # fmt: skip
REMOVED = [InLibrary(fields={"rank": 5, "projection": by}, read=_subspace) for by in ("relu", "qr")]
REPLACED = [
    InLibrary(fields={"rank": 5, "projection": by, "alpha": alpha}, read=_subspace)
    for by, alpha in (("relu", None), ("qr", 3.0))
]
KINDS = {
    "bounded_low_rank": BOUNDED,
    "granular_low_rank": GRANULAR,
    "shard_sharing": SHARD,
    "shard_sharing_mini": MINI_SHARD,
    "shard_sharing_blockwise": BLOCKWISE,
    "hadamard_base": HADAMARD_BASE,
    "hadamard_pair": HADAMARD_PAIR,
    "weight_network": NETWORK,
    "interconnected_low_rank": INTERCONNECTED,
    "clustered_rows": CLUSTERED,
    "subspace_removal": REMOVED,
    "subspace_replacement": REPLACED,
}
