"""A step that runs for real on the CPU: its allocator's peak is the traced one; what cannot run says why."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import needs
import pytest
import torch
from architectures import with_config
from small_models import CONFIGS

from surveykit.api.measuring import measure
from surveykit.catalog.load import Catalog
from surveykit.catalog.training import Training
from surveykit.cli import main
from surveykit.engine.models.catalogued import blueprint
from surveykit.engine.models.model import Blueprint, blueprint_of
from surveykit.engine.models.tiny import tiny_model
from surveykit.engine.trace import on_device
from surveykit.engine.trace.costs import Costs
from surveykit.engine.trace.on_device import OnDevice, refuse_what_cannot_run
from surveykit.errors import RecipeError, SurveyError
from surveykit.recipes import KINDS, Recipe, Stage

CPU = torch.device("cpu")
PLAIN = Training(dtype="float32")
SETTINGS = {
    "eager": {},
    "sdpa": {"attention": "sdpa"},
    "checkpointed": {"checkpointing": "full"},
    "checkpointed sdpa": {"checkpointing": "full", "attention": "sdpa"},
    "foreach": {"optimizer": "adamw-foreach"},
    "fused": {"optimizer": "adamw-fused"},
    "sgd": {"optimizer": "sgd"},
    "adafactor": {"optimizer": "adafactor"},
    "accumulation": {"accumulation": 2},
    "cache": {"keep_cache": True},
}
METHODS = ("full-tuning/all", "lora/qv-r8", "prefix-tuning/mlp-p30-h512")


@pytest.fixture(autouse=True)
def plain_products() -> Iterator[None]:
    """With one thread, as the models are tiny; and without oneDNN, whose products in bfloat16 take scratch memory within
    one operator: a hundredth of a tiny model's peak."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch._C._set_mkldnn_enabled(False)  # the public way warns of GPUs of Intel
    yield
    torch._C._set_mkldnn_enabled(True)
    torch.set_num_threads(before)


def assert_equal(plan: Blueprint, recipe: Recipe, training: Training, length: int = 64) -> None:
    stage = recipe.stages[-1]
    traced = Costs(plan, "cpu").training(stage, 4, length, training=training).memory.peak
    real = OnDevice(plan, CPU, training).peak(stage, 4, length)
    assert real.reserved is None
    assert traced == pytest.approx(real.allocated, rel=1e-3)


@pytest.mark.sampled("setting", "dtype", "name")
@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("setting", SETTINGS)
def test_traced_peak_is_the_allocators_in_every_setting(catalog: Catalog, setting: str, dtype: Any, name: str) -> None:
    training = Training(dtype=dtype, **SETTINGS[setting])  # type: ignore[arg-type]
    assert_equal(blueprint(tiny_model()), catalog.recipe(name), training)


@pytest.mark.sampled("family", "attention")
@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("family", ["llama", "gpt2", "bert"])
def test_traced_peak_is_the_allocators_on_models_of_other_families(
    catalog: Catalog, family: str, attention: Any
) -> None:
    plan = blueprint_of(CONFIGS[family]())
    for name in ("full-tuning/all", "lora/qv-r8"):
        assert_equal(plan, catalog.recipe(name), Training(dtype="float32", attention=attention), 24)


KINDS_OF_EDITS = [kind.model_fields["kind"].annotation.__args__[0] for kind in KINDS]  # type: ignore[union-attr]


@pytest.fixture(scope="module")
def stages(catalog: Catalog) -> dict[str, Stage]:
    """A stage for each kind of edit, the first of the catalog; with frozen weights in full width, as a CPU holds them."""
    found: dict[str, Stage] = {}
    for _, _, configuration in catalog.configurations():
        for stage in configuration.recipe.stages:
            for edit in stage.edits:
                found.setdefault(edit.kind, stage.model_copy(update={"base": None}))
    return found


@pytest.fixture(scope="module")
def without_dropout() -> tuple[Costs, OnDevice]:
    """What dropout draws would come between the draws of edits that choose by chance, on the CPU alone."""
    plan = blueprint(with_config(tiny_model(), dropout_rate=0.0))
    return Costs(plan, "cpu"), OnDevice(plan, CPU, PLAIN)


def test_every_kind_is_trained_or_kept_by_one_that_is(catalog: Catalog, stages: dict[str, Stage]) -> None:
    kept = {
        edit.deployed().kind for _, _, one in catalog.configurations() for s in one.recipe.stages for edit in s.edits
    }
    assert {*stages} | kept == {*KINDS_OF_EDITS}


COPIED_ON_A_CPU = {"block_circulant": 0.05}
"""Of kinds whose products are of complex matrices, how much of the peak no trace has: a CPU copies each of a batch first."""


@pytest.mark.sampled
@pytest.mark.parametrize("kind", KINDS_OF_EDITS)
def test_traced_peak_is_the_allocators_for_every_kind_of_edit(
    stages: dict[str, Stage], without_dropout: tuple[Costs, OnDevice], kind: str
) -> None:
    if kind not in stages:
        return  # what is kept of another edit is not trained, as the test before this one says
    costs, device = without_dropout
    traced, real = (
        costs.training(stages[kind], 4, 64, training=PLAIN).memory.peak,
        device.peak(stages[kind], 4, 64).allocated,
    )
    assert -COPIED_ON_A_CPU.get(kind, 1e-3) < traced / real - 1 < 1e-3, f"{traced:,} traced, {real:,} allocated"


def test_a_table_of_what_ran(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["measure", "lora", "ia3", "--model", "t5-small", "--device", "cpu", "--length", "8", "--attention", "sdpa"]
    assert main([*asked, "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["configuration"] for row in rows] == ["lora/qv-r8", "ia3/kv-ff"]
    for row in rows:
        assert (row["device"], row["reserved_bytes"], row["reason"]) == ("cpu", None, None)
        assert row["error_percent"] == pytest.approx(100 * (row["predicted_bytes"] / row["allocated_bytes"] - 1))
        assert abs(row["error_percent"]) < 1


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"attention": "flash"}, "--attention flash is only predicted, not run on a CPU: use --attention sdpa"),
        ({"base_bits": 4}, "--base-bits 4 is only predicted, not run on a CPU: use --base-bits 16"),
        ({"optimizer": "adamw-8bit"}, "not run on a CPU: use --optimizer adamw-loop"),
        ({"devices": 2, "shard": "ddp"}, "use --devices 1 --shard none"),
        ({"checkpointing": "offloaded"}, "use --checkpointing full"),
        ({"kernels": "fused", "loss": "chunked"}, "use --kernels plain"),
    ],
)
def test_what_no_library_here_runs_is_predicted_and_says_so(changes: dict[str, Any], reason: str) -> None:
    (run,) = measure("lora", model="tinyllama-1.1b", device="cpu", length=8, **changes)
    assert run.predicted_bytes
    assert run.allocated_bytes is run.error_percent is None
    assert reason in (run.reason or "")


@pytest.mark.parametrize(
    ("changes", "package"), [({"attention": "flash"}, "flash-attn"), ({"optimizer": "paged-adamw"}, "bitsandbytes")]
)
def test_a_missing_package_is_named_with_what_installs_it(changes: dict[str, Any], package: str) -> None:
    with pytest.raises(RecipeError, match=f"needs the package .*: pip install {package}"):
        refuse_what_cannot_run(Training(**changes), torch.device("cuda"))


@pytest.mark.skipif(torch.accelerator.is_available(), reason=needs.NO_ACCELERATOR)
def test_without_an_accelerator_torch_sees_none() -> None:
    with pytest.raises(SurveyError, match="sees no accelerator here: use --device cpu"):
        measure("lora", model="t5-small", device="cuda")


def test_memory_that_is_not_enough_is_a_result_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    (run,) = measure("full-tuning", model="llama-2-70b", device="cpu", length=8)
    assert run.allocated_bytes is None
    assert "out of memory: it needs" in (run.reason or "")

    def fail(device: torch.device, step: Any, live: Any) -> None:
        torch.empty(1 << 60)

    monkeypatch.setattr(on_device, "peak_of", fail)
    (run,) = measure("lora", model="t5-small", device="cpu", length=8)
    assert "out of memory on cpu: " in (run.reason or "")


def test_settings_and_devices_need_a_model() -> None:
    for asked in ({"setting": "trl"}, {"device": "cpu"}, {"attention": "sdpa"}):
        with pytest.raises(SurveyError, match="name a model with --model"):
            measure("lora", **asked)  # type: ignore[call-overload]


@pytest.mark.parametrize(("method", "checkpointing", "percent"), [("lora", "none", 67), ("lora", "full", 73)])
def test_lora_takes_two_thirds_of_the_compute_on_short_texts(method: str, checkpointing: Any, percent: int) -> None:
    """Forward, and gradients of activations but not of weights: 2 of 3; of blocks that are computed again 3 of 4, and the
    output layer is not."""
    (row,) = measure(method, model="llama-3.2-3b", length=32, checkpointing=checkpointing)
    assert row.compute_percent_of_full_tuning == pytest.approx(percent, abs=1)


def test_full_tuning_takes_all_of_its_own_compute_and_long_texts_raise_the_share(
    capsys: pytest.CaptureFixture[str],
) -> None:
    (full,) = measure("full-tuning", model="llama-3.2-3b", length=32)
    assert full.compute_percent_of_full_tuning == pytest.approx(100)
    short, long = (measure("lora", model="llama-3.2-3b", length=n)[0] for n in (32, 2048))
    assert (long.compute_percent_of_full_tuning or 0) > (short.compute_percent_of_full_tuning or 0) + 2
    assert main(["measure", "lora", "--model", "llama-3.2-3b", "--length", "2048"]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    share = f"{long.compute_percent_of_full_tuning:.0f} %"
    assert last == f"lora/qv-r8 takes {share} of full tuning's FLOPs in a training step at length 2,048 on llama-3.2-3b"
