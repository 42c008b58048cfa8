"""A quantization_config is heard: bytes of weights are those of published files and of bitsandbytes' own arithmetic."""

from __future__ import annotations

from typing import Any

import pytest
from test_fit_cases import LLAMA_2_7B

from surveykit.catalog.load import Catalog
from surveykit.engine.models.configs import config_of
from surveykit.engine.models.model import blueprint_of
from surveykit.engine.trace.costs import Costs

LINEAR = 32 * (4 * 4096 * 4096 + 3 * 4096 * 11008)
"""Weights of the linear layers in Llama-2's blocks."""
OTHERS = 2 * (2 * 32_000 * 4096 + 65 * 4096)
"""Bytes of its embeddings, its output layer, and its norms."""
NF4: dict[str, Any] = {"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_quant_type": "nf4"}


def weights(quantized: dict[str, Any], catalog: Catalog) -> int:
    blueprint = blueprint_of(config_of({**LLAMA_2_7B, "quantization_config": quantized}, "llama"))
    stage = catalog.recipe("lora/qv-r8").stages[0]
    cost = Costs(blueprint).training(stage, 1, 8)
    return cost.memory.weights - 2 * 32 * 2 * 8 * 2 * 4096


@pytest.mark.parametrize(
    ("quantized", "expected"),
    [
        (NF4, LINEAR // 2 + LINEAR // 64 * 4 + OTHERS),
        ({**NF4, "bnb_4bit_use_double_quant": True}, LINEAR // 2 + LINEAR // 64 + LINEAR // 64 // 256 * 4 + OTHERS),
        ({"load_in_8bit": True}, LINEAR + 4 * 32 * (5 * 4096 + 2 * 11008) + OTHERS),
    ],
    ids=["nf4", "nf4 double", "int8"],
)
def test_bitsandbytes_holds_linear_layers_in_few_bits(
    quantized: dict[str, Any], expected: int, catalog: Catalog
) -> None:
    assert weights(quantized, catalog) == pytest.approx(expected, rel=2e-4)


def test_gptq_takes_what_the_published_file_has(catalog: Catalog) -> None:
    """TheBloke/Llama-2-7B-GPTQ, 4 bits in groups of 128: 3.90 GB."""
    quantized = {"quant_method": "gptq", "bits": 4, "group_size": 128}
    assert weights(quantized, catalog) == pytest.approx(3.90e9, rel=5e-3)


def test_what_is_not_known_is_said_to_be_ignored(catalog: Catalog) -> None:
    quantized = {"quant_method": "aqlm", "bits": 2}
    assert weights(quantized, catalog) == pytest.approx(2 * LINEAR + OTHERS, rel=2e-4)
    blueprint = blueprint_of(config_of({**LLAMA_2_7B, "quantization_config": quantized}, "llama"))
    assert "(aqlm, 2 bits) is ignored" in blueprint.notes[0]
