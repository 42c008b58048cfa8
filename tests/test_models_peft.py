"""PEFT as an oracle on models of many families: the same counts, and for LoRA the same outputs from the same values.

The modules that PEFT is told of are named here, by hand; our side knows roles alone.
"""

from __future__ import annotations

import copy
import json
from typing import Any, NamedTuple

import peft
import pytest
import torch
from peft import TaskType, get_peft_model
from small_models import CONFIGS, batch

from surveykit.engine import Attached, Instance, count, instance_of
from surveykit.recipes import Recipe


class Names(NamedTuple):
    """Modules by role, as PEFT matches them: by the end of their path."""

    query: str
    key: str
    value: str
    others: tuple[str, ...]
    """All other matrices of the blocks."""
    last: str
    """The matrix that ends a feed-forward."""
    norms: tuple[str, ...]
    not_these: str | None = None
    """What ends alike but is outside the blocks."""


_LLAMA = Names("q_proj", "k_proj", "v_proj", ("o_proj", "gate_proj", "up_proj", "down_proj"), "down_proj",
               ("input_layernorm", "post_attention_layernorm", "norm"))  # fmt: skip
_AROUND = (*_LLAMA.norms, "pre_feedforward_layernorm", "post_feedforward_layernorm")
_BART = Names("q_proj", "k_proj", "v_proj", ("out_proj", "fc1", "fc2"), "fc2",
              ("self_attn_layer_norm", "encoder_attn_layer_norm", "final_layer_norm", "layernorm_embedding"))  # fmt: skip
_BERT = Names("query", "key", "value", ("dense",), "output.dense", ("LayerNorm",), r".*pooler.*")
_T5 = Names("q", "k", "v", ("o", "wi", "wi_0", "wi_1", "wo"), "wo", ("layer_norm", "final_layer_norm"))
NAMES: dict[str, Names] = {
    "llama": _LLAMA,
    "llama-tied": _LLAMA,
    "mistral": _LLAMA,
    "qwen2": _LLAMA,
    "qwen3": _LLAMA._replace(norms=(*_LLAMA.norms, "q_norm", "k_norm")),
    "gemma": _LLAMA,
    "gemma2": _LLAMA._replace(norms=_AROUND),
    "olmo2": _LLAMA._replace(norms=("post_attention_layernorm", "post_feedforward_layernorm", "norm", "q_norm", "k_norm")),
    "granite": _LLAMA,
    "phi": Names("q_proj", "k_proj", "v_proj", ("dense", "fc1", "fc2"), "fc2", ("input_layernorm", "final_layernorm")),
    "opt": _BART,
    "bert": _BERT,
    "roberta": _BERT,
    "electra": _BERT._replace(not_these=None),
    "distilbert": Names("q_lin", "k_lin", "v_lin", ("out_lin", "lin1", "lin2"), "lin2",
                        ("sa_layer_norm", "output_layer_norm", "LayerNorm")),
    "bart": _BART,
    "mbart": _BART._replace(norms=(*_BART.norms, "layer_norm")),
    "t5": _T5,
    "t5-v1.1": _T5,
    "mt5": _T5,
}  # fmt: skip
LINEAR = ["query", "key", "value", "attention_output", "feed_forward_in", "feed_forward_gate", "feed_forward_out"]
Edits = list[dict[str, Any]]


def recipe(edits: Edits, train: Edits) -> Recipe:
    stage = {"name": "fine_tuning", "scope": "task", "edits": edits, "train": train}
    return Recipe.model_validate_json(json.dumps({"stages": [stage]}))


def low_rank(roles: list[str], **further: Any) -> dict[str, Any]:
    return {"kind": "low_rank", "where": {"roles": roles}, "rank": 3, "alpha": 6.0, "gate": "none", **further}


def scale(roles: list[str], side: str) -> dict[str, Any]:
    return {"kind": "scale", "where": {"roles": roles}, "side": side}


OURS: dict[str, tuple[Edits, Edits]] = {
    "lora": ([low_rank(["query", "value"])], []),
    "lora-all": ([low_rank(LINEAR)], []),
    "dora": ([{"kind": "weight_decomposed", "where": {"roles": ["query", "value"]}, "rank": 3, "alpha": 6.0}], []),
    "adalora": ([{"kind": "adaptive_low_rank", "where": {"roles": ["query", "value"]}, "rank": 5, "target": 3,
                  "alpha": 5.0, "orthogonality": 0.5}], []),
    "ia3": ([scale(["key", "value"], "output"), scale(["feed_forward_out"], "input")], []),
    "lokr": ([{"kind": "kronecker", "where": {"roles": ["query", "value"]}, "scale": 1.0, "second_rank": None}], []),
    "norms": ([], [{"roles": ["norm"]}]),
    "prompt": ([{"kind": "prompt", "where": {"roles": ["input"], "sublayers": ["encoder.input"]}, "length": 4}], []),
    "prefix": ([{"kind": "prefix", "where": {"roles": ["attention"]}, "length": 4, "hidden": None, "width": "inner",
                 "gate": "none"}], []),
}  # fmt: skip
# PEFT takes a head for d_model / heads wide (Qwen3, Gemma, Mistral and T5 say how wide theirs are), the decoder's depth
# for the encoder's, and their attentions for two where there are three.
# Prompts of Electra stand among embeddings that are narrower than its d_model.
NO_PREFIX = {"mistral", "qwen3", "gemma", "gemma2", "bart", "mbart", "t5", "t5-v1.1", "mt5"}


def theirs(method: str, names: Names, instance: Instance) -> Any:
    task = {"decoder": TaskType.CAUSAL_LM, "encoder": TaskType.FEATURE_EXTRACTION}
    sides = instance.blueprint.sides
    kind = TaskType.SEQ_2_SEQ_LM if len(sides) == 2 else task[next(iter(sides))]
    pair = [names.query, names.value]
    common: dict[str, Any] = {"task_type": kind}
    own = instance.model.config
    widths = (
        {"token_dim": own.dim, "num_layers": own.n_layers, "num_attention_heads": own.n_heads}
        if own.model_type == "distilbert"
        else {}
    )
    config: Any
    match method:
        case "lora" | "dora":
            config = peft.LoraConfig(r=3, lora_alpha=6, target_modules=pair, use_dora=method == "dora", **common)
        case "lora-all":
            every = [*pair, names.key, *names.others]
            config = peft.LoraConfig(r=3, lora_alpha=6, target_modules=every, exclude_modules=names.not_these, **common)
        case "adalora":
            config = peft.AdaLoraConfig(
                init_r=5, target_r=3, lora_alpha=5, target_modules=pair, total_step=10, **common
            )
        case "ia3":
            wanted = [names.key, names.value, names.last]
            config = peft.IA3Config(
                target_modules=wanted, feedforward_modules=[names.last], **common,
                exclude_modules=r".*attention\.output\.dense" if names.last == _BERT.last else None,
            )  # fmt: skip
        case "lokr":
            config = peft.LoKrConfig(r=100000, alpha=100000, target_modules=pair, **common)  # so large a rank: none
        case "norms":
            config = peft.LNTuningConfig(target_modules=list(names.norms), **common)
        case "prompt":
            config = peft.PromptTuningConfig(num_virtual_tokens=4, num_transformer_submodules=1, **common, **widths)
        case "prefix":
            config = peft.PrefixTuningConfig(num_virtual_tokens=4, **common, **widths)
    device = instance.pretrained[0].device
    arguments = {"low_cpu_mem_usage": True} if device.type == "meta" else {}
    with torch.device(device):
        return get_peft_model(copy.deepcopy(instance.model), config, **arguments)


CASES = [
    (family, method) for family in NAMES for method in OURS
    if not (method == "prefix" and family in NO_PREFIX) and (method, family) != ("prompt", "electra")
]  # fmt: skip


@pytest.mark.parametrize(("family", "method"), CASES)
def test_counts_equal_those_of_peft(family: str, method: str) -> None:
    instance = instance_of(CONFIGS[family]())
    edits, train = OURS[method]
    wrapped = theirs(method, NAMES[family], instance)
    wanted = sum(p.numel() for p in wrapped.parameters() if p.requires_grad)
    assert wanted > 0
    assert count(recipe(edits, train), instance).trainable == wanted


@pytest.mark.parametrize("method", ["lora-all", "dora"])
@pytest.mark.parametrize("family", ["llama", "qwen2", "gemma2", "bert", "bart", "t5-v1.1"])
def test_outputs_equal_those_of_peft(family: str, method: str) -> None:
    instance = instance_of(CONFIGS[family](), device="cpu", seed=7)
    names = {id(module): n for n, module in instance.model.named_modules()}
    wrapped = theirs(method, NAMES[family], instance).eval()
    generator = torch.Generator().manual_seed(11)
    with torch.no_grad():
        for parameter in wrapped.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.1)
    edits, train = OURS[method]
    with Attached(instance, recipe(edits, train).stages[0]) as attached, torch.no_grad():
        for placed in attached.placed:
            layer = wrapped.get_submodule(f"base_model.model.{names[id(placed.slot.module)]}")
            placed.part.down.copy_(layer.lora_A["default"].weight)
            placed.part.up.copy_(layer.lora_B["default"].weight)
            if method == "dora":
                placed.part.magnitude.copy_(layer.lora_magnitude_vector["default"].weight)
        given = batch(instance)
        torch.testing.assert_close(instance.model(**given)[0], wrapped(**given)[0], rtol=1e-4, atol=1e-4)
        attached.merge()
        torch.testing.assert_close(instance.model(**given)[0], wrapped(**given)[0], rtol=1e-4, atol=1e-4)
