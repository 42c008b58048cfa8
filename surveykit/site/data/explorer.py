"""What the explorer draws, as records and as the JSON of its script: views, their quantities and their points.

A view is what one source says of one model. Each of its quantities has one tier and one origin; each of its points is a
configuration of a method, with a value for every quantity or none.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Literal, NamedTuple

Tier = Literal["printed", "measured_elsewhere", "instantiated", "traced", "measured_here"]
TIERS: Mapping[Tier, tuple[str, str]] = MappingProxyType(
    {
        "printed": ("printed", "as a document prints it"),
        "measured_elsewhere": ("measured elsewhere", "a source's own measurement"),
        "instantiated": ("counted here", "counted on the model, instantiated without its weights"),
        "traced": ("predicted here", "traced on the model without its weights"),
        "measured_here": ("measured here", "measured by the bench on a device"),
    }
)
"""Word and meaning of each tier."""
DATA = "assets/data/explorer.json"
YEAR = "year"
"""The quantity that every point has."""
NO_SIZE = "none"
"""What `size` is where all marks have the same."""


class Quantity(NamedTuple):
    """An axis: what its values are, and where they come from."""

    key: str
    name: str
    """As within a sentence: `peak memory`."""
    unit: str
    """As it follows a value; empty where the value is a pure number."""
    kind: Literal["number", "count", "percent", "bytes", "year"]
    """How values are written."""
    better: Literal["less", "more"] | None
    """The direction of the frontier; None where neither end is better."""
    tier: Tier
    origin: str
    """Where the values are from, as a sentence."""
    said: str
    """The same as the end of a title: `as the survey prints them`; empty where a title need not say it."""
    interval: str = ""
    """What the bars of an interval are, where there are any."""
    scale: str = ""
    """What the head of an axis says in the place of the unit: `full tuning = 100`."""

    @property
    def head(self) -> str:
        """As the head of an axis or a column."""
        beside = self.scale or self.unit
        return self.name[0].upper() + self.name[1:] + (f", {beside}" if beside else "")


class Point(NamedTuple):
    """A mark: one configuration of a method."""

    label: str
    method: str
    family: str
    type: str
    configuration: str
    values: dict[str, float]
    """By quantity; one that is not known is left out."""
    ranges: Mapping[str, tuple[float, float]] = MappingProxyType({})
    """Low and high end of a quantity's interval, where one is known."""
    doubts: Mapping[str, str] = MappingProxyType({})
    """Why the value of a quantity is no better than guessing, or is in doubt."""


class View(NamedTuple):
    """What one source says of one model."""

    source: str
    source_name: str
    model: str
    model_name: str
    quantities: tuple[Quantity, ...]
    points: tuple[Point, ...]
    first: Mapping[str, str]
    """What `x`, `y`, `size` and `colour` show before anything is chosen."""

    def quantity(self, key: str) -> Quantity:
        """The quantity of this key."""
        return next(q for q in self.quantities if q.key == key)

    def drawn(self, x: str, y: str) -> list[Point]:
        """The points that have both values."""
        return [p for p in self.points if x in p.values and y in p.values]


def with_known_quantities(view: View) -> View:
    """The view without quantities that none of its points has; what would have been shown of them first is another one."""
    known = {key for p in view.points for key in p.values}
    quantities = tuple(q for q in view.quantities if q.key in known)
    first = dict(view.first)
    for axis, other in (("x", "y"), ("y", "x")):
        if first[axis] not in known:
            first[axis] = next((q.key for q in quantities if q.key != first[other]), YEAR)
    if first["size"] not in known:
        first["size"] = NO_SIZE
    return view._replace(quantities=quantities, first=first)


def relative(points: Sequence[Point], key: str, share: str, whole: float | None) -> tuple[Point, ...]:
    """The points with a quantity as percent of a whole too, where both are known."""
    if not whole:
        return tuple(points)
    return tuple(
        p._replace(values={**p.values, share: p.values[key] / whole * 100}) if key in p.values else p for p in points
    )


def title(view: View, x: str, y: str) -> str:
    """`Score against peak memory on T5-3B, as the survey prints them`."""
    across, up = view.quantity(x), view.quantity(y)
    said = " and ".join(dict.fromkeys(q.said for q in (up, across) if q.said))
    name = up.name[0].upper() + up.name[1:]
    return f"{name} against {across.name} on {view.model_name}" + (f", {said}" if said else "")


def frontier(points: Sequence[tuple[float, float]], x: Quantity, y: Quantity) -> list[int]:
    """Indexes of the points to which none is better in one quantity and at least as good in the other, from left to right.

    Nothing where one of the two has no better end.
    """
    if x.better is None or y.better is None:
        return []
    signs = (1 if x.better == "more" else -1, 1 if y.better == "more" else -1)
    order = sorted(range(len(points)), key=lambda i: (-signs[0] * points[i][0], -signs[1] * points[i][1]))
    found: list[int] = []
    for i in order:
        last = points[found[-1]] if found else None
        if last is None or signs[1] * (points[i][1] - last[1]) > 0 or points[i] == last:
            found.append(i)
    return sorted(found, key=lambda i: points[i])


def default_view(views: Sequence[View]) -> View | None:
    """The view that the page begins with: of the first source, the model with most memory and scores that nothing speaks against.

    None where there is no view.
    """

    def sound(view: View) -> int:
        return sum("score" not in p.doubts for p in view.drawn("memory", "score"))

    return max((view for view in views if view.source == views[0].source), key=sound, default=None)


def explorer_json(views: Sequence[View], looks: Mapping[str, object]) -> bytes:
    """The data of the script; values stand in the order of their view's quantities.

    Args:
        looks: shapes, colours and words of families and types.
    """
    first = default_view(views)
    data = {
        "tiers": {key: word for key, (word, _) in TIERS.items()},
        "looks": looks,
        "first": None if first is None else {"source": first.source, "model": first.model},
        "views": [_view(view) for view in views],
    }
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()


def _view(view: View) -> dict[str, object]:
    keys = [q.key for q in view.quantities]
    points = [
        {
            "label": p.label, "method": p.method, "family": p.family, "type": p.type, "configuration": p.configuration,
            "values": [p.values.get(key) for key in keys],
            **({"ranges": dict(p.ranges)} if p.ranges else {}),
            **({"doubts": dict(p.doubts)} if p.doubts else {}),
        }
        for p in view.points
    ]  # fmt: skip
    return {
        "source": view.source, "sourceName": view.source_name, "model": view.model, "modelName": view.model_name,
        "first": dict(view.first), "quantities": [q._asdict() for q in view.quantities], "points": points,
    }  # fmt: skip
