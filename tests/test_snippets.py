"""Snippets say what was compared: those for PEFT are run, on a tiny T5, and train what our recipe trains."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest
import torch
from real_catalog import REAL

from surveykit import formula
from surveykit.catalog.load import Catalog
from surveykit.database.reading import reading
from surveykit.engine import build, count
from surveykit.engine.models.peft_modules import peft_library
from surveykit.engine.models.tiny import tiny_batch, tiny_model
from surveykit.engine.train.loop import examples
from surveykit.site.text.snippets import Snippet, generated, snippets

Snippets = dict[str, list[Snippet]]
# The catalog's own lines that need what a test has not: a trained source, a quantized model, a checkpoint, scikit-learn.
NEEDS_MORE = {"adamss", "loftq", "qlora", "qa-lora", "spot", "cpt", "llama-adapter"}
# What a model needs beside a batch.
ALSO_GIVEN = {name: {"task_ids": torch.zeros(3, dtype=torch.long)} for name in ("multitask-prompt-tuning", "poly")}
FROM_PEFT = sorted(
    m.id for m in REAL.methods.values()
    if m.id not in NEEDS_MORE and any(i.library == "peft" and (i.snippet or m.configurations) for i in m.implementations)
)  # fmt: skip


@pytest.fixture(scope="module")
def of(catalog: Catalog, database: Path) -> Snippets:
    with reading(database) as reader:
        return {**{method: [] for method in catalog.methods}, **snippets(reader)}


def peft_snippet(found: list[Snippet]) -> Snippet:
    (snippet,) = (s for s in found if s.library == "peft")
    return snippet


@pytest.mark.filterwarnings("ignore::UserWarning")  # libraries speak of the shape of tiny models
@pytest.mark.parametrize("method", FROM_PEFT)
def test_a_peft_snippet_runs_and_trains_what_the_recipe_trains(catalog: Catalog, of: Snippets, method: str) -> None:
    snippet = peft_snippet(of[method])
    name = snippet.configuration or f"{method}/{catalog.methods[method].default.id}"
    # As wide inside as outside, and stacks of one depth: PEFT's prefix tuning cannot do otherwise.
    record = tiny_model(d_model=96, d_kv=24, heads=4, decoder_layers=2)
    batch = tiny_batch()
    data = {"batches": [batch], "examples": [*examples(batch)]}
    scope: dict[str, Any] = {"model": build(record, device="cpu", seed=3).model, **data}
    peft_library()
    exec(snippet.code, scope)
    trained = sum(p.numel() for p in scope["model"].parameters() if p.requires_grad)
    oracle = next(
        (
            o
            for n, _, c in catalog.configurations()
            if n == snippet.configuration
            for o in c.oracles
            if o.library == "peft"
        ),
        None,
    )
    if oracle is None or oracle.trainable is None:
        assert trained == count(catalog.recipe(name), build(record)).trainable
    else:
        written = next(c.formula for n, _, c in catalog.configurations() if n == snippet.configuration)
        assert trained == formula.evaluate(oracle.trainable, formula.bind(written.let, record.symbols()))
        assert oracle.differs_because in snippet.notes
    assert scope["model"](**tiny_batch(), **ALSO_GIVEN.get(method, {})).loss.item() > 0


def test_every_library_of_the_catalog_has_its_snippet(catalog: Catalog, of: Snippets) -> None:
    for method in catalog.methods.values():
        with_code = [i.library for i in method.implementations if i.snippet]
        assert [s.library for s in of[method.id]] == with_code, method.id
        for snippet in of[method.id]:
            ast.parse(snippet.code)


def test_the_default_configuration_comes_first(of: Snippets) -> None:
    assert peft_snippet(of["lora"]).configuration == "lora/qv-r8"
    assert peft_snippet(of["lora"]).is_default
    assert peft_snippet(of["glora"]).configuration == "glora/qv-r8"  # the default has no counterpart
    assert not peft_snippet(of["glora"]).is_default


def test_what_an_oracle_does_not_say_is_written_by_hand(of: Snippets) -> None:
    for method in NEEDS_MORE:  # their oracles count plain LoRA or a fresh prompt, which is not the method
        snippet = peft_snippet(of[method])
        assert snippet.configuration is None
    assert "load_in_4bit=True" in peft_snippet(of["qlora"]).code
    assert "source.prompt_encoder" in peft_snippet(of["spot"]).code


def test_code_of_an_adapters_configuration() -> None:
    assert generated("adapters", "ParBnConfig", {"scaling": "learned"}) == (
        "import adapters\n\nadapters.init(model)\n"
        'config = adapters.ParBnConfig(scaling="learned")\n'
        'model.add_adapter("task", config=config)\nmodel.train_adapter("task")'
    )


def test_a_long_call_has_a_line_for_each_argument() -> None:
    code = generated(
        "peft", "LoraConfig", {"target_modules": ["q", "v"], "use_dora": True, "text": 'a "b"', "x" * 40: {}}
    )
    ast.parse(code)
    assert '    target_modules=["q", "v"],\n    use_dora=True,\n    text="a \\"b\\"",\n' in code
