"""Memory on an accelerator, beside what is predicted: all that differs is what its libraries of kernels take."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import needs
import pytest
import torch

import surveykit
from surveykit.bench.results import read_result

CATALOG = Path(__file__).parent.parent / "catalog"
MODEL = "llama-3.2-1b"
LIBRARIES = 96 << 20
"""Bytes that libraries of kernels may hold for themselves: 64 MiB on an H200."""
USUAL: dict[str, Any] = {
    "dtype": "bfloat16",
    "adapter_dtype": "float32",
    "attention": "sdpa",
    "optimizer": "adamw-fused",
}
SETTINGS: dict[str, dict[str, Any]] = {
    "usual": {},
    "eager": {"attention": "eager"},
    "padding": {"padding": True},
    "checkpointing": {"checkpointing": "full"},
    "autocast": {"dtype": "float32", "autocast": True},
    "accumulation": {"accumulation": 4},
    "float32": {"dtype": "float32"},
    "adamw-foreach": {"optimizer": "adamw-foreach"},
    "adamw-8bit": {"optimizer": "adamw-8bit"},
    "paged-adamw": {"optimizer": "paged-adamw"},
    "paged-adamw-8bit": {"optimizer": "paged-adamw-8bit"},
    "lion": {"optimizer": "lion"},
}
BITSANDBYTES = ("adamw-8bit", "paged-adamw", "paged-adamw-8bit", "lion")

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason=needs.GPU)


def agree(predicted: int | None, held: int | None) -> None:
    assert predicted is not None
    assert held is not None
    assert predicted * 0.995 <= held <= predicted * 1.005 + LIBRARIES


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("method", ["lora/all-linear-r8", "full-tuning/all"])
def test_a_step_takes_what_is_predicted(name: str, method: str) -> None:
    if name in BITSANDBYTES and find_spec("bitsandbytes") is None:
        pytest.skip(needs.BITSANDBYTES)
    how = USUAL | SETTINGS[name]
    (run,) = surveykit.measure(
        [method], model=MODEL, device="cuda", batch=4, length=512, catalog=CATALOG,
        **{field: value for field, value in how.items() if how["dtype"] == "bfloat16" or field != "adapter_dtype"},
    )  # fmt: skip
    assert run.reason is None
    agree(run.predicted_bytes, run.allocated_bytes)
    assert run.reserved_bytes is not None
    assert run.reserved_bytes >= run.allocated_bytes


@pytest.mark.parametrize("method", ["lora/qv-r8", "pissa/qv-r8", "full-tuning/all"])
def test_a_cell_of_the_bench_takes_what_is_predicted(tmp_path: Path, method: str) -> None:
    """Beside the model it holds nothing on the device: neither pretrained values nor what a start replaced."""
    done = surveykit.bench(
        "llms", device="cuda", executor="here", only=[method], models=[MODEL], results=tmp_path, catalog=CATALOG
    )
    (file,) = tmp_path.glob("llms/*/*.json")
    result = read_result(file)
    assert done.new == 1
    assert result is not None
    assert result.memory is not None
    agree(result.memory.predicted, result.memory.peak)
