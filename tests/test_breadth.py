"""Every kind of model that transformers has: counted as PEFT counts, or refused for a true reason.

`benchmarks/breadth.py` tries all types, and traces too; here is a sample of all kinds of layouts.
"""

from __future__ import annotations

import importlib.util
from types import ModuleType

import pytest
from conftest import ROOT


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    """The script that tries every model type."""
    spec = importlib.util.spec_from_file_location("breadth", ROOT / "benchmarks" / "breadth.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# By what is unusual in each: one matrix for query, key and value in every layout, experts, several stacks or parts,
# norms of other names, blocks of several kinds, other layers than matrices.
SAMPLE = (
    "albert", "bamba", "bart", "bert", "blt", "bloom", "codegen", "cohere", "deberta", "deepseek_v3", "falcon",
    "funnel", "gemma3", "gpt2", "gpt_bigcode", "gpt_neo", "gptj", "granitemoe", "jamba", "llama", "longformer", "m2m_100",
    "mamba", "mixtral", "modernbert", "mpt", "nllb-moe", "olmo", "phi3", "qwen2_moe", "recurrent_gemma", "rwkv", "t5",
    "whisper", "xlnet",
)  # fmt: skip
NO_ATTENTION = {"mamba", "rwkv"}


@pytest.mark.parametrize("model_type", SAMPLE)
def test_a_model_type_is_counted_as_libraries_count_it(model_type: str, benchmark: ModuleType) -> None:
    found = benchmark.examined(model_type, traced=False)
    assert not found.faults
    assert found.refused is None
    tried = {row.method: row for row in found.tried}
    assert tried[benchmark.LINEAR].trainable
    assert bool(tried[benchmark.ATTENTION].trainable) is (model_type not in NO_ATTENTION)
    assert {"parameters", "norms"} <= {*found.compared}
