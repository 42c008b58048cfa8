"""Where the trainable parameters of a configuration are: counts by part of the model, on each T5."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from markupsafe import Markup

from surveykit.catalog.dimensions import from_row
from surveykit.catalog.places import LOCATIONS, Location, t5_places, trainable_by_location
from surveykit.recipes import Recipe
from surveykit.site.text import numbers
from surveykit.site.text.cells import cell
from surveykit.site.text.markdown import Cell, code, table
from surveykit.site.text.recipe_words import KINDS
from surveykit.site.text.words import words

LOCATION_WORDS: dict[Location, str] = {
    "embeddings": "Embeddings",
    "input": "At the inputs",
    "encoder.self": "Encoder self-attention",
    "encoder.feed_forward": "Encoder feed-forward",
    "decoder.self": "Decoder self-attention",
    "decoder.cross": "Cross-attention",
    "decoder.feed_forward": "Decoder feed-forward",
    "final": "Final norms",
    "shared": "Shared by several",
}


def location_table(configuration: Any, backbones: list[Any], name: str) -> Markup:
    """Trainable parameters of a configuration on each T5, split by location; every sum is the whole count.

    Args:
        backbones: rows of the database; those that are no T5 are left out.
        name: of the configuration, for the addresses of cells.
    """
    recipe = Recipe.model_validate_json(configuration.recipe)
    found = [(b, trainable_by_location(recipe, from_row(b))) for b in backbones if b.architecture == "t5"]
    used = [place for place in LOCATIONS if any(place in split for _, split in found)]
    rows: list[list[Cell]] = []
    for b, split in found:
        parts = [cell(numbers.count(split.get(place, 0)), "split", name, b.id, place) for place in used]
        rows.append([b.name, *parts, Markup(f"**{numbers.count(sum(split.values()))}**")])
    return table(["Backbone", *(LOCATION_WORDS[place] for place in used), "Sum"], rows, "l" + "r" * (len(used) + 1))


def tensor_table(configuration: Any, backbone: Any) -> Markup:
    """What each edit of a configuration brings to one place, with the shapes on a T5: name, shape, and who keeps it."""
    recipe, places = Recipe.model_validate_json(configuration.recipe), t5_places(from_row(backbone))
    rows: list[list[Cell]] = []
    for edit in (edit for stage in recipe.stages for edit in stage.edits):
        there = [place for place in places if edit.where.matches(place)]
        if not there:
            continue
        first = replace(there[0], places=len(there))
        for shared, shapes in ((False, edit.tensors(first)), (True, edit.shared_tensors(first))):
            for name, shape in shapes.items():
                row: list[Cell] = [
                    words(edit.kind, KINDS).lower(),
                    code(name),
                    " × ".join(f"{side:,}" for side in shape.dims),
                    "yes" if shape.trained else "no",
                    "one for several places" if shared else f"at each of {len(there):,} places",
                ]
                if row not in rows:
                    rows.append(row)
    return table(["Edit", "Tensor", "Shape at the first place", "Trained", "How many"], rows, "lllll")
