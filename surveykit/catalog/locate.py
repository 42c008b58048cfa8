"""Which catalog is used: `--catalog`, then SURVEYKIT_CATALOG, then ./catalog, then the bundled one."""

from __future__ import annotations

import os

from surveykit.errors import SurveyError

# This module runs before every query: pathlib and dataclasses would cost more than all that it does.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from os import PathLike
    from pathlib import Path

ENVIRONMENT = "SURVEYKIT_CATALOG"
BUNDLED = "bundled"
"""Asks for the catalog that comes with the package, whatever lies in the working directory."""


class Location:
    """A catalog's folder, and which of the four rules chose it."""

    __slots__ = ("chosen_by", "folder")

    def __init__(self, folder: str | PathLike[str], chosen_by: str) -> None:
        self.folder = os.path.realpath(folder)
        self.chosen_by = chosen_by
        """In words, for `surveykit where`."""

    @property
    def root(self) -> Path:
        from pathlib import Path

        return Path(self.folder)


HOLDS = ("methods", "models", "sources", "plans", "quantities.yaml")
"""A catalog has one of these; what it lacks is taken from the bundled one."""


def _is_catalog(folder: str | PathLike[str]) -> bool:
    return any(os.path.exists(os.path.join(folder, name)) for name in HOLDS)


def _is_whole(folder: str) -> bool:
    return os.path.isdir(os.path.join(folder, "methods"))


def bundled() -> str | None:
    """The catalog in the installed package, or that of the checkout an editable install points to."""
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    for candidate in (os.path.join(package, "_catalog"), os.path.join(os.path.dirname(package), "catalog")):
        if _is_whole(candidate):
            return candidate
    return None


ALONE = "quantities.yaml"
"""A folder with this file says itself what is measured, and how it is judged: it is a whole catalog and stands alone."""


def layers_of(root: str) -> list[str]:
    """The folders that a catalog is read from: its own, and the bundled one beneath unless it stands alone."""
    below = bundled()
    if below is None or os.path.lexists(os.path.join(root, ALONE)) or os.path.realpath(below) == os.path.realpath(root):
        return [root]
    return [root, below]


def locate(explicit: str | PathLike[str] | None = None, *, chosen_by: str = "--catalog") -> Location:
    """Find the catalog.

    Args:
        explicit: its folder, where somebody chose one.
        chosen_by: where that was said, in words.

    Raises:
        SurveyError: no folder qualifies, or the one that was asked for is no catalog.
    """
    asked = [(explicit, chosen_by), (os.environ.get(ENVIRONMENT), ENVIRONMENT)]
    if os.path.lexists("catalog"):  # a broken one must not be passed over for the bundled one without a word
        asked.append(("catalog", "./catalog"))
    for value, origin in asked:
        if value == BUNDLED:
            break
        if value and not _is_catalog(value):
            hint = f"repair it, or choose another with --catalog ('{BUNDLED}' is the one that comes with surveykit)"
            raise SurveyError(f"{origin}: '{value}' is not a catalog, since it has none of {', '.join(HOLDS)}; {hint}")
        if value:
            return Location(value, origin)
    inside = bundled()
    if inside is not None:
        return Location(inside, "bundled with the package")
    raise SurveyError(f"no catalog found; name one with --catalog or {ENVIRONMENT}")
