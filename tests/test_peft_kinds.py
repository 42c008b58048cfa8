"""PEFT as an oracle of every kind of edit that it has, on models of four layouts: a T5, a Llama whose heads share keys, a GPT-2
with its fused matrix, a BERT. The same arguments give as many trained parameters; with the same values, the same outputs before
and after merging; and a saved file of as many bytes."""

from __future__ import annotations

import copy
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import CATALOG
from peft_tensors import InLibrary, in_library
from safetensors import safe_open
from small_models import CONFIGS, batch, outputs
from torch import nn

from surveykit.catalog.peft_arguments import peft_arguments
from surveykit.catalog.peft_file import PeftFile
from surveykit.catalog.peft_recipes import translated
from surveykit.engine import Attached, Instance, count, instance_of
from surveykit.engine.counts import SEED_BYTES
from surveykit.engine.measure_files import file_values, header_size
from surveykit.engine.models.peft_modules import parts_of, peft_library, quiet, task_type
from surveykit.recipes import KINDS

peft = peft_library()
DECLARED = {str(kind.model_fields["kind"].annotation.__args__[0]): kind for kind in KINDS if kind.peft is not None}
TARGETS = {"t5": ["q", "v"], "llama": ["q_proj", "v_proj"], "gpt2": ["c_attn"], "bert": ["query", "value"]}
CASES = [
    pytest.param(kind, one, model, id=f"{kind}-{number}-{model}")
    for kind, ones in in_library().items() for number, one in enumerate(ones) for model in one.models
]  # fmt: skip


def said(kind: str, one: InLibrary, instance: Instance, model: str) -> PeftFile:
    """A configuration of PEFT that means the kind with these hyper-parameters."""
    declared = DECLARED[kind].peft
    lists = {
        argument: TARGETS[model]
        for name, by in declared.listed.items() for argument, value in by.items() if one.fields[name] == value
    }  # fmt: skip
    arguments = declared.says({name: one.fields[name] for name in declared.arguments if name in one.fields}, lists)
    targets = {"target_modules": TARGETS[model]} if declared.targeted else {}
    further = {"task_type": task_type(instance.model)}
    if model == "gpt2" and "fan_in_fan_out" in getattr(peft, declared.config).__dataclass_fields__:
        further["fan_in_fan_out"] = True
    return PeftFile("test", declared.type, {**arguments, **targets, **one.places, **further})


def in_peft(file: PeftFile, one: InLibrary, model: nn.Module) -> Any:
    config = getattr(peft, DECLARED_CONFIG[file.peft_type])(**{**file.content, **one.arguments})
    with quiet():  # it warns of what it adjusts to a layer's widths
        return peft.get_peft_model(copy.deepcopy(model), config).eval()


DECLARED_CONFIG = {kind.peft.type: kind.peft.config for kind in DECLARED.values()}


def test_every_declared_kind_is_compared() -> None:
    assert {*DECLARED} == {*in_library()}


@pytest.mark.parametrize("kind", DECLARED)
def test_what_peft_takes_where_a_file_does_not_say_is_its_own_default(kind: str) -> None:
    declared = DECLARED[kind].peft
    fields = getattr(peft, declared.config).__dataclass_fields__
    inside = {argument.partition(".")[0]: {} for argument, _ in declared.arguments.values() if "." in argument}
    config = getattr(peft, declared.config)(**declared.means, **inside)
    for argument, default in declared.arguments.values():
        assert attrgetter(argument)(config) == default, argument
    assert all(
        argument in fields and getattr(getattr(peft, declared.config)(), argument) is None
        for argument in declared.needs
    )
    assert all(argument in fields and fields[argument].default != value for argument, value in declared.means.items())


@pytest.mark.sampled("kind", "one", "model")
@pytest.mark.filterwarnings(
    "ignore::UserWarning"
)  # PEFT speaks of layers without a bias, of indices that are not saved
@pytest.mark.parametrize(("kind", "one", "model"), CASES)
def test_a_kind_is_that_of_peft(kind: str, one: InLibrary, model: str, tmp_path: Path) -> None:
    torch.manual_seed(5)
    instance = instance_of(CONFIGS[model](), device="cpu", seed=5)
    file = said(kind, one, instance, model)
    recipe = translated(file, parts_of(instance, file), CATALOG).recipe
    edit = recipe.stages[-1].edits[0]
    assert edit.kind == kind
    assert one.fields.items() <= edit.model_dump().items()
    assert peft_arguments(recipe, parts_of(instance), task_type(instance.model)).peft_type == file.peft_type

    theirs = in_peft(file, one, instance.model)
    counts = count(recipe, instance)
    assert counts.trainable == sum(p.numel() for p in theirs.parameters() if p.requires_grad)
    with torch.no_grad():
        for parameter in theirs.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn(parameter.shape) * 0.1)
    theirs.save_pretrained(tmp_path)
    with safe_open(tmp_path / "adapter_model.safetensors", framework="pt") as opened:
        there = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 (no mapping)
        named = {name: _narrowed(tensor).numpy().tobytes() for name, tensor in there.items()}
        tensors = [value for name, value in named.items() if one.unneeded is None or one.unneeded not in name]
    saved = sum(len(tensor) for tensor in ({*tensors} if one.repeated else tensors))

    names = {id(module): name for name, module in instance.model.named_modules()}
    before = outputs(instance)
    stage = recipe.stages[-1]
    own = stage.model_copy(update={"edits": tuple(edit.model_copy(update=dict(one.ours)) for edit in stage.edits)})
    attached = Attached(instance, own)
    seeded = any(shape.kept == "seed" for shape in attached.kept_shapes())  # PEFT writes a seed beside the tensors
    assert saved == counts.stored_bytes - SEED_BYTES * seeded
    with torch.no_grad():
        for placed in attached.placed:
            path = f"base_model.model.{names[id(placed.slot.module)]}"
            layer = theirs.get_submodule(path) if DECLARED[kind].peft.targeted else theirs
            read = one.read(layer) if DECLARED[kind].peft.targeted else one.read(layer, placed.slot.place)
            for name, value in read.items():
                getattr(placed.part, name).copy_(value.reshape(getattr(placed.part, name).shape))
            if one.write:
                one.write(layer, placed.part)
            for name, value in (one.shared(layer) if one.shared else {}).items():
                getattr(placed.part.shared, name).copy_(value.reshape(getattr(placed.part.shared, name).shape))
    ours = outputs(instance)
    assert not torch.allclose(ours, before, atol=1e-3), "values that change nothing compare nothing"
    torch.testing.assert_close(ours, run(theirs, instance, **one.given), rtol=one.tolerance, atol=one.tolerance)
    if not one.merges:
        assert attached.merge()
        with pytest.raises((NotImplementedError, ValueError, AttributeError)):
            theirs.merge_and_unload()
        return
    assert not attached.merge()
    merged = run(theirs.merge_and_unload(), instance)
    torch.testing.assert_close(outputs(instance), merged, rtol=one.tolerance, atol=one.tolerance)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(("kind", "one"), [(kind, ones[0]) for kind, ones in in_library().items()], ids=[*in_library()])
def test_the_file_that_peft_writes_is_as_large_as_is_said(kind: str, one: InLibrary, tmp_path: Path) -> None:
    torch.manual_seed(5)
    model = "llama" if "llama" in one.models else one.models[0]
    instance = instance_of(CONFIGS[model](), device="cpu", seed=5)
    file = said(kind, one, instance, model)
    recipe = translated(file, parts_of(instance, file), CATALOG).recipe
    theirs = in_peft(file, one, instance.model)
    with quiet():
        theirs.save_pretrained(tmp_path)
    written = (tmp_path / "adapter_model.safetensors").stat().st_size
    found = file_values(recipe, instance.blueprint, ("float32", None))
    if found.get("numbers_alone") is None:
        assert found["size"] == written
        return
    with safe_open(tmp_path / "adapter_model.safetensors", framework="pt") as opened:
        there = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 (no mapping)
    header = header_size(there)
    assert written == header + sum(tensor.nbytes for tensor in there.values())
    unneeded = sum(tensor.nbytes - _narrowed(tensor).nbytes for tensor in there.values())
    unneeded += sum(_narrowed(tensor).nbytes for name, tensor in there.items() if one.unneeded and one.unneeded in name)
    assert found["size"] == written - header - unneeded


def _narrowed(tensor: torch.Tensor) -> torch.Tensor:
    """Whole numbers as wide as ours; torch indexes with 64 bits, and PEFT saves some as they are."""
    return tensor.int() if tensor.dtype == torch.int64 else tensor


def run(model: nn.Module, instance: Instance, **more: Any) -> torch.Tensor:
    """As `small_models.outputs`, of another model."""
    given = batch(instance) | more
    with torch.no_grad(), quiet():
        out = model(**given, use_cache=False) if instance.blueprint.causal else model(**given)
    found: torch.Tensor = out.logits if "labels" in given else out[0]
    return found[:, -given.get("labels", given["input_ids"]).shape[1] :]
