"""How far predicted memory is from what published runs measured: by kind of setting, run by run, and where it is worst."""

from __future__ import annotations

from statistics import median
from typing import Any

from markupsafe import Markup

from surveykit.database.reading import AnswerRow, Reader
from surveykit.site.data.device_settings import DeviceSettings
from surveykit.site.data.memory_error import MemoryErrors, ModuleRun
from surveykit.site.pages.bench import path_of as plan_page
from surveykit.site.pages.configurations import place
from surveykit.site.pages.sources import path_of
from surveykit.site.text import numbers
from surveykit.site.text.markdown import Cell, escape, joined, link, table
from surveykit.verify.predictions import KINDS, SEED

HOW_FAR_OFF = "how-far-off.md"
WORST_FROM = 5
"""Errors from so many percent on are listed as the worst."""


UNTRACED = {"NVIDIA H200": 64 << 20}
"""Bytes that a step holds beside its tensors, by device, as far as we know: seen in every run there."""


def how_far_off_context(
    reader: Reader, written: MemoryErrors | None, device: DeviceSettings | None = None
) -> dict[str, Any]:
    """What the page shows.

    Args:
        written, device: what benchmarks/memory_error.json and device_settings.json hold; the page leaves out the part of one
            that there is not.
    """
    runs = reader.all(_RUNS)
    worst = sorted((r for r in runs if abs(r.error_percent) >= WORST_FROM), key=lambda r: -abs(r.error_percent))
    words = dict(KINDS)
    kinds: list[list[Cell]] = [
        [escape(e.kind), e.split, str(e.runs), _sources(e.sources.split(",")), f"{e.median_percent:.1f} %",
         f"{e.worst_percent:.1f} %", f"{numbers.error(e.low_percent)} to {numbers.error(e.high_percent)}"]
        for kind in words
        for e in reader.of("kind", kind, "SELECT * FROM memory_error ORDER BY kind, split")
    ]  # fmt: skip
    heads = ["Source and row", "Model", "Setting", "Measured", "Predicted", "Error"]
    held = [r for r in runs if r.split == "held out"]
    return {
        "count": len(runs),
        "held": len(held),
        "seed": SEED,
        "kinds": table(["Kind of setting", "Runs are", "Number", "Sources", "Median", "Worst", "Measured above predicted"],
                       kinds, "llrlrrr"),
        "meanings": [(kind, says) for kind, says in KINDS],
        "worst": table([*heads, "Why"], [[*_run(r), r.remark or "not known"] for r in worst], "lllrrrl"),
        "worst_from": WORST_FROM,
        "runs": table(heads, map(_run, runs), "lllrrr"),
        "groups": table(["Source", "Model", "Runs are", "Number"], map(_group, reader.all(_GROUPS)), "lllr"),
        "share": _share(reader),
        "written": written,
        "modules": table(["Experiment", "Measured", "Predicted", "Error"], map(_module, written.modules), "lrrr")
        if written else Markup(),
        "table5": table(["Model", "Rows", "Median, if its GB are 10⁹ bytes", "Median, if they are 2³⁰ bytes"],
                        map(_size, reader.all(_TABLE5)), "lrrr"),
    } | _on_device(reader, device)  # fmt: skip


def _on_device(reader: Reader, written: DeviceSettings | None) -> dict[str, Any]:
    """Steps that ran on an accelerator for this comparison, and cells of the bench on such devices."""
    cells = reader.all(_CELLS)
    runs = () if written is None else written.runs
    if not cells and not runs:
        return {"device": None}
    device = "" if written is None else written.device
    found = [(device, r.predicted, r.allocated) for r in runs]
    found += [(c.device, c.predicted_bytes, c.peak_bytes) for c in cells]
    off = [abs(100 * (predicted / held - 1)) for _, predicted, held in found]
    without = [abs(100 * (predicted / (held - UNTRACED.get(name, 0)) - 1)) for name, predicted, held in found]
    names = sorted({c.device for c in cells} | ({written.device} if written is not None else set()))
    rows: list[list[Cell]] = [
        [r.model, r.setting, link(r.configuration, place(r.configuration), HOW_FAR_OFF), f"{r.batch} × {r.length}",
         _gigabytes(r.allocated / 1e9), _gigabytes(r.predicted / 1e9), numbers.error(r.error_percent)]
        for r in runs
    ]  # fmt: skip
    return {
        "device": {
            "names": ", ".join(names), "steps": len(runs), "cells": len(cells), "settings": len({r.setting for r in runs}),
            "usual": written and written.usual,
            "torch": written and written.torch, "off": _spread(off), "without": _spread(without),
            "plans": joined(
                link(plan, plan_page(plan), HOW_FAR_OFF) for plan in dict.fromkeys(cell.plan for cell in cells)
            ),
            "runs": table(["Model", "Setting", "Configuration", "Text", "Held", "Predicted", "Error"], rows, "lllrrrr"),
        },
    }  # fmt: skip


def _spread(errors: list[float]) -> str:
    return f"median {median(errors):.2f} %, at most {max(errors):.1f} %"


def _run(run: AnswerRow) -> list[Cell]:
    what = f"{run.row_label}{', held between steps' if run.kind == 'held between steps' else ''}"
    return [
        joined([link(run.source, path_of(run.source), HOW_FAR_OFF), escape(what)], ": "), run.backbone_name,
        escape(f"{run.kind}: {run.setting}, {run.batch} × {run.length}"), _gigabytes(run.printed_gb),
        _gigabytes(run.predicted_gb), numbers.error(run.error_percent),
    ]  # fmt: skip


def _module(run: ModuleRun) -> list[Cell]:
    if run.predicted is None:
        return [run.row, _gigabytes(run.printed / 1e9), numbers.ABSENT, escape(run.reason or "")]
    return [run.row, _gigabytes(run.printed / 1e9), _gigabytes(run.predicted / 1e9), numbers.error(run.error_percent)]


def _gigabytes(amount: float) -> str:
    return f"{amount:.2f} GB"


def _group(group: AnswerRow) -> list[Cell]:
    return [
        link(group.source, path_of(group.source), HOW_FAR_OFF),
        group.name,
        group.split,
        numbers.count(group.runs),
    ]


def _size(size: AnswerRow) -> list[Cell]:
    return [size.name, numbers.count(size.rows), f"{size.gb:.1f} %", f"{size.gib:.1f} %"]


def _sources(keys: list[str]) -> Markup:
    return joined(link(key, path_of(key), HOW_FAR_OFF) for key in keys)


def _share(reader: Reader) -> Markup:
    found = [row.allocator_share for row in reader.all("SELECT DISTINCT allocator_share FROM memory_error")]
    if not found or found[0] is None:
        return Markup()
    return escape(f"{100 * found[0]:.0f} %")


_RUNS = """
SELECT p.*, b.name AS backbone_name, predicted_bytes / 1e9 AS predicted_gb,
    predicted_bytes / 1e9 / (1 + error_percent / 100) AS printed_gb
FROM memory_prediction p JOIN backbone b ON b.id = p.backbone
ORDER BY p.source, p.table_name, p.position, p.column_name
"""
_CELLS = """
SELECT plan, device, peak_bytes, predicted_bytes FROM bench_run
WHERE device <> 'cpu' AND NOT is_stale AND peak_bytes IS NOT NULL AND predicted_bytes IS NOT NULL ORDER BY plan
"""
_GROUPS = """
SELECT p.source, b.name, p.split, count(*) AS runs FROM memory_prediction p JOIN backbone b ON b.id = p.backbone
GROUP BY ALL ORDER BY p.source, b.name
"""
_TABLE5 = """
SELECT b.name, count(*) AS rows, median(abs(error_percent)) AS gb,
    median(abs(100 * (predicted_bytes / 1073741824 / printed - 1))) AS gib
FROM memory_prediction p JOIN backbone b ON b.id = p.backbone
WHERE p.source = 'lialin2023scaling' GROUP BY b.name, b.parameters ORDER BY b.parameters
"""
