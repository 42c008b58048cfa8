"""PEFT as an oracle on many types of models: LoRA on all linear layers trains as many parameters, and with the same values
gives the same outputs, before and after merging. `test_breadth.py` compares counts on more types."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import Tensor, nn
from transformers import CONFIG_MAPPING

from surveykit.engine import Attached, count, instance_of
from surveykit.recipes import Recipe

_IDS: dict[str, Any] = {"vocab_size": 71, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
_HEADS: dict[str, Any] = {"hidden_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4, **_IDS}
_SHARED: dict[str, Any] = {**_HEADS, "intermediate_size": 88, "num_key_value_heads": 2, "max_position_embeddings": 64}
_ENCODER: dict[str, Any] = {**_HEADS, "intermediate_size": 84, "max_position_embeddings": 66}
_GPT: dict[str, Any] = {"n_embd": 48, "n_head": 4, "n_layer": 3, "n_positions": 64, **_IDS}
_BOTH: dict[str, Any] = {
    "d_model": 48, "encoder_ffn_dim": 80, "decoder_ffn_dim": 72, "encoder_layers": 2, "decoder_layers": 3,
    "encoder_attention_heads": 4, "decoder_attention_heads": 6, "max_position_embeddings": 64, "decoder_start_token_id": 2, **_IDS,
}  # fmt: skip
TYPES: dict[str, dict[str, Any]] = {
    # one matrix for query, key and value: behind each other, head by head, in groups, or with shared keys
    "gpt2": _GPT, "gpt_bigcode": _GPT, "codegen": {**_GPT, "rotary_dim": 4}, "gpt_neox": {**_HEADS, "intermediate_size": 88},
    "bloom": {"hidden_size": 48, "n_layer": 3, "n_head": 4, **_IDS}, "falcon": {**_HEADS, "multi_query": True},
    "mpt": {"d_model": 48, "n_heads": 4, "n_layers": 3, "max_seq_len": 64, **_IDS}, "phi3": _SHARED, "persimmon": _SHARED,
    "ctrl": {"n_embd": 48, "n_head": 4, "n_layer": 3, "dff": 88, **_IDS},
    # a matrix each, in layers of other names
    "gptj": {**_GPT, "rotary_dim": 4},
    "gpt_neo": {"hidden_size": 48, "num_layers": 2, "num_heads": 4, "attention_types": [[["global", "local"], 1]],
                "window_size": 4, "max_position_embeddings": 64, **_IDS},
    "stablelm": {**_SHARED, "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 0.5}}, "starcoder2": _SHARED, "cohere": _SHARED, "olmo": _SHARED, "glm": {**_SHARED, "head_dim": 12},
    "nemotron": {**_SHARED, "head_dim": 12}, "smollm3": _SHARED, "apertus": _SHARED,
    "biogpt": {**_ENCODER}, "xglm": {"d_model": 48, "ffn_dim": 88, "num_layers": 3, "attention_heads": 4, **_IDS},
    # no attention
    "rwkv": {"hidden_size": 48, "attention_hidden_size": 48, "num_hidden_layers": 3, "context_length": 64, **_IDS},
    # encoders: shared blocks, relative positions, a matrix for query, key and value, other embeddings
    "albert": {**_ENCODER, "embedding_size": 36}, "modernbert": {**_ENCODER, "global_attn_every_n_layers": 2},
    "mpnet": _ENCODER, "esm": {**_ENCODER, "mask_token_id": 3}, "roformer": {**_ENCODER, "embedding_size": 48},
    "deberta": {**_ENCODER, "relative_attention": True, "pos_att_type": ["c2p", "p2c"]},
    "xlnet": {"d_model": 48, "n_layer": 3, "n_head": 4, "d_inner": 88, **_IDS},
    # an encoder and a decoder
    "m2m_100": _BOTH, "blenderbot": _BOTH, "plbart": _BOTH,
    "longt5": {"d_model": 40, "d_ff": 72, "d_kv": 12, "num_heads": 3, "num_layers": 2, "num_decoder_layers": 3,
               "decoder_start_token_id": 0, **_IDS},
}  # fmt: skip
"""Small models, with widths that differ where their types allow it."""
RANK = 3


def outputs(model: nn.Module) -> Tensor:
    ids = torch.randint(3, 70, (2, 7), generator=torch.Generator().manual_seed(1))
    further = {"decoder_input_ids": ids[:, :5]} if model.config.is_encoder_decoder else {}
    with torch.no_grad():
        given: Tensor = model(input_ids=ids, **further)[0]
    return given


@pytest.mark.filterwarnings("ignore:fan_in_fan_out is set to False:UserWarning")
@pytest.mark.parametrize("model_type", TYPES)
def test_lora_on_all_linear_layers_equals_that_of_peft(model_type: str) -> None:
    instance = instance_of(CONFIG_MAPPING[model_type](**TYPES[model_type]), device="cpu", seed=7)
    bare = outputs(instance.model)
    config = LoraConfig(r=RANK, lora_alpha=2 * RANK, target_modules="all-linear", init_lora_weights=False)
    with torch.random.fork_rng():
        torch.manual_seed(11)
        theirs = get_peft_model(copy.deepcopy(instance.model), config).eval()
    edit = {"kind": "low_rank", "where": {"roles": ["linear"]}, "rank": RANK, "alpha": 2.0 * RANK, "gate": "none"}
    stage = {"name": "fine_tuning", "scope": "task", "edits": [edit], "train": []}
    recipe = Recipe.model_validate_json(json.dumps({"stages": [stage]}))
    assert count(recipe, instance).trainable == sum(p.numel() for p in theirs.parameters() if p.requires_grad)
    with Attached(instance, recipe.stages[0]) as attached:
        with torch.no_grad():
            for placed in attached.placed:
                layer = theirs.get_submodule(f"base_model.model.{placed.slot.place.name}")
                placed.part.get_parameter("down").copy_(layer.lora_A["default"].weight)
                placed.part.get_parameter("up").copy_(layer.lora_B["default"].weight)
        wanted = outputs(theirs)
        assert not torch.allclose(bare, wanted, rtol=1e-3, atol=1e-3)
        torch.testing.assert_close(outputs(instance.model), wanted, rtol=1e-4, atol=1e-4)
        attached.merge()
        torch.testing.assert_close(outputs(instance.model), outputs(theirs.merge_and_unload()), rtol=1e-4, atol=1e-4)
