"""Every kind of model that transformers has: counted as PEFT counts, or refused for a true reason.

`benchmarks/breadth.py` tries all types, and traces too; here is a sample of all kinds of layouts.
"""

from __future__ import annotations

import pytest
from benchmark_scripts import script
from conftest import ROOT

from surveykit.site.data.breadth import Breadth
from surveykit.site.inputs import found
from surveykit.site.pages.model_types import model_types_context

# By what is unusual in each: one matrix for query, key and value in every layout, experts, several stacks or parts,
# norms of other names, blocks of several kinds, other layers than matrices.
SAMPLE = (
    "albert", "bamba", "bart", "bert", "blt", "bloom", "codegen", "cohere", "deberta", "deepseek_v3", "falcon",
    "funnel", "gemma3", "gpt2", "gpt_bigcode", "gpt_neo", "gptj", "granitemoe", "jamba", "llama", "longformer", "m2m_100",
    "mamba", "mixtral", "modernbert", "mpt", "nllb-moe", "olmo", "phi3", "qwen2_moe", "recurrent_gemma", "rwkv", "t5",
    "whisper", "xlnet",
)  # fmt: skip
NO_ATTENTION = {"bamba", "mamba", "rwkv", "xlnet"}
"""Types with no linear layer for query or value: Bamba's default has no attention, XLNet's are tensors."""


@pytest.mark.sampled
@pytest.mark.parametrize("model_type", SAMPLE)
def test_a_model_type_is_counted_as_libraries_count_it(model_type: str) -> None:
    methods, found = script("other_answers"), script("breadth").examined(model_type, traced=False)
    assert not found.faults
    assert found.refused is None
    tried = {row.method: row for row in found.tried}
    assert tried[methods.LINEAR].trainable
    assert bool(tried[methods.ATTENTION].trainable) is (model_type not in NO_ATTENTION)
    assert {"parameters", "norms"} <= {*found.compared}


@pytest.fixture(scope="module")
def recorded() -> Breadth:
    """What the benchmark found when all types were tried."""
    breadth = found(ROOT).breadth
    assert breadth is not None
    return breadth


def test_no_type_that_was_tried_has_a_fault(recorded: Breadth) -> None:
    assert {model.name: model.faults for model in recorded.types if model.faults} == {}
    assert {model.name for model in recorded.types} == {*script("every_type").types()}


def test_the_readme_says_what_the_benchmark_found(recorded: Breadth) -> None:
    assert recorded.sentence in " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())


def test_the_page_has_every_type_with_its_reasons(recorded: Breadth) -> None:
    shown = model_types_context(recorded)
    lines = {line.split("</code>")[0].removeprefix("| <code>"): line for line in shown["types"].splitlines()[2:]}
    assert len(lines) == len(recorded.built)
    for model in recorded.built:
        line = lines[model.name.replace("_", "&#95;")]
        assert line.count(" traced<") + line.count(">traced<") == sum(t.peak_bytes is not None for t in model.tried)
        assert all(tried.trainable or tried.reason for tried in model.tried)
    assert "has not been measured" not in str(shown)


def test_the_page_says_so_where_nothing_was_measured() -> None:
    assert model_types_context(None) == {"breadth": None}
