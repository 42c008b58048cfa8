"""Where stacks, attentions and norms are in models of many kinds, and true words where something is not there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from torch import Tensor, nn
from transformers import CONFIG_MAPPING, AttentionInterface
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS, AttentionMaskInterface

from surveykit.catalog.load import Catalog
from surveykit.engine import Instance, count, instance_of
from surveykit.engine.models.model import blueprint_of
from surveykit.engine.on_model import facts_of, measure_on
from surveykit.errors import RecipeError, SurveyError

_SMALL: dict[str, Any] = {
    "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 71,
    "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip


def made(model_type: str, **said: Any) -> Instance:
    return instance_of(CONFIG_MAPPING[model_type](**said))


_VISION = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4, "image_size": 28,
           "patch_size": 14}  # fmt: skip
_TEXT = {**_SMALL, "num_key_value_heads": 2, "head_dim": 16}
SEVERAL: dict[str, tuple[dict[str, Any], dict[str, int]]] = {
    "vit": ({**_VISION}, {"encoder": 3}),
    "clip": ({"text_config": {**_SMALL, "max_position_embeddings": 20}, "vision_config": _VISION}, {"encoder": 2}),
    "whisper": ({"d_model": 64, "encoder_layers": 3, "decoder_layers": 2, "encoder_attention_heads": 4,
                 "decoder_attention_heads": 4, "encoder_ffn_dim": 96, "decoder_ffn_dim": 96},
                {"encoder": 3, "decoder": 2}),
    "speecht5": ({"hidden_size": 64, "encoder_layers": 3, "decoder_layers": 2, "encoder_attention_heads": 4,
                  "decoder_attention_heads": 4, "encoder_ffn_dim": 96, "decoder_ffn_dim": 96, "vocab_size": 71},
                 {"encoder": 3, "decoder": 2}),
    "fsmt": ({"d_model": 64, "encoder_layers": 3, "decoder_layers": 2, "encoder_attention_heads": 4,
              "decoder_attention_heads": 4, "encoder_ffn_dim": 96, "decoder_ffn_dim": 96, "src_vocab_size": 71,
              "tgt_vocab_size": 71, "langs": ["en", "de"]}, {"encoder": 3, "decoder": 2}),
    "wav2vec2": ({**_SMALL, "num_conv_pos_embeddings": 4, "num_conv_pos_embedding_groups": 2}, {"encoder": 2}),
    "wav2vec2-conformer": (_SMALL, {"encoder": 2}),
    "gemma3": ({"text_config": _TEXT, "vision_config": {"model_type": "siglip_vision_model", **_VISION}}, {"decoder": 2}),
    "llava": ({"text_config": {"model_type": "llama", **_TEXT}, "vision_config": {"model_type": "clip_vision_model", **_VISION}},
              {"decoder": 2}),
    "xlm": ({"emb_dim": 64, "n_layers": 3, "n_heads": 4, "n_words": 71}, {"encoder": 3}),
    "albert": ({**_SMALL, "embedding_size": 24, "num_hidden_groups": 2}, {"encoder": 2}),
    "longcat_flash": ({"hidden_size": 64, "ffn_hidden_size": 96, "expert_ffn_hidden_size": 24, "num_layers": 2,
                       "num_attention_heads": 4, "vocab_size": 71, "n_routed_experts": 4, "moe_topk": 2,
                       "zero_expert_num": 2, "q_lora_rank": 16, "kv_lora_rank": 16, "qk_nope_head_dim": 8,
                       "qk_rope_head_dim": 8, "v_head_dim": 8}, {"decoder": 2}),
}  # fmt: skip
"""Models that have their blocks elsewhere than in one list of a decoder, with the blocks of their own stacks."""


@pytest.mark.parametrize("model_type", SEVERAL)
def test_blocks_are_found_wherever_they_are(model_type: str, catalog: Catalog) -> None:
    said, depths = SEVERAL[model_type]
    instance = made(model_type, **said)
    assert instance.blueprint.depths == depths
    pairs = [slot for slot in instance.slots if slot.place.role in ("query", "value")]
    assert count(catalog.recipe("lora/qv-r8"), instance).trainable == 8 * sum(
        slot.place.fan_in + slot.place.fan_out for slot in pairs
    )
    norms = [
        m for m in instance.model.base_model.modules() if "norm" in type(m).__name__.lower() and not [*m.children()]
    ]
    own = sum(p.numel() for p in {id(p): p for norm in norms for p in norm.parameters()}.values())
    assert count(catalog.recipe("ln-tuning/norms"), instance).trainable == own > 0


def test_a_prefix_goes_on_the_stack_that_reads_text(catalog: Catalog) -> None:
    instance = made("gemma3", **SEVERAL["gemma3"][0])
    assert count(catalog.recipe("prefix-tuning/flat-p30"), instance).trainable == 30 * 2 * (2 * 2 * 16)


_WIDTHS: list[tuple[int, int]] = []


def _seen(module: nn.Module, query: Tensor, key: Tensor, value: Tensor, mask: Any, **_: Any) -> tuple[Tensor, None]:
    _WIDTHS.append((key.shape[1] * key.shape[3], value.shape[1] * value.shape[3]))
    return query.new_zeros((*query.shape[:1], query.shape[2], query.shape[1], value.shape[3])), None


AttentionInterface.register("widths_seen", _seen)
AttentionMaskInterface.register("widths_seen", ALL_MASK_ATTENTION_FUNCTIONS["eager"])
_LATENT = {"q_lora_rank": 20, "kv_lora_rank": 16, "qk_nope_head_dim": 8, "qk_rope_head_dim": 6, "v_head_dim": 12}
ATTENDING: dict[str, dict[str, Any]] = {
    "llama": {**_SMALL, "num_key_value_heads": 2},
    "phi3": {**_SMALL, "num_key_value_heads": 2},
    "gpt_neox": _SMALL,
    "minicpm3": {**_SMALL, "num_key_value_heads": 4, **_LATENT},
    "bert": _SMALL,
    "t5": {"d_model": 40, "d_ff": 72, "d_kv": 12, "num_heads": 3, "num_layers": 2, "vocab_size": 71},
    "zaya": {**_SMALL, "num_key_value_heads": 2, "head_dim": 16, "num_experts": 2},
    "gemma4_text": {
        **_SMALL, "num_key_value_heads": 2, "head_dim": 16, "global_head_dim": 40, "hidden_size_per_layer_input": 0,
        "num_kv_shared_layers": 0, "layer_types": ["sliding_attention", "full_attention"],
    },
}  # fmt: skip


@pytest.mark.parametrize("model_type", ATTENDING)
def test_a_prefix_has_the_widths_of_the_keys_and_values_that_a_model_attends_to(
    model_type: str, catalog: Catalog
) -> None:
    instance = instance_of(CONFIG_MAPPING[model_type](**ATTENDING[model_type]), device="cpu")
    found = count(catalog.recipe("prefix-tuning/flat-p30"), instance).trainable
    _WIDTHS.clear()
    instance.model.set_attn_implementation("widths_seen")
    ids = torch.ones((1, 5), dtype=torch.int64)
    both = {"decoder_input_ids": ids} if model_type == "t5" else {}
    instance.model(input_ids=ids, **both)
    assert found == 30 * sum(key + value for key, value in _WIDTHS) > 0


def test_layers_that_read_the_keys_of_another_get_no_prefix(catalog: Catalog) -> None:
    shared = {
        **_SMALL, "num_hidden_layers": 4, "num_key_value_heads": 2, "head_dim": 16, "hidden_size_per_layer_input": 0,
        "num_kv_shared_layers": 2, "layer_types": ["sliding_attention", "full_attention"] * 2, "global_head_dim": 16,
    }  # fmt: skip
    instance = made("gemma4_text", **shared)
    assert count(catalog.recipe("prefix-tuning/flat-p30"), instance).trainable == 30 * 2 * 2 * (2 * 16)


def test_a_prefix_goes_on_the_attentions_among_layers_that_keep_a_state(catalog: Catalog) -> None:
    """Kimi Linear's own name has the word by which such layers are known."""
    instance = made("kimi_linear")
    attentions = [slot for slot in instance.slots if slot.place.role == "attention"]
    attending = [slot for slot in attentions if type(slot.reads).__name__ == "KimiLinearAttention"]
    assert 0 < len(attending) < len(attentions)
    widths = sum(slot.place.keys + (slot.place.values or slot.place.keys) for slot in attending)
    assert count(catalog.recipe("prefix-tuning/flat-p30"), instance).trainable == 30 * widths


WITHOUT: dict[str, tuple[dict[str, Any], str]] = {
    "mamba": ({"hidden_size": 64, "num_hidden_layers": 2, "vocab_size": 71}, "MambaMixer"),
    "rwkv": ({"hidden_size": 64, "num_hidden_layers": 2, "vocab_size": 71, "context_length": 32}, "RwkvSelfAttention"),
    "xlnet": ({"d_model": 64, "n_layer": 2, "n_head": 4, "d_inner": 96, "vocab_size": 71}, "XLNetRelativeAttention"),
    "fnet": ({**_SMALL}, "FNetFourierTransform"),
}


@pytest.mark.parametrize("model_type", WITHOUT)
def test_without_an_attention_of_linear_layers_all_linear_works_and_roles_say_why_not(
    model_type: str, catalog: Catalog
) -> None:
    said, made_of = WITHOUT[model_type]
    instance = made(model_type, **said)
    with pytest.raises(
        RecipeError, match=f"no query, value.*made of .*{made_of}.*none of which has query, key and value"
    ):
        count(catalog.recipe("lora/qv-r8"), instance)
    linear = json.loads(catalog.recipe("lora/qv-r8").model_dump_json())
    linear["stages"][0]["edits"][0]["where"] = {"roles": ["linear"]}
    wanted = type(catalog.recipe("lora/qv-r8")).model_validate_json(json.dumps(linear))
    layers = [m for m in instance.model.modules() if isinstance(m, nn.Linear)]
    widths = [sum(m.weight.shape) for m in layers if m is not instance.model.get_output_embeddings()]
    assert count(wanted, instance).trainable == 8 * sum(widths) > 0


def test_biases_of_a_pooler_that_is_no_head_are_trained(catalog: Catalog) -> None:
    instance = made("fnet", **_SMALL, architectures=["FNetForMaskedLM"])
    named_biases = {n: p.numel() for n, p in instance.model.base_model.named_parameters() if n.endswith("bias")}
    assert "pooler.dense.bias" in named_biases
    assert count(catalog.recipe("bitfit/native"), instance).trainable == sum(named_biases.values())


def test_a_decoder_of_a_model_with_two_stacks_is_one_alone() -> None:
    config = CONFIG_MAPPING["bart"](d_model=48, encoder_layers=2, decoder_layers=3, vocab_size=71)
    config.architectures = ["BartForCausalLM"]
    assert blueprint_of(config).depths == {"decoder": 3}
    config.architectures = ["BartForConditionalGeneration"]
    assert blueprint_of(config).depths == {"encoder": 2, "decoder": 3}


def test_a_type_that_transformers_lists_leave_out_has_the_class_beside_its_configuration() -> None:
    assert blueprint_of(transformers.Pix2StructConfig()).model_class.__name__ == "Pix2StructForConditionalGeneration"
    assert blueprint_of(transformers.SiglipTextConfig()).model_class.__name__ == "SiglipTextModel"


def test_a_model_whose_parts_attend_in_different_ways_is_left_as_it_was(catalog: Catalog) -> None:
    """MusicGen's codec knows no attention implementation but the plain one."""
    instance = made("musicgen")
    parts = {n: m.config._attn_implementation for n, m in instance.model.named_modules() if hasattr(m, "config")}
    assert count(catalog.recipe("prefix-tuning/flat-p30"), instance).trainable > 0
    assert parts == {
        n: m.config._attn_implementation for n, m in instance.model.named_modules() if hasattr(m, "config")
    }


def test_what_has_no_blocks_is_not_said_of_transformers(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "resnet"}')
    with pytest.raises(SurveyError, match="has no blocks") as refused:
        instance_of(str(tmp_path))
    assert "cannot build" not in str(refused.value)


def test_layers_beside_the_text_and_experts_are_told() -> None:
    said, _ = SEVERAL["gemma3"]
    assert facts_of(made("gemma3", **said)).notes == (
        "methods on all layers also apply to vision_tower.encoder, which read images or sound",
    )
    experts = {**_TEXT, "num_local_experts": 3}
    each = 3 * _TEXT["hidden_size"] * _TEXT["intermediate_size"]
    [note] = facts_of(made("mixtral", **experts)).notes
    assert note.startswith(f"{2 * 3 * each:,} parameters are experts in tensors of three dimensions")
    assert not facts_of(made("mamba", **_SMALL)).notes  # a convolution has a tensor of three dimensions too


def test_a_module_that_a_model_puts_another_in_the_place_of_is_told(catalog: Catalog) -> None:
    """On short texts, BigBird attends to everything, with modules that it makes when it runs."""
    config = CONFIG_MAPPING["big_bird"](**_SMALL)
    [row] = measure_on(blueprint_of(config), [("adapters/rf16", catalog.recipe("adapters/rf16"))], batch=1, length=8)
    assert row.reason is not None
    assert "the model does not run its BigBirdBlockSparseAttention, but another in its place" in row.reason


def test_a_second_stream_is_none_of_the_attention_of_the_words() -> None:
    """LiLT attends to words and to where they stand, each with matrices and a width of its own."""
    places = [slot.place for slot in made("lilt", **_SMALL).slots if slot.place.role == "attention_output"]
    assert {place.name.partition(".layer.")[2] for place in places} == {
        f"{layer}.attention.output.dense" for layer in range(_SMALL["num_hidden_layers"])
    }
    assert {place.fan_in for place in places} == {_SMALL["hidden_size"]}


def test_a_prefix_runs_whatever_a_model_calls_its_hidden_states(catalog: Catalog) -> None:
    said, _ = SEVERAL["fsmt"]
    prefix = [("prefix-tuning/flat-p30", catalog.recipe("prefix-tuning/flat-p30"))]
    [row] = measure_on(blueprint_of(CONFIG_MAPPING["fsmt"](**said)), prefix, batch=1, length=8)
    assert row.reason is None or "attends in its own way" in row.reason
