"""Each method that the installed PEFT has is in the catalog, or is left out for a reason that stands here.

A scheduled workflow runs this file against the newest PEFT: what fails there is what came in since.
"""

from __future__ import annotations

import dataclasses
import re
import typing
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

import peft
import pytest
from conftest import ROOT

from surveykit.catalog.load import Catalog

LEFT_OUT: Mapping[str, Iterable[str]] = {
    "a hyper-parameter of LoRA, or of a method that has its own argument": (
        "r", "lora_alpha", "rank_pattern", "alpha_pattern", "lora_dropout", "bias", "lora_bias", "qalora_group_size",
        "trainable_token_indices",
    ),
    "where the update goes, or what is trained beside it": (
        "target_modules", "exclude_modules", "layers_to_transform", "layers_pattern", "target_parameters", "modules_to_save",
    ),
    "how the model is held or run, whatever is trained": (
        "fan_in_fan_out", "megatron_config", "megatron_core", "runtime_config", "ensure_weight_tying",
    ),
    "it builds another, deeper base model, and trains LoRA on that": ("layer_replication",),
    "how the first matrix of LoRA is drawn": ("init_lora_weights", "init_lora_weights=gaussian", "init_lora_weights=orthogonal"),
    "create_arrow_model sets it, which Arrow's entry has": ("arrow_config",),
    "belongs to init_lora_weights, whose values are looked for": ("loftq_config", "eva_config", "corda_config"),
}  # fmt: skip
"""By reason: arguments of LoraConfig and their values that are no method of their own; types by PEFT's names of them."""
STARTS = re.compile(r"[a-z]+(?:_[a-z]+)*?(?=_niter|$)")
"""The method in a value of init_lora_weights: pissa in `pissa_niter_[number of iters]`."""


def in_peft() -> dict[str, str]:
    """What the installed PEFT has: what it is called in a message, and the words that an entry of it has in its code."""
    from peft import optimizers
    from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING, PEFT_TYPE_TO_TUNER_MAPPING

    configs = {str(kind.value): config.__name__ for kind, config in PEFT_TYPE_TO_CONFIG_MAPPING.items()}
    types = {str(kind.value): configs[str(kind.value)] for kind in PEFT_TYPE_TO_TUNER_MAPPING} | configs
    shared = {field.name for field in dataclasses.fields(peft.PeftConfig)}
    arguments = [field.name for field in dataclasses.fields(peft.LoraConfig) if field.name not in shared]
    annotation = str(typing.get_type_hints(peft.LoraConfig)["init_lora_weights"])
    starts = [STARTS.match(start) for start in re.findall(r"'(\w[^']*)'", annotation)]
    names = {start[0] for start in starts if start}
    return {
        **types,
        **{argument: f"{argument}=" for argument in arguments},
        **{f"init_lora_weights={name}": f'init_lora_weights="{name}' for name in sorted(names)},
        **{maker: maker for maker in optimizers.__all__ if maker.startswith("create_")},
    }


def catalogued(catalog: Catalog) -> str:
    """All that implementations with PEFT say in code."""
    said = [i for method in catalog.methods.values() for i in method.implementations if i.library == "peft"]
    return "\n".join(f"{i.name}\n{i.snippet or ''}" for i in said)


def missing(there: Mapping[str, str], code: str, left_out: Collection[str]) -> list[str]:
    """A line for each method of PEFT that is neither in the catalog nor left out."""
    return [
        f"{name}: no implementation in the catalog has `{word}`, and LEFT_OUT gives no reason"
        for name, word in there.items()
        if name not in left_out and not re.search(rf"(?<!\w){re.escape(word)}(?!\w)" if word.isidentifier() else re.escape(word), code)
    ]  # fmt: skip


def needless(there: Mapping[str, str], left_out: Collection[str]) -> list[str]:
    """A line for each name that is left out although PEFT has it no more."""
    return [f"{name}: left out, and PEFT {peft.__version__} does not have it" for name in left_out if name not in there]


def named() -> list[str]:
    return [name for names in LEFT_OUT.values() for name in names]


def test_every_method_of_peft_is_in_the_catalog(catalog: Catalog) -> None:
    found = missing(in_peft(), catalogued(catalog), named())
    assert not found, f"PEFT {peft.__version__}:\n" + "\n".join(found)


def test_what_is_left_out_is_there() -> None:
    assert needless(in_peft(), named()) == []
    assert len(named()) == len(set(named()))


@pytest.mark.parametrize(
    ("new", "word"),
    [
        ("NEWTUNER", "NewTunerConfig"),
        ("use_new_variant", "use_new_variant="),
        ("init_lora_weights=new", 'init_lora_weights="new'),
        ("create_new_optimizer", "create_new_optimizer"),
    ],
)
def test_the_alarm_rings_for_what_is_new_until_an_entry_has_it(new: str, word: str) -> None:
    code = 'get_peft_model(model, LoraConfig(r=8, init_lora_weights="pissa"))'
    there = {"LORA": "LoraConfig", "init_lora_weights=pissa": 'init_lora_weights="pissa', new: word}
    (line,) = missing(there, code, ())
    assert line.startswith(f"{new}: ")
    assert missing(there, code, (new,)) == missing(there, f"{code}\n{word}", ()) == []
    assert missing(there, f"{code}\nMy{word}s", ())[:1] == ([line] if word.isidentifier() else [])
    assert needless(there, ("gone",)) == [f"gone: left out, and PEFT {peft.__version__} does not have it"]


def test_a_workflow_tries_the_newest_peft() -> None:
    workflow = (ROOT / ".github" / "workflows" / "newest-peft.yml").read_text(encoding="utf-8")
    assert "schedule:" in workflow
    assert "pip install -q --upgrade peft" in workflow
    assert f"tests/{Path(__file__).name}" in workflow
