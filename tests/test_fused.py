"""Which outputs of a matrix are the query, the key and the value: told by what they do, in every layout that models have."""

from __future__ import annotations

from typing import Any, cast

import pytest
import torch
from torch import Tensor
from transformers import CONFIG_MAPPING

from surveykit.engine import Instance, instance_of
from surveykit.engine.models.bound_places import BoundPlace

_WIDE: dict[str, Any] = {
    "hidden_size": 60, "intermediate_size": 88, "num_hidden_layers": 2, "num_attention_heads": 6, "vocab_size": 71,
    "max_position_embeddings": 64, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip
_NARROW: dict[str, Any] = {"n_embd": 60, "n_head": 6, "n_layer": 2, "vocab_size": 71, "n_positions": 64}
_LATENT: dict[str, Any] = {
    **_WIDE, "num_key_value_heads": 6, "q_lora_rank": 20, "kv_lora_rank": 16, "qk_nope_head_dim": 8, "qk_rope_head_dim": 6,
    "v_head_dim": 12, "n_routed_experts": 4, "num_experts_per_tok": 2, "n_group": 1, "topk_group": 1,
    "moe_intermediate_size": 24, "first_k_dense_replace": 2, "n_shared_experts": 1,
}  # fmt: skip
FUSED: dict[str, tuple[str, dict[str, Any]]] = {
    "gpt2": ("gpt2", _NARROW),
    "openai-gpt": ("openai-gpt", _NARROW),
    "gpt_bigcode": ("gpt_bigcode", {**_NARROW, "multi_query": True}),
    "gpt_bigcode by head": ("gpt_bigcode", {**_NARROW, "multi_query": False}),
    "codegen": ("codegen", {**_NARROW, "n_embd": 64, "n_head": 8, "rotary_dim": 4}),
    "bloom": ("bloom", {"hidden_size": 60, "n_layer": 2, "n_head": 6, "vocab_size": 71}),
    "mpt": ("mpt", {"d_model": 64, "n_heads": 8, "n_layers": 2, "vocab_size": 71, "max_seq_len": 64}),
    "falcon, one key": ("falcon", {**_WIDE, "multi_query": True, "new_decoder_architecture": False, "alibi": False}),
    "falcon by head": ("falcon", {**_WIDE, "multi_query": False, "new_decoder_architecture": False, "alibi": False}),
    "falcon in groups": (
        "falcon", {**_WIDE, "num_kv_heads": 2, "new_decoder_architecture": True, "alibi": False},
    ),
    "gpt_neox": ("gpt_neox", _WIDE),
    "gpt_neox_japanese": ("gpt_neox_japanese", _WIDE),
    "persimmon": ("persimmon", {**_WIDE, "hidden_size": 72}),
    "phi3": ("phi3", {**_WIDE, "num_key_value_heads": 2}),
    "modernbert": (
        "modernbert", {**_WIDE, "cls_token_id": 1, "sep_token_id": 2, "global_attn_every_n_layers": 1},
    ),
    "deberta": ("deberta", _WIDE),
    "dbrx": (
        "dbrx", {
            "d_model": 60, "n_heads": 6, "n_layers": 2, "vocab_size": 71, "max_seq_len": 64,
            "attn_config": {"kv_n_heads": 2, "clip_qkv": 8.0, "rope_theta": 10000.0},
            "ffn_config": {"ffn_hidden_size": 24, "moe_num_experts": 4, "moe_top_k": 2, "hidden_size": 60},
        },
    ),
    "deepseek_v3": ("deepseek_v3", _LATENT),
    "minicpm3": ("minicpm3", _LATENT),
}  # fmt: skip
"""Names, types and small configurations; others of a layout name their matrices alike."""


@pytest.fixture(params=FUSED)
def instance(request: pytest.FixtureRequest) -> Instance:
    model_type, said = FUSED[request.param]
    return instance_of(CONFIG_MAPPING[model_type](**said), device="cpu")


def places(instance: Instance, role: str) -> list[BoundPlace]:
    return [slot for slot in instance.slots if slot.place.role == role and slot.place.sublayer.endswith(".self")]


def cleared(slot: BoundPlace, value: float = 0.0) -> None:
    """Give a place's part of its matrix, and of the bias, one value."""
    for name in ("weight", "bias"):
        if (tensor := getattr(slot.module, name, None)) is not None:
            whole = tensor.data.T if name == "weight" and slot.transposed else tensor.data
            if slot.rows is None:
                whole.fill_(value)
            else:
                whole.copy_(slot.rows.put(whole, torch.full_like(slot.rows.of(whole, 0), value), 0))


def attended(instance: Instance) -> Tensor:
    """What the last matrix of the first attention reads."""
    seen: list[Tensor] = []
    first = places(instance, "attention_output")[0].module
    handle = first.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    ids = torch.randint(3, 70, (2, 9), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        instance.model(input_ids=ids)
    handle.remove()
    return seen[0]


def test_without_a_value_nothing_is_attended_to(instance: Instance) -> None:
    assert attended(instance).abs().max() > 0
    cleared(places(instance, "value")[0])
    assert attended(instance).abs().max() == 0


@pytest.mark.parametrize("role", ["query", "key"])
def test_without_a_query_or_a_key_the_other_changes_nothing(instance: Instance, role: str) -> None:
    other = {"query": "key", "key": "query"}[role]
    for path, module in instance.model.named_modules():
        if path.endswith("kv_a_proj_with_mqa"):  # it makes what rotates of all keys, beside the place
            cast(Tensor, module.weight).data[-_LATENT["qk_rope_head_dim"] :] = 0
    before = attended(instance)
    cleared(places(instance, role)[0])
    without = attended(instance)
    assert not torch.allclose(before, without)
    cleared(places(instance, other)[0], 0.5)
    assert torch.allclose(attended(instance), without, atol=1e-6)
