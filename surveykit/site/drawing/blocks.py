"""The pictures of methods: where each sits in a T5, with the same in words."""

from __future__ import annotations

import json
from collections.abc import Iterator

from surveykit.database.reading import Reader
from surveykit.recipes import Recipe
from surveykit.site.drawing.block import block_picture
from surveykit.site.drawing.svg import Picture
from surveykit.site.text.recipe_words import plain_lines


def block_pictures(reader: Reader) -> Iterator[tuple[str, Picture]]:
    """The picture of every method that has a recipe, of its default configuration, by the method's id."""
    for c in reader.all(
        "SELECT c.*, m.name AS method_name FROM configuration c JOIN method m ON m.id = c.method"
        " WHERE c.is_default ORDER BY c.method"
    ):
        data = json.loads(c.recipe)
        *before, last = data["stages"]
        lines = plain_lines({"stages": [last]})
        stages = f" Drawn is the last of {len(before) + 1} stages, {last['name'].replace('_', ' ')}." if before else ""
        yield (
            c.method,
            Picture(
                name=f"blocks/{c.method}",
                title=f"Where {c.method_name} sits in a T5",
                caption=f"Drawn from the recipe of the default configuration: {c.name}.{stages} Numbers and letters refer to "
                "the list below the drawing; only T5 v1.1 has a gate.",
                alt=f"An encoder block and a decoder block of T5 with what {c.method_name} does. {'. '.join(lines)}.",
                drawing=block_picture(Recipe.model_validate_json(c.recipe)),
            ),
        )
