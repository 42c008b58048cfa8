"""The files of a catalog as they are read, with all their problems."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from os.path import lexists
from pathlib import Path
from typing import TypeVar

from surveykit.catalog import layers
from surveykit.catalog.files import read_text
from surveykit.catalog.validation import read_csv, read_yaml
from surveykit.catalog.yaml12 import Document
from surveykit.errors import Problem, nearest
from surveykit.record import Record

R = TypeVar("R", bound=Record)
_read_yaml = lru_cache(maxsize=1024)(read_yaml)
_read_csv = lru_cache(maxsize=2048)(read_csv)
"""Of a catalog that is loaded again after a change, nearly all files are as they were."""


class Loading:
    """Reads the files of a catalog, and collects what is wrong with them and between them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._layers = layers.layers(root)
        self.problems: list[Problem] = []
        self.documents: dict[Path, Document] = {}
        """Each YAML file that was read, with the places of its values."""
        self.rows: dict[int, tuple[str, int]] = {}
        """File and line of each record of a CSV file, by the record's identity in memory."""

    def name(self, path: Path) -> str:
        """What a file is called in a problem."""
        return layers.name_in(self._layers, path)

    def text(self, path: Path) -> str | None:
        """The text of a file; None, with a problem, where it cannot be read."""
        text, problem = read_text(path, self.name(path))
        if problem is not None:
            self.problems.append(problem)
        return text

    def csv(self, path: Path, record: type[R]) -> list[R] | None:
        """The sound records of a CSV file; None, with a problem, where it cannot be read."""
        text = self.text(path)
        if text is None:
            return None
        name = self.name(path)
        rows, lines, problems = _read_csv(text, name, record)
        self.problems += problems
        self.rows.update({id(row): (name, line) for row, line in zip(rows, lines, strict=True)})
        return [*rows]

    def yaml(self, path: Path, record: type[R]) -> R | None:
        """The record that a YAML file is; None where there is no such file, or it is at fault."""
        text = self.text(path) if lexists(path) else None
        if text is None:
            return None
        found, document, problems = _read_yaml(text, self.name(path), record)
        if document is not None:
            self.documents[path] = document
        self.problems += problems
        return found

    def required_yaml(self, path: Path, record: type[R], what: str) -> R | None:
        """The record that a YAML file is, which must be there.

        Args:
            what: what the file says, for the message where it is missing.
        """
        if not lexists(path):
            self.problem(path, f"this file is missing: {what}")
        return self.yaml(path, record)

    def problem(self, path: Path, message: str, at: tuple[str | int, ...] = ()) -> None:
        """Report a problem of a file; at a path inside it, where it is a YAML file that was read."""
        document = self.documents.get(path)
        mark = document.values.get(at) if document and at else None
        line, column = (mark.line, mark.column) if mark else (0, 0)
        self.problems.append(Problem(self.name(path), line, column, message))

    def known(self, path: Path, at: Sequence[str | int], lacks: str, name: str | None, names: Collection[str]) -> bool:
        """Report a name that is not among those that there are; whether it is, or none was given.

        Args:
            lacks: what is said of it, such as `no method`.
        """
        if name is None or name in names:
            return True
        self.problem(path, f"{lacks} '{name}'{nearest(name, names)}", tuple(at))
        return False

    def on(self, row: Record, message: str) -> None:
        """Report a problem of a record of a CSV file."""
        file, line = self.rows[id(row)]
        self.problems.append(Problem(file, line, 1, message))

    def once(self, path: Path, at: tuple[str | int, ...], entries: Iterable[object]) -> None:
        """Report every entry of a list that stands in it before."""
        seen: list[object] = []
        for i, entry in enumerate(entries):
            if entry in seen:
                shown = " ".join(map(str, entry)) if isinstance(entry, tuple) else entry
                self.problem(path, f"'{shown}' appears twice", (*at, i))
            seen.append(entry)
