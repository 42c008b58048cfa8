"""Which catalog is used: `--catalog`, then SURVEYKIT_CATALOG, then ./catalog, then the bundled one."""

from __future__ import annotations

import os

from surveykit.errors import SurveyError

# This module runs before every query: pathlib and dataclasses would cost more than all that it does.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

ENVIRONMENT = "SURVEYKIT_CATALOG"


class Location:
    """A catalog's folder, and which of the four rules chose it."""

    __slots__ = ("chosen_by", "folder")

    def __init__(self, folder: str, chosen_by: str) -> None:
        self.folder = os.path.realpath(folder)
        self.chosen_by = chosen_by
        """In words, for `surveykit where`."""

    @property
    def root(self) -> Path:
        from pathlib import Path

        return Path(self.folder)


def _is_catalog(folder: str) -> bool:
    return os.path.isdir(os.path.join(folder, "methods"))


def bundled() -> str | None:
    """The catalog in the installed package, or that of the checkout an editable install points to."""
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    for candidate in (os.path.join(package, "_catalog"), os.path.join(os.path.dirname(package), "catalog")):
        if _is_catalog(candidate):
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
            if not _is_catalog(value):
                raise SurveyError(f"{origin}: '{value}' is no catalog: it has no folder 'methods'")
            return Location(value, origin)
    if _is_catalog("catalog"):
        return Location("catalog", "./catalog")
    inside = bundled()
    if inside is not None:
        return Location(inside, "bundled with the package")
    raise SurveyError(f"no catalog found; name one with --catalog or {ENVIRONMENT}")
