"""The charts: each a function from rows to SVG in the light colours. Its marks are links to methods, with a text."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from types import MappingProxyType
from typing import Any

from surveykit.site.drawing.canvas import FAMILY_MARKS, Canvas, logarithmic
from surveykit.site.drawing.svg import colour
from surveykit.site.text import numbers
from surveykit.verify.predictions import Kind

OUTCOME_MARKS = MappingProxyType(
    {
        "match": ("o", "blue", "match"),
        "fits_another_setup": ("D", "orange", "differs, fits another setup"),
        "inconsistent": ("s", "purple", "does not match the count beside it"),
        "unresolved": ("^", "red", "differs, unresolved"),
        "unexplained": ("X", "grey", "differs, not explained"),
    }
)
KIND_MARKS: MappingProxyType[Kind, tuple[str, str]] = MappingProxyType(
    {
        "eager attention": ("o", "grey"),
        "fused attention": ("s", "blue"),
        "checkpointing": ("^", "green"),
        "few bits": ("D", "orange"),
        "several devices": ("P", "purple"),
        "held between steps": ("X", "sky"),
    }
)
"""Shape and colour of each kind of setting in which memory is predicted."""
_OVER_TWO_DECADES = (1, 2, 5, 10, 20, 50, 100, 200)
"""Gigabytes at which a wide axis has ticks that do not touch."""
_GIGABYTES = (1, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 25, 30, 40, 50, 60, 80, 100, 150, 200)


def claimed_against_measured(rows: Sequence[Any]) -> str:
    """Printed against measured millions: row_label, method, backbone_name, printed, measured, outcome."""
    canvas = Canvas(1, 1, (5.2, 5.6))
    (axes,) = canvas.panels
    every = [value for r in rows for value in (r.printed, r.measured)] or [0.1, 1000.0]
    low, high = min(every) / 1.7, max(every) * 2.2
    axes.plot([low, high], [low, high], color=colour("grey"), linewidth=1, zorder=1)
    for r in sorted(rows, key=lambda r: r.outcome != "match"):  # those that differ are drawn above the others
        shape, ink, word = OUTCOME_MARKS[r.outcome]
        text = f"{r.row_label} on {r.backbone_name}: {r.printed:g} M printed, {r.measured:g} M measured; {word}"
        canvas.mark(
            axes, r.measured, r.printed, (shape, ink), (f"methods/{r.method}.md", text), filled=r.outcome != "match"
        )
    logarithmic(axes, "xy", (low, high))
    axes.set_xlabel("measured, millions of trainable parameters")
    axes.set_ylabel("printed in Table 5, millions")
    axes.set_aspect("equal")
    there = {r.outcome for r in rows}
    canvas.legend([(s, ink, o != "match", word) for o, (s, ink, word) in OUTCOME_MARKS.items() if o in there], 1)
    canvas.settle()
    named = [
        (
            r.measured,
            r.printed,
            f"{r.row_label},{' ' if len(r.row_label) < 9 else chr(10)}{r.backbone_name.removeprefix('T5-')}",
        )
        for r in rows
        if r.outcome != "match"
    ]
    canvas.names(axes, named, [(r.measured, r.printed) for r in rows])
    return canvas.svg("claimed")


def predicted_against_printed(rows: Sequence[Any]) -> str:
    """Predicted against printed gigabytes: source, row_label, method, backbone_name, kind, held_out,
    printed, predicted, error."""
    canvas = Canvas(1, 1, (6.4, 6.6))
    (axes,) = canvas.panels
    every = [value for r in rows for value in (r.printed, r.predicted)] or [1.0, 100.0]
    low, high = min(every) / 1.3, max(every) * 1.4
    axes.plot([low, high], [low, high], color=colour("grey"), linewidth=1, zorder=1)
    for r in rows:
        text = (
            f"{r.source}, {r.row_label} on {r.backbone_name}: {r.printed:.2f} GB printed, {r.predicted:.2f} predicted"
        )
        place = (f"methods/{r.method}.md", f"{text} ({numbers.error(r.error)})")
        canvas.mark(axes, r.printed, r.predicted, KIND_MARKS[r.kind], place, filled=r.held_out)
    logarithmic(axes, "xy", (low, high), _OVER_TWO_DECADES)
    axes.set_xlabel("measured on GPUs, as printed, GB")
    axes.set_ylabel("predicted, GB")
    axes.set_aspect("equal")
    there = {r.kind for r in rows}
    canvas.legend([(*look, True, kind) for kind, look in KIND_MARKS.items() if kind in there], 2)
    canvas.settle()
    return canvas.svg("how-far-off")


def parameters_against_speed(rows: Sequence[Any]) -> str:
    """Throughput relative to full tuning against the share of trainable parameters: Table 5, as printed."""
    return _throughput(rows, "share", "trainable parameters, % of the backbone, as printed", "speed")


def memory_against_speed(rows: Sequence[Any]) -> str:
    """Throughput relative to full tuning against gigabytes: Table 5, as printed."""
    return _throughput(rows, "ram", "peak memory of training, GB, as printed", "memory")


def _throughput(rows: Sequence[Any], across: str, label: str, name: str) -> str:
    """One panel a backbone; training and inference of one row are joined by a line."""
    panels = by_backbone(rows)
    canvas = Canvas(len(panels), 1, (5.2, 3.3 * len(panels)))
    values = [getattr(r, across) for r in rows] or [100.0]
    for axes, (backbone, own) in zip(canvas.panels, panels, strict=True):
        axes.axhline(100, color=colour("grey"), linewidth=1, zorder=1)
        for r in own:
            x = getattr(r, across)
            axes.plot([x, x], [r.train, r.infer], color=colour("grid"), linewidth=1, zorder=1)
            for look, y, word in ((("o", "blue"), r.train, "training"), (("v", "orange"), r.infer, "inference")):
                text = f"{r.row_label} on {backbone}: {word} at {y:g} % of full tuning; {r.share:g} % trainable, {r.ram:g} GB"
                canvas.mark(axes, x, y, look, (f"methods/{r.method}.md", text), filled=word == "training")
        axes.set_ylim(0, max((max(r.train, r.infer) for r in own), default=100) * 1.18)
        if across == "share":
            logarithmic(axes, "x", (min(values) / 2, max(values) * 2))
        else:
            held = [r.ram for r in own] or [100.0]
            logarithmic(axes, "x", (min(held) / 1.1, max(held) * 1.25), _GIGABYTES)
        axes.set_title(backbone, loc="left", fontsize=12, color=colour("text"))
        axes.set_ylabel("full tuning = 100")
    canvas.panels[-1].set_xlabel(label)
    canvas.legend([("o", "blue", True, "training"), ("v", "orange", False, "inference")], 2)
    canvas.settle()
    for axes, (_, own) in zip(canvas.panels, panels, strict=True):
        ranked = sorted((r for r in own if r.method != "full-tuning"), key=lambda r: r.train)
        told = [*ranked[:2], *ranked[-3:]] if len(ranked) > 5 else ranked
        marks = [(getattr(r, across), y) for r in own for y in (r.train, r.infer)]
        canvas.names(axes, [(getattr(r, across), r.train, r.row_label) for r in told], marks)
    return canvas.svg(name)


def score_against_share(rows: Sequence[Any]) -> str:
    """Mean score against the measured share of trainable parameters, one panel a backbone."""
    panels = by_backbone(rows)
    canvas = Canvas(len(panels), 1, (5.2, 3.4 * len(panels)))
    shares = [r.share for r in rows] or [100.0]
    for axes, (backbone, own) in zip(canvas.panels, panels, strict=True):
        for r in own:
            text = f"{r.printed_name} on {backbone}: mean score {r.score:.2f}, {numbers.percent(r.share)} % trainable"
            text += f"; doubtful: {r.caveat}" if r.caveat else ""
            place = (f"methods/{r.method}.md", text)
            canvas.mark(axes, r.share, r.score, FAMILY_MARKS[r.family], place, filled=not r.caveat)
        logarithmic(axes, "x", (min(shares) / 2, max(shares) * 3))
        axes.margins(y=0.12)
        axes.set_title(backbone, loc="left", fontsize=12, color=colour("text"))
        axes.set_ylabel("mean score")
    canvas.panels[-1].set_xlabel("trainable parameters, % of the backbone, measured")
    canvas.families(r.family for r in rows)
    canvas.settle()
    for axes, (_, own) in zip(canvas.panels, panels, strict=True):
        ranked = sorted(own, key=lambda r: -r.score)
        canvas.names(axes, [(r.share, r.score, r.printed_name) for r in ranked], [(r.share, r.score) for r in own])
    return canvas.svg("score")


def bench_against_memory(rows: Sequence[Any], name: str) -> str:
    """What the bench measured against peak memory, with intervals, one panel a model and task: scores, or tokens a second
    where there are none. Rows, at least one: group, label, method, family, megabytes, value, low, high, chance, unit."""
    panels = by_group(rows)
    canvas = Canvas(len(panels), 1, (6.2, 3.6 * len(panels)))
    unit, size = ("GB", 1000) if max(r.megabytes for r in rows) >= 1000 else ("MB", 1)
    for axes, (group, own) in zip(canvas.panels, panels, strict=True):
        for r in own:
            memory = r.megabytes / size
            axes.plot([memory] * 2, [r.low, r.high], color=colour("grey"), linewidth=1, zorder=2)
            text = (
                f"{r.label} on {group}: {r.value:,.4g} ({r.low:,.4g} to {r.high:,.4g}) {r.unit}; {memory:,.4g} {unit}"
            )
            canvas.mark(axes, memory, r.value, FAMILY_MARKS[r.family], (f"methods/{r.method}.md", text))
        for chance in {r.chance for r in own if r.chance is not None}:
            axes.axhline(chance, color=colour("red"), linewidth=1, linestyle="--", zorder=1)
        axes.margins(x=0.12, y=0.12)
        axes.set_title(group, loc="left", fontsize=12, color=colour("text"))
        axes.set_ylabel(own[0].unit)
    canvas.panels[-1].set_xlabel(f"peak memory of training, {unit}, measured here")
    canvas.families(r.family for r in rows)
    canvas.settle()
    for axes, (_, own) in zip(canvas.panels, panels, strict=True):
        marks = [(r.megabytes / size, r.value) for r in own]
        named = sorted(own, key=lambda r: -r.value)
        canvas.names(axes, [(r.megabytes / size, r.value, r.label) for r in named], marks)
    return canvas.svg(name)


def seeds(rows: Sequence[Any], dataset: str, name: str) -> str:
    """Scores of one dataset in Appendix B: a line for each method, a mark for each printed row, a bar at their mean."""
    panels = by_backbone(rows)
    methods = sorted({r.printed_name for r in rows}, key=lambda n: (n.lower(), n), reverse=True)
    width = 2.6 + 2.2 * len(panels)
    canvas = Canvas(1, len(panels), (width, 1.3 + 0.27 * len(methods)), sharey=True, sharex=True)
    for axes, (backbone, own) in zip(canvas.panels, panels, strict=True):
        for y, method in enumerate(methods):
            scores = [r for r in own if r.printed_name == method]
            for r in scores:
                seed = "no seed printed" if r.seed is None else f"seed {r.seed}"
                text = f"{method} on {backbone}, {dataset}: {r.score:g}, {seed}"
                canvas.mark(axes, r.score, y, ("o", "blue"), (f"methods/{r.method}.md", text), filled=False, size=6)
            if len(scores) > 1:
                mean = sum(r.score for r in scores) / len(scores)
                axes.plot([mean], [y], marker="|", markersize=13, markeredgewidth=2, color=colour("red"), zorder=4)
        axes.set_title(backbone, loc="left", fontsize=11, color=colour("text"))
        axes.set_ylim(-0.7, len(methods) - 0.3)
        axes.tick_params(labelsize=9)
    canvas.panels[0].set_yticks(range(len(methods)), methods)
    canvas.panels[len(panels) // 2].set_xlabel(f"{dataset}: score of each printed row")
    canvas.legend([("o", "blue", False, "one printed row"), ("|", "red", True, "their mean")], 2)
    canvas.settle()
    return canvas.svg(name)


def by_backbone(rows: Sequence[Any]) -> list[tuple[str, list[Any]]]:
    """Rows by backbone, smallest first, as they come; one empty panel for no rows."""
    return [(name, list(own)) for name, own in groupby(rows, key=lambda r: r.backbone_name)] or [
        ("nothing printed", [])
    ]


def by_group(rows: Sequence[Any]) -> list[tuple[str, list[Any]]]:
    """Rows by model and task, as they come."""
    return [(group, list(own)) for group, own in groupby(rows, key=lambda r: r.group)]
