"""What the charts draw on: matplotlib in our style, marks that are links with a text, and names that cover no mark."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from surveykit.site.drawing.svg import colour, from_matplotlib
from surveykit.site.text.words import FAMILIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Annotation

Drawn = TypeVar("Drawn", str, bytes)

# Text stays text: it can be searched and copied, and a chart takes a third of the bytes that outlines would.
_STYLE: dict[Any, Any] = {
    "svg.hashsalt": "surveykit", "svg.fonttype": "none", "font.size": 11, "font.family": "DejaVu Sans",
    "text.parse_math": False,
}  # fmt: skip
_OFFSETS = ((8, 3), (-8, 3), (8, -11), (-8, -11), (0, 9), (0, -16), (12, 12), (-12, 12), (12, -20), (-12, -20),
            (16, 22), (-16, 22), (16, -30), (-16, -30))  # fmt: skip
_MOST_NAMES = 40
FAMILY_MARKS = MappingProxyType(
    {
        "adapter": ("o", "orange"),
        "soft_prompt": ("s", "purple"),
        "other_additive": ("P", "sky"),
        "selective": ("D", "red"),
        "reparametrization": ("^", "blue"),
        "hybrid": ("X", "green"),
        "baseline": ("*", "grey"),
    }
)
"""Shape and colour of each family's marks."""


def family_word(family: str) -> str:
    """A family's name as a legend has it, where what it is a family of goes without saying."""
    return FAMILIES[family].removesuffix(" methods").removesuffix("-based")


class Canvas:
    """A figure with panels, and the links of its marks."""

    def __init__(self, rows: int, columns: int, size: tuple[float, float], **together: Any) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        # As many dots as points, as in SVG.
        self.figure: Figure = Figure(figsize=size, dpi=72, layout="constrained")
        FigureCanvasAgg(self.figure)
        self.figure.patch.set_visible(False)
        self.panels: list[Axes] = list(self.figure.subplots(rows, columns, squeeze=False, **together).flat)
        self.points: list[tuple[str, str]] = []
        for axes in self.panels:
            _frame(axes)

    def mark(
        self, axes: Axes, x: float, y: float, look: tuple[str, str], link: tuple[str, str], **options: Any
    ) -> None:
        """One mark: its shape and colour, and the address and text of its link. `filled=False` leaves it open."""
        shape, ink = look
        filled = options.pop("filled", True)
        (drawn,) = axes.plot(
            [x], [y], marker=shape, linestyle="none", markersize=options.pop("size", 7), markeredgewidth=1.4,
            markeredgecolor=colour(ink), markerfacecolor=colour(ink) if filled else "none", zorder=3, clip_on=False,
            **options,
        )  # fmt: skip
        drawn.set_url(f"point:{len(self.points)}")
        self.points.append(link)

    def legend(self, entries: Sequence[tuple[str, str, bool, str]], columns: int) -> None:
        """Shape, colour, whether filled, and word of each."""
        from matplotlib.lines import Line2D

        handles = [
            Line2D([], [], marker=shape, linestyle="none", markersize=7, markeredgewidth=1.4, label=word,
                   markeredgecolor=colour(ink), markerfacecolor=colour(ink) if filled else "none")
            for shape, ink, filled, word in entries
        ]  # fmt: skip
        if handles:
            self.figure.legend(
                handles=handles, loc="outside upper left", ncols=columns, frameon=False, labelcolor=colour("text"),
                handletextpad=0.4, columnspacing=1.2, borderaxespad=0.2, fontsize=10,
            )  # fmt: skip

    def families(self, families: Iterable[str]) -> None:
        """The legend of these families."""
        there = set(families)
        self.legend([(*look, True, family_word(name)) for name, look in FAMILY_MARKS.items() if name in there], 2)

    def names(
        self, axes: Axes, named: Sequence[tuple[float, float, str]], marks: Sequence[tuple[float, float]]
    ) -> None:
        """Write names beside marks, each at the first place where it covers neither a mark nor another name.

        Where there are very many marks only the first of them are named: the others have their text on hovering.
        """
        from matplotlib.text import Text
        from matplotlib.transforms import Bbox

        if not named:
            return
        renderer = self.figure.canvas.get_renderer()  # type: ignore[attr-defined]
        points = axes.transData.transform(list(marks))
        taken = [Bbox.from_bounds(x - 5, y - 5, 10, 10) for x, y in points]
        for x, y, text in list(named)[:_MOST_NAMES]:
            best: tuple[float, Annotation, Any] | None = None
            for dx, dy in _OFFSETS:
                side = "left" if dx > 0 else "right" if dx < 0 else "center"
                note = axes.annotate(
                    text, (x, y), xytext=(dx, dy), textcoords="offset points", ha=side, fontsize=10,
                    color=colour("text"), zorder=4,
                    arrowprops={"arrowstyle": "-", "color": colour("grey"), "linewidth": 0.6} if abs(dx) > 9 else None,
                )  # fmt: skip
                note.update_positions(renderer)
                box = Text.get_window_extent(note, renderer)  # without the line that leads to a far one
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
            if best[0] >= 1:
                best[1].remove()  # better no name than one that covers something
            else:
                taken.append(best[2])

    def settle(self) -> None:
        """Lay the figure out, once: names are placed on the layout, and drawing does not repeat it."""
        layout = self.figure.get_layout_engine()
        assert layout is not None
        layout.execute(self.figure)
        for axes in self.panels:
            axes.apply_aspect()
        self.figure.set_layout_engine("none")

    def svg(self, name: str) -> str:
        """The drawing, which needs `settle` before; the canvas itself is asked, as `savefig` would draw twice."""
        from matplotlib.backends.backend_svg import FigureCanvasSVG

        file = io.StringIO()
        canvas: Any = FigureCanvasSVG(self.figure)
        canvas.print_svg(file, metadata={"Date": None, "Creator": None})
        return from_matplotlib(file.getvalue(), name, self.points)


def in_our_style(draw: Callable[[], Drawn]) -> Drawn:
    """Draw in our style, whatever the user's own settings are."""
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)
        return draw()


def logarithmic(axes: Axes, which: str, limits: tuple[float, float], ticks: Sequence[float] = ()) -> None:
    """A logarithmic scale with plain numbers at powers of ten, or at these ticks as far as they lie within."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator

    for name in which:
        axis = axes.xaxis if name == "x" else axes.yaxis
        (axes.set_xscale if name == "x" else axes.set_yscale)("log")
        (axes.set_xlim if name == "x" else axes.set_ylim)(*limits)
        axis.set_major_locator(
            FixedLocator([t for t in ticks if limits[0] <= t <= limits[1]]) if ticks else LogLocator(10)
        )
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))


def _frame(axes: Axes) -> None:
    axes.set_facecolor("none")
    axes.grid(color=colour("grid"), linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(colors=colour("text"), which="both", length=3)
    axes.xaxis.label.set_color(colour("text"))
    axes.yaxis.label.set_color(colour("text"))
    for side, spine in axes.spines.items():
        spine.set_color(colour("grey"))
        spine.set_visible(side in ("left", "bottom"))
