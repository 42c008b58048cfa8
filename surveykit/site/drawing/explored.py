"""The explorer's picture as it is before anything is chosen, for readers without scripts."""

from __future__ import annotations

from itertools import pairwise

from surveykit.site.data.explorer import Point, Quantity, View, frontier, title
from surveykit.site.drawing.canvas import FAMILY_MARKS, Canvas, in_our_style, logarithmic
from surveykit.site.drawing.svg import Picture, as_csv, colour
from surveykit.site.text import numbers
from surveykit.site.text.words import listed

MANY_TIMES = 20
"""An axis is logarithmic where its largest value is so many times its smallest; the script has the same rule."""
NAME = "explorer"


def explored_picture(view: View) -> Picture:
    """The first picture of a view, with its words and the data that it shows."""
    x, y = view.quantity(view.first["x"]), view.quantity(view.first["y"])
    points, baseline = _apart(view.drawn(x.key, y.key), x, y)
    best = [points[i] for i in frontier([(p.values[x.key], p.values[y.key]) for p in points], x, y)]
    rows = [
        (p.label, p.method, p.configuration, p.values[x.key], p.values[y.key], *p.ranges.get(y.key, ("", "")),
         p.doubts.get(y.key, "")) for p in points
    ]  # fmt: skip
    columns = ("label", "method", "configuration", x.key, y.key, f"{y.key}_low", f"{y.key}_high", "doubt")
    told = f" No method is better in both than {listed(p.label for p in best)}." if best else ""
    hollow = (
        f" Hollow marks: {y.name} in doubt, mostly at the level of guessing." if any(p.doubts for p in points) else ""
    )
    bars = f" Bars: {y.interval}." if y.interval else ""
    far = f" Far to the right, and left out: {_told(baseline, x, y)}." if baseline else ""
    return Picture(
        name=NAME,
        title=title(view, x.key, y.key),
        caption=f"One mark per configuration; the line joins those that no other beats on both axes.{hollow}{bars}{far}",
        alt=f"{title(view, x.key, y.key)}: {len(points)} marks.{told}{far}",
        data=as_csv(columns, rows),
        drawing=in_our_style(lambda: _draw(points, best, x, y)),
    )  # fmt: skip


def _draw(points: list[Point], best: list[Point], x: Quantity, y: Quantity) -> str:
    canvas = Canvas(1, 1, (10, 6))
    (axes,) = canvas.panels
    ends = [(p.values[x.key], p.values[y.key]) for p in best]
    corners = [(right, low) if x.better == "less" else (left, high) for (left, low), (right, high) in pairwise(ends)]
    line = [*ends[:1], *(place for step in zip(corners, ends[1:], strict=True) for place in step)]
    axes.plot([a for a, _ in line], [b for _, b in line], color=colour("grey"), linewidth=1.2, linestyle="--", zorder=1)
    for p in points:
        across, up = p.values[x.key], p.values[y.key]
        if y.key in p.ranges:
            axes.plot([across] * 2, p.ranges[y.key], color=colour("grey"), linewidth=1, zorder=2)
        text = _told(p, x, y) + (f"; {p.doubts[y.key]}" if y.key in p.doubts else "")
        place = (f"methods/{p.method}.md", text)
        canvas.mark(axes, across, up, FAMILY_MARKS[p.family], place, filled=y.key not in p.doubts)
    for axis, quantity in (("x", x), ("y", y)):
        values = [p.values[quantity.key] for p in points]
        if values and min(values) > 0 and max(values) > MANY_TIMES * min(values):
            logarithmic(axes, axis, (min(values) / 2, max(values) * 2))
    axes.margins(x=0.08, y=0.1)
    axes.set_xlabel(x.head)
    axes.set_ylabel(y.head)
    canvas.families(p.family for p in points)
    canvas.settle()
    first = sorted(points, key=lambda p: p not in best)
    canvas.names(axes, [(p.values[x.key], p.values[y.key], p.label) for p in first],
                 [(p.values[x.key], p.values[y.key]) for p in points])  # fmt: skip
    return canvas.svg(NAME)


def _apart(points: list[Point], x: Quantity, y: Quantity) -> tuple[list[Point], Point | None]:
    """The points without full tuning, and it, where it alone lies twice as far to the right as all others."""
    others = [p for p in points if p.family != "baseline"]
    far = [p for p in points if p.family == "baseline" and others
           and p.values[x.key] > 2 * max(o.values[x.key] for o in others)]  # fmt: skip
    return (others, far[0]) if far else (points, None)


def _told(point: Point, x: Quantity, y: Quantity) -> str:
    return f"{point.label}: {y.name} {written(y, point.values[y.key])}, {x.name} {written(x, point.values[x.key])} {x.unit}".rstrip()


def written(quantity: Quantity, value: float | None) -> str:
    """A value in full, without its unit."""
    if value is None:
        return numbers.ABSENT
    if quantity.kind == "year":
        return str(round(value))
    if quantity.kind in ("count", "bytes"):
        return numbers.count(round(value))
    if quantity.kind == "percent":
        return numbers.percent(value)
    return f"{value:,.2f}".rstrip("0").rstrip(".")
