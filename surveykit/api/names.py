"""Arguments that several functions share: a catalog's folder, and one or more names."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike

from surveykit.errors import SurveyError, nearest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from surveykit.catalog.load import Catalog

Folder = str | PathLike[str]
Names = str | Sequence[str]
Layers = str | Sequence[int]
"""`"0-11"`, `"0,3,-1"`, `range(12)`, `[0, 3, -1]`."""


def several(names: Names) -> list[str]:
    """Names as a list."""
    return [names] if isinstance(names, str) else list(names)


def refuse_others(argument: str, value: str, allowed: Sequence[str]) -> None:
    """Refuse a word that an argument does not allow.

    Raises:
        SurveyError: with the nearest word.
    """
    if value not in allowed:
        raise SurveyError(f"{argument} is '{value}'; it must be one of {', '.join(allowed)}{nearest(value, allowed)}")


def refuse_less_than_one(**amounts: int) -> None:
    """Refuse amounts that are not whole numbers of at least 1.

    Raises:
        SurveyError: with the name of the first.
    """
    for name, amount in amounts.items():
        if amount < 1:
            raise SurveyError(f"{name} is {amount}; it must be a whole number of at least 1")


def root_of(catalog: Folder | None) -> Path:
    """The folder of the requested catalog. Raises as `locate`."""
    from surveykit.catalog.locate import locate

    return locate(catalog).root


def loaded(catalog: Folder | None) -> Catalog:
    """The requested catalog. Raises as `locate` and `load`."""
    from surveykit.catalog.load_once import load_once

    return load_once(root_of(catalog))


def database_of(catalog: Folder | None) -> Path:
    """The database of the requested catalog, built if it does not exist. Raises as `loaded`."""
    from surveykit.database import cache

    return cache.current(root_of(catalog))
