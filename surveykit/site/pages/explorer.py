"""The page of the explorer: its first picture and table, which need no script, and where its figures are from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from markupsafe import Markup

from surveykit.site.data.explorer import NO_SIZE, TIERS, View, default_view, explorer_json
from surveykit.site.data.explorer_ours import OURS
from surveykit.site.data.explorer_peft import PEFT
from surveykit.site.data.explorer_survey import SURVEY
from surveykit.site.drawing.canvas import FAMILY_MARKS, family_word
from surveykit.site.drawing.explored import explored_picture, written
from surveykit.site.drawing.svg import Picture
from surveykit.site.text.markdown import Cell, link, table
from surveykit.site.text.words import listed, type_words

EXPLORER = "explorer.md"
TYPE_COLOURS = ("blue", "orange", "green", "purple", "red", "sky", "yellow", "grey")
_PAGES = {SURVEY: "table5.md", PEFT: f"sources/{PEFT}.md", OURS: "how-we-measure.md"}


def explorer_link(text: str, page: str, **state: str) -> Markup:
    """A link to the explorer in a state: `source`, `model`, `x`, `y`, `size`, `colour`."""
    return link(text, f"{EXPLORER}?{urlencode(state)}" if state else EXPLORER, page)


def explorer_context(views: Sequence[View], picture: Picture | None) -> dict[str, Any]:
    """What the page shows without a script, and the ways into the picture."""
    view = default_view(views)
    if view is None:
        return {"picture": None}
    sources = dict.fromkeys((v.source, v.source_name) for v in views)
    return {
        "picture": picture,
        "points": points_table(view),
        "first": view,
        "sample": link("method", f"methods/{view.points[0].method}.md", EXPLORER),
        "sample_method": view.points[0].method,
        "starts": [explorer_link(text, EXPLORER, **state) for text, state in _starts(view, views)],
        "tiers": TIERS.values(),
        "sources": [
            (link(name, _PAGES.get(source, "bench/index.md"), EXPLORER), listed(v.model_name for v in views if v.source == source))
            for source, name in sources
        ],
    }  # fmt: skip


def points_table(view: View) -> Markup:
    """Every point of a view with all of its figures; those that are not drawn are there too."""
    heads: list[Cell] = ["Method", "Family"]
    heads += [f"{q.head} ({TIERS[q.tier][0]})" for q in view.quantities]
    rows: list[list[Cell]] = []
    for p in sorted(view.points, key=lambda p: -p.values.get(view.first["y"], float("-inf"))):
        figures = [
            written(q, p.values.get(q.key)) + ("*" if q.key in p.doubts else "") for q in view.quantities
        ]  # fmt: skip
        rows.append([link(p.label, f"methods/{p.method}.md", EXPLORER), family_word(p.family), *figures])
    return table(heads, rows, "ll" + "r" * len(view.quantities))


def _starts(view: View, views: Sequence[View]) -> list[tuple[str, dict[str, str]]]:
    """Pictures to begin with, as far as there are views for them."""
    here = {"source": view.source, "model": view.model}
    found = [
        (f"Parameters, memory, speed and score on {view.model_name}",
         {**here, "x": "memory", "y": "score", "size": "trainable", "colour": "speed"}),
        (f"Speed against parameters on {view.model_name}",
         {**here, "x": "trainable", "y": "speed", "size": NO_SIZE, "colour": "family"}),
    ]  # fmt: skip
    for other in views:
        where = {"source": other.source, "model": other.model}
        if other.source == PEFT:
            found.append((f"Accuracy against memory in PEFT's benchmark, {other.model_name}", where))
            found.append(
                (f"Accuracy against forgetting, {other.model_name}", {**where, "x": "forgetting", "y": "score"})
            )
        elif other.source == OURS and other.model == view.model:
            found.append((f"All methods on {other.model_name}: memory against parameters", where))
    known = {(v.source, v.model): {q.key for q in v.quantities} for v in views}
    return [(text, state) for text, state in found if _axes(state) <= known[state["source"], state["model"]]]


def _axes(state: dict[str, str]) -> set[str]:
    """The quantities that a state names."""
    return {state[axis] for axis in ("x", "y", "size", "colour") if axis in state} - {NO_SIZE, "family"}


def explorer_file(views: Sequence[View]) -> bytes:
    """The data of the page's script."""
    types = sorted({p.type for v in views for p in v.points}, key=lambda t: (len(t), t))
    looks = {
        "families": {
            key: {"shape": shape, "colour": ink, "word": family_word(key)} for key, (shape, ink) in FAMILY_MARKS.items()
        },
        "types": {
            key: {"colour": TYPE_COLOURS[i % len(TYPE_COLOURS)], "word": type_words(key).partition(":")[0]}
            for i, key in enumerate(types)
        },
    }  # fmt: skip
    return explorer_json(views, looks)


def first_picture(views: Sequence[View]) -> Picture | None:
    """The picture before anything is chosen; None where there is nothing to draw."""
    view = default_view(views)
    return None if view is None else explored_picture(view)
