"""When a recorded measurement no longer speaks of what is in the catalog."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from surveykit.catalog.backbones import Backbone
from surveykit.recipes import Recipe

_PACKAGE = Path(__file__).parent.parent
_DESCRIBES_BACKBONE = {"id", "name", "survey_label", "checkpoint", "paper", "parameters_source"}


@cache
def _source(path: Path) -> bytes:
    return path.read_bytes()


def _core() -> list[Path]:
    return [_PACKAGE / "recipes" / "base.py", *sorted((_PACKAGE / "engine").glob("*.py"))]


def key(recipe: Recipe, backbone: Backbone) -> str:
    """Sixteen hex digits over the recipe, the sources that execute it, and the backbone's dimensions.

    Prose is not in it, and of the kinds of edits only the modules that the recipe uses.
    """
    kinds = {type(edit).__module__.rsplit(".", 1)[1] for stage in recipe.stages for edit in stage.edits}
    digest = hashlib.sha256()
    digest.update(recipe.model_dump_json().encode())
    digest.update(backbone.model_dump_json(exclude=_DESCRIBES_BACKBONE).encode())
    for path in [*_core(), *(_PACKAGE / "recipes" / f"{kind}.py" for kind in sorted(kinds))]:
        digest.update(_source(path))
    return digest.hexdigest()[:16]
