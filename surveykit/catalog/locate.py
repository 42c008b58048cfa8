"""Which catalog is used: `--catalog`, then SURVEYKIT_CATALOG, then ./catalog, then the bundled one."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from surveykit.errors import SurveyError

ENVIRONMENT = "SURVEYKIT_CATALOG"


@dataclass(frozen=True)
class Location:
    root: Path
    chosen_by: str
    """Which of the four rules chose it, in words for `surveykit where`."""


def bundled() -> Path | None:
    """The catalog in the installed package, or that of the checkout an editable install points to."""
    package = Path(__file__).parent.parent
    for candidate in (package / "_catalog", package.parent / "catalog"):
        if (candidate / "methods").is_dir():
            return candidate
    return None


def locate(explicit: str | None = None) -> Location:
    """Find the catalog.

    Raises:
        SurveyError: no folder qualifies, or the one that was asked for is no catalog.
    """
    asked = [(explicit, "--catalog"), (os.environ.get(ENVIRONMENT), ENVIRONMENT)]
    for value, origin in asked:
        if value:
            root = Path(value)
            if not (root / "methods").is_dir():
                raise SurveyError(f"{origin}: '{value}' is no catalog: it has no folder 'methods'")
            return Location(root.resolve(), origin)
    here = Path("catalog")
    if (here / "methods").is_dir():
        return Location(here.resolve(), "./catalog")
    inside = bundled()
    if inside is not None:
        return Location(inside.resolve(), "bundled with the package")
    raise SurveyError(f"no catalog found; name one with --catalog or {ENVIRONMENT}")
