"""What is read of models of unusual types: every norm, every bias, the widths of every block, and which blocks are alike."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from small_models import CONFIGS
from torch import nn
from transformers import CONFIG_MAPPING, CohereConfig, Gemma4TextConfig, PreTrainedConfig, SmolLM3Config

from surveykit.catalog.load import Catalog
from surveykit.engine import count, instance_of
from surveykit.engine.models import roles
from surveykit.engine.models.model import blueprint_of
from surveykit.errors import RecipeError, SurveyError

_TWO_BLOCKS = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2}
# Norms are two or four a block, those of queries and keys, those inside, and the last one.
NORMS: dict[str, tuple[dict[str, Any], int]] = {
    "apertus": ({"hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32}, 274_432),  # as published
    "olmo3": ({"hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32}, 528_384),
    "olmo": ({"hidden_size": 2048, "num_hidden_layers": 16, "num_attention_heads": 16}, 0),  # they have no weights
    "exaone4": ({**_TWO_BLOCKS, "head_dim": 16}, 2 * (2 * 64 + 2 * 16) + 64),
    "bitnet": ({**_TWO_BLOCKS, "intermediate_size": 96}, 2 * (3 * 64 + 96) + 64),
    "hyperclovax": (_TWO_BLOCKS, 2 * 4 * 64 + 64),
    "vaultgemma": ({**_TWO_BLOCKS, "head_dim": 16}, 2 * 2 * 64 + 64),
    "gemma4_unified_text": (
        {**_TWO_BLOCKS, "head_dim": 16, "global_head_dim": 32, "layer_types": ["sliding_attention", "full_attention"]},
        2 * 4 * 64 + 2 * 16 + 2 * 32 + 64,
    ),
}


@pytest.mark.parametrize("model_type", NORMS)
def test_every_norm_is_found_whatever_its_name(model_type: str, catalog: Catalog) -> None:
    said, wanted = NORMS[model_type]
    config = CONFIG_MAPPING[model_type](**said, pad_token_id=0, bos_token_id=1, eos_token_id=2)
    assert count(catalog.recipe("ln-tuning/norms"), instance_of(config)).trainable == wanted


def test_a_norm_whose_weight_is_a_matrix_is_found(catalog: Catalog) -> None:
    config = CohereConfig(
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        use_qk_norm=True,
        vocab_size=99,
    )
    assert count(catalog.recipe("ln-tuning/norms"), instance_of(config)).trainable == 2 * (64 + 2 * 64) + 64


def test_deberta_normalizes_its_table_of_distances(catalog: Catalog) -> None:
    config = CONFIGS["deberta-v2"]()
    config.relative_attention, config.norm_rel_ebd, config.position_buckets = True, "layer_norm", 8
    plain = count(catalog.recipe("ln-tuning/norms"), instance_of(CONFIGS["deberta-v2"]())).trainable
    assert count(catalog.recipe("ln-tuning/norms"), instance_of(config)).trainable == plain + 2 * 60


def test_the_bias_of_a_layer_between_the_places_is_trained(catalog: Catalog) -> None:
    """ELECTRA widens its embeddings by a layer that has no place in a block."""
    instance = instance_of(CONFIGS["electra"]())
    named = {name: p.numel() for name, p in instance.model.named_parameters() if name.endswith("bias")}
    assert "embeddings_project.bias" in named
    assert count(catalog.recipe("bitfit/native"), instance).trainable == sum(named.values())


@pytest.mark.parametrize(
    ("recipe", "family", "both"),
    [("ln-tuning/norms", "olmo2", "60 parameters, by a walk over all modules 660"),
     ("bitfit/native", "opt", "1,224 parameters, by a walk over all modules 1,584")],
)  # fmt: skip
def test_a_number_that_a_walk_contradicts_is_no_number(
    recipe: str, family: str, both: str, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if norms inside blocks had no place."""
    monkeypatch.setattr(roles, "is_norm", lambda module: False)
    instance = instance_of(CONFIGS[family]())
    instance.unplaced = ()
    with pytest.raises(RecipeError, match=both):
        count(catalog.recipe(recipe), instance)


WIDE = {
    "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 2,
    "head_dim": 16, "global_head_dim": 40, "vocab_size": 99, "hidden_size_per_layer_input": 0, "num_kv_shared_layers": 0,
    "layer_types": ["sliding_attention", "full_attention", "full_attention"],
}  # fmt: skip


def test_widths_are_those_of_every_block(catalog: Catalog) -> None:
    instance = instance_of(Gemma4TextConfig(**WIDE))
    flat = count(catalog.recipe("prefix-tuning/flat-p30"), instance).trainable
    keys = {slot.place.layer: slot.module.out_features for slot in instance.slots if slot.place.role == "key"}
    assert len({*keys.values()}) == 2
    assert flat == 30 * 2 * sum(keys.values())
    with pytest.raises(RecipeError, match="needs layers of one width"):
        count(catalog.recipe("prefix-tuning/mlp-p30-h512"), instance)


def kinds(blocks: tuple[nn.Module, ...]) -> list[object]:
    """What blocks are made of, switches and windows included: everything but weights and their place in the stack."""
    return [
        [
            (path, type(module), sorted((n, p.shape) for n, p in module._parameters.items() if p is not None),
             sorted((n, v) for n, v in vars(module).items() if type(v) in (bool, int, str) and "idx" not in n))
            for path, module in block.named_modules()
        ]
        for block in blocks
    ]  # fmt: skip


SMALL: dict[str, PreTrainedConfig] = {
    **{family: make() for family, make in CONFIGS.items()},
    "gemma4_text": Gemma4TextConfig(**WIDE),
    "smollm3": SmolLM3Config(hidden_size=64, num_hidden_layers=8, num_attention_heads=4, num_key_value_heads=2),
}


@pytest.mark.parametrize("family", SMALL)
def test_layers_are_said_to_be_alike_only_if_they_are(family: str) -> None:
    blueprint = blueprint_of(SMALL[family])
    stacks = [slot.blocks[1:] for slot in blueprint.build().slots if slot.blocks]  # T5's first block also has a table
    alike = all(found == stack[0] for stack in map(kinds, stacks) for found in stack)
    assert alike or not blueprint.layers_alike
    assert blueprint.layers_alike is (family not in ("gemma2", "gemma4_text", "smollm3"))


def test_a_model_of_so_many_parts_is_not_built_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("surveykit.engine.models.model.BUILT_WITHIN", 0.02)
    config: Any = CONFIG_MAPPING["llama"](num_hidden_layers=900, hidden_size=64, num_attention_heads=4)
    with pytest.raises(SurveyError, match="has so many parts that it is not built within"):
        blueprint_of(config).build()
    assert nn.Linear(2, 2, device=torch.device("meta"))  # and nothing of the watch is left behind
