"""What a process does with cells: it takes a device, and runs one after another, each alone."""

from __future__ import annotations

import atexit
import os
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import torch

from surveykit.bench.cells import BenchCell
from surveykit.bench.results import BenchResult
from surveykit.bench.running import Elsewhere, NotStarted, Outcome, Work
from surveykit.catalog.lock import alone_in
from surveykit.engine.bench.run import machine, run_cell, traced
from surveykit.engine.trace.on_device import device_of
from surveykit.errors import SurveyError

_TAKEN = ExitStack()
"""Holds the device that this process took, until it ends."""
atexit.register(_TAKEN.close)  # before the interpreter takes modules apart, which closing needs


def worker(work: Work) -> Callable[[BenchCell], Outcome]:
    """How a process works."""
    if work.threads is not None:
        torch.set_num_threads(work.threads)
    device = _taken(work.device)

    def one(cell: BenchCell) -> Outcome:
        with alone_in(work.results.folder, f".{cell.id}.lock", wait=False) as alone:
            if not alone:
                return Elsewhere()
            if (there := work.results.of(cell)) is not None:
                return there
            if not work.even_if_too_large and (reason := _too_large(cell, device)) is not None:
                return NotStarted(reason)
            result = run_cell(cell, work.data, device)
            work.results.write(result)
            return result

    return one


def failed(cell: BenchCell, reason: str, work: Work) -> BenchResult:
    """The result of a cell whose process could not write one."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return BenchResult(
        id=cell.id, plan=cell.plan, configuration=cell.configuration, model=cell.model.id,
        weights="random" if cell.model.weights is None else "not read", task=None if cell.task is None else cell.task.id,
        data=None, seed=cell.seed, rate=cell.rate, status="failed", reason=reason, started=now, ended=now, seconds=0.0,
        machine=machine(device_of(work.device)),
    )  # fmt: skip


def _taken(name: str) -> torch.device:
    """A device that no other process of ours has."""
    device = device_of(name)
    if device.type == "cpu" or ":" in name:
        return device
    folder = Path(tempfile.gettempdir()) / f"surveykit-devices-{os.getuid() if hasattr(os, 'getuid') else 0}"
    while True:
        for number, name in enumerate(_visible(torch.accelerator.device_count())):
            taken = _TAKEN.enter_context(alone_in(folder, f"{device.type}-{name}", wait=False))
            if taken:
                return torch.device(device.type, number)
        time.sleep(1)


def _visible(devices: int) -> list[str]:
    """What the machine calls the devices that this process sees: a cluster shows each process its own as the first one."""
    said = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    return said if len(said) == devices else [str(number) for number in range(devices)]


def _too_large(cell: BenchCell, device: torch.device) -> str | None:
    """Why a cell cannot fit its device, by what is predicted; None where it can, or nothing can be predicted."""
    try:
        needed = traced(cell, device).peak
    except SurveyError:
        return None  # running it tells why
    there = memory_of(device)
    if there is None or needed <= there:
        return None
    return f"it is predicted to need {needed / 1e9:.1f} GB, but the device has {there / 1e9:.1f} GB"


def accelerators() -> int:
    """Accelerators of this machine."""
    return max(1, torch.accelerator.device_count())


def processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def memory_of(device: torch.device) -> int | None:
    """Bytes of a device; None where the system does not say."""
    if device.type != "cpu":
        found: int = torch.get_device_module(device).get_device_properties(device).total_memory
        return found
    if not hasattr(os, "sysconf"):
        return None
    there: int = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return there
