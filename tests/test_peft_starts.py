"""PEFT as an oracle of LoRA's starts, scales and optimizers, on models of four layouts: a T5, a Llama whose heads share keys, a
GPT-2 with its fused matrix, a BERT. From the same backbone, and the same data, both come to the same frozen weights and factors."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
from conftest import CATALOG
from peft.optimizers import create_lorafa_optimizer, create_loraplus_optimizer, create_riemannian_optimizer
from peft.tuners.lora.corda import preprocess_corda
from peft.tuners.lora.loraga import preprocess_loraga
from safetensors import safe_open
from small_models import CONFIGS, batch, outputs
from test_peft_kinds import TARGETS, run
from torch import Tensor, nn

from surveykit.catalog.load import Catalog
from surveykit.catalog.peft_arguments import peft_arguments
from surveykit.catalog.peft_file import PeftFile
from surveykit.catalog.peft_recipes import translated
from surveykit.engine import Attached, Instance, count, instance_of
from surveykit.engine.edits.hooks import Placed
from surveykit.engine.edits.saving import restore, saved
from surveykit.engine.models.peft_modules import parts_of, task_type
from surveykit.engine.train.loop import examples
from surveykit.engine.train.optimizers import optimizer_for
from surveykit.recipes import Recipe
from surveykit.recipes.low_rank import LowRank
from surveykit.recipes.starts import STARTS

RANK, ALPHA = 5, 10
SAID: dict[str, dict[str, Any]] = {
    "lora": {}, "rslora": {"use_rslora": True}, "lora-fa": {},
    **{start.replace("_", "-"): {"init_lora_weights": start} for start in STARTS},
    "pissa with rslora": {"init_lora_weights": "pissa", "use_rslora": True},
}  # fmt: skip
"""What PEFT's configuration says of each, beside rank and alpha."""
BY_DATA = {
    "corda": {"corda_config": peft.tuners.lora.config.CordaConfig()},
    "eva": {"eva_config": peft.EvaConfig(rho=1.0)},
    "lora-ga": {"lora_ga_config": peft.tuners.lora.LoraGAConfig()},
}
CASES = [(name, model) for name in SAID for model in TARGETS if (name, model) != ("olora", "gpt2")]
"""PEFT takes the QR decomposition of GPT-2's matrices as they are stored, the other way round, and does not run then."""
CONVERTED = ("corda", "lora-ga")
"""Those whose frozen weight follows from data, so that we keep LoRA of twice the rank."""


def loss(model: nn.Module, given: dict[str, Tensor]) -> Tensor:
    return model(**given)[0].square().mean()


def losses(instance: Instance) -> Iterator[Tensor]:
    yield from (loss(instance.model, dict(example)) for example in examples(batch(instance)))


def said(name: str, instance: Instance, model: str) -> PeftFile:
    content = {"r": RANK, "lora_alpha": ALPHA, "target_modules": TARGETS[model], **SAID[name]}
    return PeftFile("test", "LORA", {**content, "eva_config": {"rho": 1.0}} if name == "eva" else content)


def recipe_of(name: str, instance: Instance, file: PeftFile) -> Recipe:
    """Of the file; the file of LoRA-FA says LoRA, and its optimizer that one factor is frozen."""
    recipe = translated(file, parts_of(instance, file), CATALOG).recipe
    if name != "lora-fa":
        return recipe
    (stage,) = recipe.stages
    edits = tuple(edit.model_copy(update={"trains": "up"}) for edit in stage.edits)
    return recipe.model_copy(update={"stages": (stage.model_copy(update={"edits": edits}),)})


def in_peft(name: str, file: PeftFile, instance: Instance, model: str) -> Any:
    given = {**file.content, **BY_DATA.get(name, {}), "task_type": task_type(instance.model)}
    config = peft.LoraConfig(**given, fan_in_fan_out=model == "gpt2")
    bare, data = copy.deepcopy(instance.model), batch(instance)
    if name == "corda":
        preprocess_corda(bare, config, run_model=lambda: [bare(**example) for example in examples(data)])
    if name == "lora-ga":
        bare.eval().train = lambda mode=True: bare  # PEFT estimates gradients with dropout, and chance compares nothing
        preprocess_loraga(bare, config, lambda: [loss(bare, dict(one)).backward() for one in examples(data)])
        del bare.train
    found = peft.get_peft_model(bare, config).eval()
    if name == "eva":
        peft.initialize_lora_eva_weights(found, [data], prepare_model_inputs_fn=None, prepare_layer_inputs_fn=None)
    if name == "lora-fa":
        create_lorafa_optimizer(found, r=RANK, lora_alpha=ALPHA, lr=1e-3)
    return found


def layers(attached: Attached, theirs: Any) -> Iterator[tuple[Placed, nn.Module, Tensor, Tensor]]:
    """A place of ours, PEFT's module there, and its `down` and `up`."""
    names = {id(module): name for name, module in attached.instance.model.named_modules()}
    for placed in attached.placed:
        layer = theirs.get_submodule(f"base_model.model.{names[id(placed.slot.module)]}")
        yield placed, layer, layer.lora_A["default"].weight, layer.lora_B["default"].weight


def starts_alike(name: str, placed: Placed, layer: Any, down: Tensor, up: Tensor) -> None:
    """Frozen weights and factors, up to signs of singular vectors and turns of equal ones."""
    part, close = placed.part, {"rtol": 1e-3, "atol": 1e-4}
    weight = layer.base_layer.weight
    if name != "lora-ga":  # which pairs singular vectors of other values, so that signs show in the product
        torch.testing.assert_close(part.frozen, weight.T if placed.slot.transposed else weight, **close)
        torch.testing.assert_close(part.up @ part.down, up @ down, **close)
    if name == "mica":
        torch.testing.assert_close(part.up @ part.up.T, up @ up.T, **close)
    if name in ("eva", "lora-ga"):
        loose = {"rtol": 2e-2, "atol": 2e-2}  # PEFT approximates singular vectors
        torch.testing.assert_close(part.down.T @ part.down, down.T @ down, **loose)
        # PEFT takes the inputs of a matrix that is stored the other way round for its outputs in the scale.
        scale = (weight.shape[1] / weight.shape[0]) ** 0.5 if placed.slot.transposed else 1.0
        torch.testing.assert_close(part.up @ part.up.T, up @ up.T * scale, **loose)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(("name", "model"), CASES)
def test_lora_starts_trains_and_merges_as_in_peft(name: str, model: str, tmp_path: Path) -> None:
    torch.manual_seed(5)
    instance = instance_of(CONFIGS[model](), device="cpu", seed=5)
    file = said(name, instance, model)
    recipe = recipe_of(name, instance, file)
    (edit,), counts = recipe.stages[-1].edits, count(recipe, instance)
    assert isinstance(edit, LowRank)
    assert edit.initial == SAID[name].get("init_lora_weights", "zeros")
    back = peft_arguments(recipe, parts_of(instance), task_type(instance.model)).arguments
    assert SAID[name].items() <= back.items()

    theirs, bare = in_peft(name, file, instance, model), outputs(instance)
    assert counts.trainable == sum(p.numel() for p in theirs.parameters() if p.requires_grad)
    attached = Attached(instance, recipe.stages[-1], sample=lambda: losses(instance))
    torch.testing.assert_close(outputs(instance), bare, rtol=1e-3, atol=1e-3)
    if edit.initial != "zeros":
        for placed, layer, down, up in layers(attached, theirs):
            starts_alike(name, placed, layer, down, up)

    first = tmp_path / "first"
    if name in CONVERTED:  # PEFT subtracts a start that it does not make again
        theirs.peft_config["default"].init_lora_weights = True
        theirs.save_pretrained(first)
    with torch.no_grad():
        for parameter in theirs.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn(parameter.shape) * 0.1)
        for placed, layer, down, up in layers(attached, theirs):
            placed.part.down.copy_(down)
            placed.part.up.copy_(up)
            if name == "lora-ga":
                placed.part.stored.copy_(layer.base_layer.weight)
    ours = outputs(instance)
    assert not torch.allclose(ours, bare, atol=1e-3), "values that change nothing compare nothing"
    torch.testing.assert_close(ours, run(theirs, instance), rtol=1e-3, atol=1e-3)

    conversion = {"path_initial_model_for_weight_conversion": str(first)} if name in CONVERTED else {}
    theirs.save_pretrained(tmp_path / "last", **conversion)
    with safe_open(tmp_path / "last" / "adapter_model.safetensors", framework="pt") as opened:
        assert counts.stored_bytes == sum(opened.get_tensor(key).nbytes for key in opened.keys())  # noqa: SIM118
    stage, kept = saved(attached)
    again = instance_of(CONFIGS[model](), device="cpu", seed=5)
    with restore(again, stage, kept):
        torch.testing.assert_close(outputs(again), ours, rtol=1e-4, atol=1e-4)
    assert not attached.merge()
    torch.testing.assert_close(outputs(instance), run(theirs.merge_and_unload(), instance), rtol=1e-3, atol=1e-3)


OPTIMIZERS = {
    "lora-plus": lambda model, rate: create_loraplus_optimizer(
        model, torch.optim.AdamW, lr=rate, loraplus_lr_ratio=16, weight_decay=0.0
    ),
    "lora-fa": lambda model, rate: create_lorafa_optimizer(model, r=8, lora_alpha=8, lr=rate),
    "riemannian": lambda model, rate: create_riemannian_optimizer(
        model, torch.optim.AdamW, lr=rate, weight_decay=0.0
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_lora_is_stepped_as_in_peft(catalog: Catalog, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("peft.optimizers.lorafa.is_bf16_available", lambda: False)  # products in 16 bits hide much
    torch.manual_seed(5)
    instance, rate = instance_of(CONFIGS["t5"](), device="cpu", seed=5), 1e-3
    given = batch(instance)
    theirs = peft.get_peft_model(
        copy.deepcopy(instance.model), peft.LoraConfig(r=8, lora_alpha=8, target_modules=["q", "v"])
    )
    with Attached(instance, catalog.recipe(f"{name}/qv-r8").stages[-1]) as attached:
        pairs = list(layers(attached, theirs))
        with torch.no_grad():
            for placed, _, down, up in pairs:
                up.normal_(std=0.1)
                placed.part.down.copy_(down)
                placed.part.up.copy_(up)
        held = [p for p in attached.added() if p.requires_grad]
        ours, other = optimizer_for(attached, held, rate), OPTIMIZERS[name](theirs, rate)
        assert sum(p.numel() for p in held) == sum(p.numel() for p in theirs.parameters() if p.requires_grad)
        before = pairs[0][3].detach().clone()
        for _ in range(4):
            for model, optimizer in ((instance.model, ours), (theirs, other)):
                optimizer.zero_grad()
                (loss(model, given) * 100).backward()
                optimizer.step()
        assert float((pairs[0][3].detach() - before).abs().mean()) > rate
        for placed, _, down, up in pairs:
            torch.testing.assert_close(placed.part.down, down, rtol=1e-3, atol=rate / 20)
            torch.testing.assert_close(placed.part.up, up, rtol=1e-3, atol=rate / 20)
