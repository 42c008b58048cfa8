"""PEFT as an oracle: the same counts, and with the same values the same outputs, before and after merging."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from bare_models import bare
from peft import TaskType, get_peft_model
from real_catalog import CONFIGURATIONS
from torch import Tensor, nn

from surveykit import formula
from surveykit.catalog.load import Catalog
from surveykit.catalog.models import Model
from surveykit.catalog.records import Oracle
from surveykit.engine import Attached, Instance, build, count
from surveykit.engine.models.peft_modules import peft_library
from surveykit.engine.models.tiny import tiny_model as backbone

peft = peft_library()
ORACLES = [
    (name, oracle) for name, configuration in CONFIGURATIONS.items() for oracle in configuration.oracles
    if oracle.library == "peft"
]  # fmt: skip
IDS = [f"{name}-{oracle.config}" for name, oracle in ORACLES]


def wrapped(oracle: Oracle, instance: Instance) -> Any:
    config = getattr(peft, oracle.config)(task_type=TaskType.SEQ_2_SEQ_LM, **oracle.arguments)
    arguments = {"low_cpu_mem_usage": True} if instance.pretrained[0].is_meta else {}
    if instance.pretrained[0].is_meta and oracle.config == "ShiraConfig":
        config.mask_fn = first_entries  # PEFT's own looks for the places in a tensor of values
    try:
        with torch.device(instance.pretrained[0].device):
            return get_peft_model(copy.deepcopy(instance.model), config, **arguments)
    except RuntimeError:  # BOFT makes lists of numbers while it is built, which have no values on meta
        return get_peft_model(copy.deepcopy(instance.model), config, **arguments)


def first_entries(layer: nn.Linear, r: int, **_: Any) -> Tensor:
    """A mask of as many entries as SHiRA of this rank trains."""
    mask = torch.zeros(layer.weight.numel(), device="cpu")
    mask[: r * sum(layer.weight.shape)] = 1
    return mask.reshape(layer.weight.shape)


def shallow(model: Model) -> Model:
    """The same widths in few layers, unequal numbers of them."""
    config = {**model.config, "num_layers": 2, "num_decoder_layers": 3}
    return Model(**{**model.model_dump(), "id": f"shallow-{model.id}", "config": config, "parameters": None})


@pytest.mark.sampled("name", "oracle", "size")
@pytest.mark.filterwarnings("ignore:Detected that the base layer has no bias")
@pytest.mark.filterwarnings("ignore:aLoRA is currently only supported")  # its modules are counted, and not run
@pytest.mark.parametrize("size", ["t5-large", "t5-3b"])  # attention as wide as the model, and wider
@pytest.mark.parametrize(("name", "oracle"), ORACLES, ids=IDS)
def test_counts_equal_those_of_peft(catalog: Catalog, name: str, oracle: Oracle, size: str) -> None:
    record = shallow(catalog.models[size])
    instance = bare(record)
    if "monteclora_config" in oracle.arguments:  # PEFT makes its sampler only where there are values
        record = backbone(d_kv=48 if size == "t5-3b" else 32)
        instance = build(record, device="cpu")
    theirs = sum(p.numel() for p in wrapped(oracle, instance).parameters() if p.requires_grad)
    ours = count(catalog.recipe(name), instance).trainable
    if oracle.trainable is None:
        assert theirs == ours
    else:  # the entry says how the library's design differs; its formula must say so exactly
        written = CONFIGURATIONS[name].formula
        assert theirs == formula.evaluate(oracle.trainable, formula.bind(written.let, record.symbols()))
        assert theirs != ours


def logits(model: nn.Module) -> Tensor:
    ids = torch.randint(1, 100, (2, 6), generator=torch.Generator().manual_seed(1))
    decoder_ids = torch.randint(1, 100, (2, 4), generator=torch.Generator().manual_seed(2))
    mask = torch.ones_like(ids)
    out = model(input_ids=ids, attention_mask=mask, decoder_input_ids=decoder_ids, use_cache=False)
    return out.logits.detach()


Read = Callable[[nn.Module], dict[str, Tensor]]
"""From PEFT's wrapped layer to the tensors of our part."""
READERS: dict[str, Read] = {
    "LoraConfig": lambda m: {
        "down": m.lora_A["default"].weight,
        "up": m.lora_B["default"].weight,
        **({"magnitude": m.lora_magnitude_vector["default"].weight} if m.lora_magnitude_vector else {}),
    },
    "AdaLoraConfig": lambda m: {
        "left": m.lora_B["default"],
        "diagonal": m.lora_E["default"].flatten(),
        "right": m.lora_A["default"],
    },
    "GloraConfig": lambda m: (
        {
            "factor_left": m.glora_A["default"].Xd,
            "factor_right": m.glora_A["default"].Xu,
            "addend_left": m.glora_B["default"].Xd,
            "addend_right": m.glora_B["default"].Xu,
        }
        if hasattr(m.glora_A["default"], "Xd")
        else {"factor": m.glora_A["default"].X, "addend": m.glora_B["default"].X}
    ),
    "IA3Config": lambda m: {"factor": m.ia3_l["default"].flatten()},
    "LoKrConfig": lambda m: (
        {"first": m.lokr_w1["default"], "second": m.lokr_w2["default"]}
        if "default" in m.lokr_w2
        else {
            "first": m.lokr_w1["default"],
            "second_up": m.lokr_w2_a["default"],
            "second_down": m.lokr_w2_b["default"],
        }
    ),
}
# Kinds that say themselves what PEFT calls them are compared in test_peft_kinds. Where the library's design differs in the
# count, its tensors are not those of our part; and an update that is fitted
# to a backbone of few bits brings that backbone with it, which the library makes by kernels that need an accelerator.
ELSEWHERE = {
    name for name, configuration in CONFIGURATIONS.items()
    if any(edit.kind == "fitted_low_rank" or edit.peft is not None for stage in configuration.recipe.stages for edit in stage.edits)
}  # fmt: skip
WEIGHT_SPACE = [
    (name, oracle) for name, oracle in ORACLES
    if oracle.config in READERS and oracle.trainable is None and name not in ELSEWHERE
]  # fmt: skip


@pytest.mark.sampled("name", "oracle", "gated")
@pytest.mark.parametrize("gated", [False, True])
@pytest.mark.parametrize(("name", "oracle"), WEIGHT_SPACE, ids=[f"{n}-{o.config}" for n, o in WEIGHT_SPACE])
def test_outputs_and_merging_equal_those_of_peft(catalog: Catalog, name: str, oracle: Oracle, gated: bool) -> None:
    instance = build(backbone(d_model=256, d_kv=72, d_ff=320, gated=gated), device="cpu", seed=7)
    names = {id(module): n for n, module in instance.model.named_modules()}
    theirs = wrapped(oracle, instance).eval()
    generator = torch.Generator().manual_seed(11)
    with torch.no_grad():
        for parameter in theirs.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.1)
    # The library rounds weights by kernels that need an accelerator; both sides are compared on unrounded ones.
    attached = Attached(instance, catalog.recipe(name).stages[0].model_copy(update={"base": None}))
    with torch.no_grad():
        for placed in attached.placed:
            layer = theirs.get_submodule(f"base_model.model.{names[id(placed.slot.module)]}")
            for key, value in READERS[oracle.config](layer).items():
                placed.part.get_parameter(key).copy_(value)
    ours = logits(instance.model)
    torch.testing.assert_close(ours, logits(theirs), rtol=1e-4, atol=1e-4)
    attached.merge()
    merged = theirs.merge_and_unload()
    torch.testing.assert_close(logits(instance.model), logits(merged), rtol=1e-4, atol=1e-4)
    for ours_p, theirs_p in zip(instance.model.parameters(), merged.parameters(), strict=True):
        torch.testing.assert_close(ours_p, theirs_p, rtol=1e-5, atol=5e-6)


def test_outputs_of_prompt_tuning_equal_those_of_peft(catalog: Catalog) -> None:
    oracle = next(o for n, o in ORACLES if n == "prompt-tuning/p100")
    instance = build(backbone(), device="cpu", seed=7)
    theirs = wrapped(oracle, instance).eval()
    with Attached(instance, catalog.recipe("prompt-tuning/p100").stages[0]) as attached:
        (prompt,) = attached.added()
        with torch.no_grad():
            prompt.copy_(theirs.prompt_encoder["default"].embedding.weight)
        torch.testing.assert_close(logits(instance.model), logits(theirs), rtol=1e-4, atol=1e-4)


def test_peft_trains_the_norms_that_we_train(catalog: Catalog) -> None:
    oracle = next(o for n, o in ORACLES if n == "ln-tuning/norms")
    instance = build(backbone(), device="cpu", seed=7)
    theirs = {n for n, p in wrapped(oracle, instance).named_parameters() if p.requires_grad}
    with Attached(instance, catalog.recipe("ln-tuning/norms").stages[0]):
        ours = {n for n, p in instance.model.named_parameters() if p.requires_grad}
    assert {n.removeprefix("base_model.model.").replace(".ln_tuning_layers.default", "") for n in theirs} == ours
