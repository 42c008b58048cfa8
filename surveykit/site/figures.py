"""Figures as SVG: equal bytes for equal data, in a light and a dark variant. matplotlib is loaded when one is drawn."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from functools import lru_cache, wraps
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Annotation

Figures = tuple[tuple[str, str, str, float, float, str], ...]
"""Row, method, backbone, printed millions, measured millions, outcome."""
Speeds = tuple[tuple[str, str, float, float, float], ...]
"""Backbone, row, printed percentage, throughput in training, throughput in inference."""

Data = TypeVar("Data")

# Okabe and Ito's palette, which colour-blind readers can tell apart.
_SCHEMES = MappingProxyType(
    {
        "light": {"text": "#212121", "grid": "#d5d5d5", "blue": "#0072B2", "orange": "#C77F00", "purple": "#A8538A",
                  "red": "#C44E00", "grey": "#777777"},
        "dark": {"text": "#e6e6e6", "grid": "#484b57", "blue": "#56B4E9", "orange": "#F0B429", "purple": "#DE9BC1",
                 "red": "#FF8A4C", "grey": "#a0a0a0"},
    }
)  # fmt: skip
_MARKS = MappingProxyType(
    {
        "match": ("o", "blue", "match"),
        "reproduced": ("D", "orange", "differs, reproduced by another configuration"),
        "inconsistent": ("s", "purple", "contradicts a figure beside it"),
        "unresolved": ("^", "red", "differs, unresolved"),
        "unexplained": ("X", "grey", "differs, not explained"),
    }
)
# Text is drawn as outlines, so that it does not depend on the reader's fonts.
_STYLE: dict[Any, Any] = {
    "svg.hashsalt": "surveykit", "svg.fonttype": "path", "font.size": 11, "font.family": "DejaVu Sans",
    "text.parse_math": False,
}  # fmt: skip
_OFFSETS = ((8, 3), (-8, 3), (8, -11), (-8, -11), (0, 9), (0, -16), (12, 12), (-12, 12), (12, -20), (-12, -20),
            (16, 22), (-16, 22), (16, -30), (-16, -30), (20, 34), (20, -42))  # fmt: skip


def _styled(draw: Callable[[Data, str], bytes]) -> Callable[[Data, str], bytes]:
    """Draw in our style, whatever the user's own settings are, and only once for the same data."""

    @lru_cache(maxsize=8)
    @wraps(draw)
    def drawn(data: Data, scheme: str) -> bytes:
        import matplotlib

        with matplotlib.rc_context():
            matplotlib.rcdefaults()
            matplotlib.rcParams.update(_STYLE)
            return draw(data, scheme)

    return drawn


@_styled
def claimed_against_measured(figures: Figures, scheme: str) -> bytes:
    """Printed against measured millions on logarithmic axes; those that differ are named."""
    colours = _SCHEMES[scheme]
    figure, (axes,) = _start(1, (5.2, 5.6), colours)
    low = min((min(printed, measured) for *_, printed, measured, _ in figures), default=0.1) / 1.7
    high = max((max(printed, measured) for *_, printed, measured, _ in figures), default=1000.0) * 2.2
    axes.plot([low, high], [low, high], color=colours["grey"], linewidth=1, zorder=1)
    for outcome, (shape, colour, label) in _MARKS.items():
        chosen = [(measured, printed) for *_, printed, measured, found in figures if found == outcome]
        if chosen:
            filled = outcome != "match"
            axes.scatter(
                [x for x, _ in chosen], [y for _, y in chosen], marker=shape, s=46, linewidths=1.4, edgecolors=colours[colour],
                facecolors=colours[colour] if filled else "none", label=label, zorder=3 if filled else 2,
            )  # fmt: skip
    _logarithmic(axes, "xy", (low, high))
    axes.set_xlabel("measured, millions of trainable parameters")
    axes.set_ylabel("printed in Table 5, millions")
    axes.set_aspect("equal")
    differing = [
        (measured, printed, f"{row},{' ' if len(row) < 9 else chr(10)}{backbone.removeprefix('T5-')}")
        for row, _, backbone, printed, measured, outcome in figures
        if outcome != "match"
    ]
    others = [(measured, printed) for *_, printed, measured, _ in figures]
    _legend(figure, axes, colours, columns=1)
    figure.canvas.draw()
    _name(axes, differing, others, colours["text"])
    return _svg(figure)


@_styled
def parameters_against_speed(speeds: Speeds, scheme: str) -> bytes:
    """Throughput relative to full tuning against the share of trainable parameters, one panel for each backbone."""
    colours = _SCHEMES[scheme]
    backbones = list(dict.fromkeys(backbone for backbone, *_ in speeds)) or ["nothing printed"]
    figure, panels = _start(len(backbones), (5.2, 3.3 * len(backbones)), colours)
    shares = [share for _, _, share, _, _ in speeds] or [100.0]
    for axes, backbone in zip(panels, backbones, strict=True):
        own = [(row, share, train, infer) for name, row, share, train, infer in speeds if name == backbone]
        axes.axhline(100, color=colours["grey"], linewidth=1, zorder=1)
        for _, share, train, infer in own:
            axes.plot([share, share], [train, infer], color=colours["grid"], linewidth=1, zorder=1)
        x = [share for _, share, _, _ in own]
        axes.scatter(
            x, [train for *_, train, _ in own], marker="o", s=40, color=colours["blue"], label="training", zorder=3
        )
        axes.scatter(
            x, [infer for *_, infer in own], marker="v", s=40, linewidths=1.4, facecolors="none",
            edgecolors=colours["orange"], label="inference", zorder=3,
        )  # fmt: skip
        axes.set_ylim(0, max((max(train, infer) for *_, train, infer in own), default=100) * 1.18)
        _logarithmic(axes, "x", (min(shares) / 2, max(shares) * 2))
        axes.set_title(backbone, loc="left", fontsize=12, color=colours["text"])
        axes.set_ylabel("full tuning = 100")
    panels[-1].set_xlabel("trainable parameters, % of the backbone, as printed")
    _legend(figure, panels[0], colours, columns=2)
    figure.canvas.draw()
    for axes, backbone in zip(panels, backbones, strict=True):
        own = [(row, share, train, infer) for name, row, share, train, infer in speeds if name == backbone]
        marks = [(share, y) for _, share, train, infer in own for y in (train, infer)]
        ranked = sorted((entry for entry in own if entry[1] < 100), key=lambda entry: entry[2])
        named = [*ranked[:1], *ranked[-2:]] if len(ranked) > 3 else ranked
        _name(axes, [(share, train, row) for row, share, train, _ in named], marks, colours["text"])
    return _svg(figure)


def _start(panels: int, size: tuple[float, float], colours: dict[str, str]) -> tuple[Figure, Sequence[Axes]]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, dpi=72, layout="constrained")  # as many dots as points, as in SVG
    FigureCanvasAgg(figure)
    found = [figure.add_subplot(panels, 1, i + 1) for i in range(panels)]
    for axes in found:
        axes.set_facecolor("none")
        axes.grid(color=colours["grid"], linewidth=0.6)
        axes.set_axisbelow(True)
        axes.tick_params(colors=colours["text"], which="both", length=3)
        axes.xaxis.label.set_color(colours["text"])
        axes.yaxis.label.set_color(colours["text"])
        for side, spine in axes.spines.items():
            spine.set_color(colours["grey"])
            spine.set_visible(side in ("left", "bottom"))
    return figure, found


def _logarithmic(axes: Axes, which: str, limits: tuple[float, float]) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    for name in which:
        axis = axes.xaxis if name == "x" else axes.yaxis
        (axes.set_xscale if name == "x" else axes.set_yscale)("log")
        (axes.set_xlim if name == "x" else axes.set_ylim)(*limits)
        axis.set_major_locator(LogLocator(10))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))


def _legend(figure: Figure, axes: Axes, colours: dict[str, str], columns: int) -> None:
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        figure.legend(
            handles, labels, loc="outside upper left", ncols=columns, frameon=False, labelcolor=colours["text"],
            handletextpad=0.4, columnspacing=1.2, borderaxespad=0.2,
        )  # fmt: skip


def _name(axes: Axes, named: list[tuple[float, float, str]], marks: list[tuple[float, float]], colour: str) -> None:
    """Write names beside marks, each at the first place where it covers neither a mark nor another name."""
    from matplotlib.transforms import Bbox

    renderer = axes.get_figure(root=True).canvas.get_renderer()  # type: ignore[union-attr]
    points = axes.transData.transform(marks)
    taken = [Bbox.from_bounds(x - 5, y - 5, 10, 10) for x, y in points]
    for x, y, text in named:
        best: tuple[float, Annotation, Any] | None = None
        for dx, dy in _OFFSETS:
            side = "left" if dx > 0 else "right" if dx < 0 else "center"
            note = axes.annotate(
                text, (x, y), xytext=(dx, dy), textcoords="offset points", ha=side, fontsize=10, color=colour, zorder=4,
            )  # fmt: skip
            box = note.get_window_extent(renderer)
            inside = axes.bbox.contains(box.x0, box.y0) and axes.bbox.contains(box.x1, box.y1)
            cost = sum(1.0 for other in taken if box.overlaps(other)) + (0 if inside else 5)
            if best is not None and cost >= best[0]:
                note.remove()
                continue
            if best is not None:
                best[1].remove()
            best = (cost, note, box)
            if cost == 0:
                break
        assert best is not None
        taken.append(best[2])


def _svg(figure: Figure) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return file.getvalue()
