"""A catalog in layers: a folder of one's own lies over the bundled catalog, unless it stands alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from surveykit.catalog.locate import layers_of


def layers(root: Path) -> tuple[Path, ...]:
    """The folders that a catalog is read from; what an earlier one holds hides what a later one has of the same name."""
    return tuple(map(Path, layers_of(str(root))))


def name_of(root: Path, path: Path) -> str:
    """What a file of a catalog is called in a message: by the folder that holds it."""
    return name_in(layers(root), path)


def name_in(folders: Sequence[Path], path: Path) -> str:
    """As `name_of`, in folders that `layers` gave."""
    for layer in folders:
        if path.is_relative_to(layer):
            called = "bundled" if layer != folders[0] and layer.name == folders[0].name else layer.name
            return f"{called}/{path.relative_to(layer).as_posix()}"
    return path.name


def first(root: Path, name: str) -> Path:
    """The file or folder of this name in the first layer that has it; the place in the own folder where none has."""
    candidates = [layer / name for layer in layers(root)]
    return next((path for path in candidates if path.exists() or path.is_symlink()), candidates[0])


def entries(root: Path, folder: str) -> dict[str, Path]:
    """Files and folders inside a folder of a catalog by name, those of earlier layers before those of later ones.

    What is hidden is not of the catalog: a file system's own, or what a killed process left.
    """
    found: dict[str, Path] = {}
    for layer in layers(root):
        for path in sorted((layer / folder).glob("[!.]*")):
            found.setdefault(path.name, path)
    return found
