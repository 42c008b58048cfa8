"""The files of a catalog as they are read, with all their problems."""

from __future__ import annotations

from os.path import lexists
from pathlib import Path
from typing import TypeVar

from surveykit.catalog.files import read_text
from surveykit.catalog.models import Model, read_model
from surveykit.catalog.records import Method
from surveykit.catalog.validation import read_csv, read_yaml
from surveykit.catalog.yaml12 import Document
from surveykit.errors import Problem
from surveykit.record import Record

R = TypeVar("R", bound=Record)


class Loading:
    """Reads the files of a catalog, and collects what is wrong with them and between them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.problems: list[Problem] = []
        self.documents: dict[str, Document] = {}
        self.rows: dict[int, tuple[str, int]] = {}
        """File and line of each record of a CSV file, by the record's identity in memory."""

    def name(self, path: Path) -> str:
        return f"{self.root.name}/{path.relative_to(self.root).as_posix()}"

    def text(self, path: Path) -> str | None:
        text, problem = read_text(path, self.name(path))
        if problem is not None:
            self.problems.append(problem)
        return text

    def methods(self) -> dict[str, Method]:
        """Those of `methods/<id>.yaml`, by id."""
        found: dict[str, Method] = {}
        for path in sorted((self.root / "methods").glob("*")):
            if path.suffix != ".yaml":
                self.problems.append(Problem(self.name(path), 0, 0, "only files named <id>.yaml belong here"))
                continue
            text = self.text(path)
            if text is None:
                continue
            entry, document, problems = read_yaml(text, self.name(path), Method)
            self.problems += problems
            if document is not None:
                self.documents[path.stem] = document
            if entry is None:
                continue
            if entry.id != path.stem:
                self.at(path.stem, f"methods/{path.name}", ("id",), f"the id '{entry.id}' must be the file's name")
            found[path.stem] = entry
        return found

    def models(self) -> dict[str, Model]:
        """Those of `models/<id>`, by id."""
        found: dict[str, Model] = {}
        for path in sorted((self.root / "models").glob("*")):
            if not path.is_dir():
                self.problems.append(Problem(self.name(path), 0, 0, "only folders named <id> belong here"))
                continue
            model, document, problems = read_model(path, self.name(path))
            self.problems += problems
            if model is not None and document is not None:
                found[path.name] = model
                self.documents[f"models/{path.name}"] = document
        return found

    def csv(self, path: Path, record: type[R]) -> list[R]:
        """The records of a CSV file that must be there."""
        if not lexists(path):
            self.problems.append(Problem(self.name(path), 0, 0, "this file is missing"))
            return []
        text = self.text(path)
        if text is None:
            return []
        rows, lines, problems = read_csv(text, self.name(path), record)
        self.problems += problems
        self.rows.update({id(row): (self.name(path), line) for row, line in zip(rows, lines, strict=True)})
        return rows

    def yaml(self, path: Path, record: type[R]) -> R | None:
        """The record that a YAML file is; None where there is no such file, or it is at fault."""
        text = self.text(path) if lexists(path) else None
        if text is None:
            return None
        found, _, problems = read_yaml(text, self.name(path), record)
        self.problems += problems
        return found

    def at(self, stem: str, file: str, path: tuple[str | int, ...], message: str) -> None:
        """Report a problem at a path inside a YAML file that was read."""
        mark = self.documents[stem].values.get(path)
        line, column = (mark.line, mark.column) if mark else (0, 0)
        self.problems.append(Problem(f"{self.root.name}/{file}", line, column, message))

    def on(self, row: Record, message: str) -> None:
        """Report a problem of a record of a CSV file."""
        file, line = self.rows[id(row)]
        self.problems.append(Problem(file, line, 1, message))
