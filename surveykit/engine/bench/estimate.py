"""What a plan will take, before it runs: memory by prediction, time by what is done or else by the device's arithmetic."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import torch

from surveykit.bench.cells import BenchCell
from surveykit.bench.results import BenchResult
from surveykit.engine.bench.run import traced
from surveykit.engine.bench.work import memory_of
from surveykit.engine.trace.on_device import device_of
from surveykit.errors import SurveyError

_STARTS = 3.0
"""Seconds of a cell beside its steps: building, loading, scoring."""
Kind = tuple[str, str, str | None, tuple[int, int, int, int]]
_SHARE = 0.5
"""Of the speed of one large product that whole steps reach, roughly."""


@dataclass(frozen=True)
class Estimate:
    """Of the cells that are left."""

    cells: int
    seconds: float | None
    """Of all of them, one after another; None where nothing can be predicted."""
    by: str
    """What the time is judged by."""
    largest_bytes: int | None
    largest: str | None
    """The cell that needs most memory."""
    memory_bytes: int | None
    """Of the device."""
    too_large: int
    """Cells that need more than it has."""


def estimate(
    cells: Sequence[BenchCell], done: Mapping[str, BenchResult], every: Iterable[BenchCell], device: str
) -> Estimate:
    """What cells will take.

    Args:
        cells: those that are left.
        done: results by id.
        every: the plan's cells, which `done` is of.
    """
    where = device_of(device)
    kind = {cell.id: _kind(cell) for cell in every}
    known: dict[Kind, list[float]] = {}
    for identity, result in done.items():
        if identity in kind and result.status == "finished":
            known.setdefault(kind[identity], []).append(result.seconds)
    there = memory_of(where)
    peaks: dict[str, tuple[int, str]] = {}
    seconds, judged, flops_a_second = 0.0, "cells that are done", None
    counted = True
    for cell in cells:
        found = None
        try:
            found = traced(cell, where)
        except SurveyError:
            counted = counted and _kind(cell) in known
        if found is not None:
            peaks[cell.id] = (found.peak, cell.words)
        if _kind(cell) in known:
            seconds += median(known[_kind(cell)])
        elif found is not None:
            judged = "the products that its steps compute, and how quickly this device computes one"
            flops_a_second = flops_a_second or _SHARE * _speed(where)
            seconds += _STARTS + cell.steps * len(cell.recipe.stages) * found.flops / flops_a_second
    most = max(peaks.values(), default=(None, None))
    return Estimate(
        cells=len(cells), seconds=seconds if counted and cells else None, by=judged, largest_bytes=most[0], largest=most[1],
        memory_bytes=there, too_large=sum(there is not None and peak > there for peak, _ in peaks.values()),
    )  # fmt: skip


def _kind(cell: BenchCell) -> Kind:
    """What decides how long a cell takes."""
    task = None if cell.task is None else cell.task.id
    many = cell.steps, cell.batch, cell.length, cell.training.accumulation
    return cell.model.id, cell.configuration, task, many


def _speed(device: torch.device) -> float:
    """Floating-point operations a second of one product of matrices."""
    side = 1024
    first = torch.rand(side, side, device=device)
    first @ first
    began, times = time.perf_counter(), 0
    while time.perf_counter() - began < 0.1:
        product = first @ first
        float(product[0, 0])
        times += 1
    return times * 2 * side**3 / (time.perf_counter() - began)
