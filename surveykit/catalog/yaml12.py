"""YAML 1.2 with positions: plain data only, every value traceable to its line and column.

PyYAML reads YAML 1.1, where `no` is false and a repeated key silently wins. Its scanner and parser are used here
only up to the node graph; scalars are resolved by the YAML 1.2 core schema, and anything that is not plain data
(tags, aliases) is a problem with a place.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

import yaml

from surveykit.catalog.files import CONTROL, control_message
from surveykit.errors import Problem

MAX_BYTES = 512 * 1024
MAX_DEPTH = 24
MAX_DIGITS = 18
"""Digits of a whole number; one of so many still fits the 64 bits of a database."""

_NULL = re.compile(r"null|Null|NULL|~|")
_TRUE = re.compile(r"true|True|TRUE")
_FALSE = re.compile(r"false|False|FALSE")
_INT = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Mark:
    line: int
    column: int


@dataclass(frozen=True)
class Document:
    """Parsed data, and where each key and each value stands in the file."""

    data: Any
    values: dict[Path, Mark]
    keys: dict[Path, Mark]


class _Reader:
    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self.values: dict[Path, Mark] = {}
        self.keys: dict[Path, Mark] = {}

    def report(self, mark: Mark, message: str) -> None:
        self.problems.append(Problem(self.file, mark.line, mark.column, message))

    def read(self, node: yaml.Node, path: Path, depth: int = 0) -> Any:
        mark = Mark(node.start_mark.line + 1, node.start_mark.column + 1)
        self.values[path] = mark
        if depth > MAX_DEPTH:
            self.report(mark, f"nested deeper than {MAX_DEPTH} levels")
            return None
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path, depth)
        if isinstance(node, yaml.SequenceNode):
            return [self.read(child, (*path, i), depth + 1) for i, child in enumerate(node.value)]
        assert isinstance(node, yaml.ScalarNode)
        return self._scalar(node, mark)

    def _mapping(self, node: yaml.MappingNode, path: Path, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            mark = Mark(key_node.start_mark.line + 1, key_node.start_mark.column + 1)
            key = key_node.value
            if not isinstance(key_node, yaml.ScalarNode):
                self.report(mark, "a key must be a plain word")
                continue
            self._refuse_control_characters(key, mark)
            if key in found:
                first = self.keys[(*path, key)]
                self.report(mark, f"the key '{key}' appears twice (first on line {first.line})")
                continue
            self.keys[(*path, key)] = mark
            found[key] = self.read(value_node, (*path, key), depth + 1)
        return found

    def _scalar(self, node: yaml.ScalarNode, mark: Mark) -> Any:
        text: str = node.value
        self._refuse_control_characters(text, mark)
        if node.style:  # quoted or block: always text
            return text
        if _NULL.fullmatch(text):
            return None
        if _TRUE.fullmatch(text):
            return True
        if _FALSE.fullmatch(text):
            return False
        if _INT.fullmatch(text):
            if len(text.lstrip("+-")) > MAX_DIGITS:
                self.report(mark, f"a whole number has at most {MAX_DIGITS} digits")
                return None
            return int(text)
        if _FLOAT.fullmatch(text):
            number = float(text)
            if math.isinf(number):
                self.report(mark, "a number too large for 64 bits")
                return None
            return number
        return text

    def _refuse_control_characters(self, text: str, mark: Mark) -> None:
        """An escape in double quotes can write what the file itself may not contain."""
        found = CONTROL.search(text)
        if found:
            self.report(mark, control_message(found[0]))


def parse(text: str, file: str) -> tuple[Document | None, list[Problem]]:
    """Parse one file.

    Returns:
        The document (None when the text is not YAML at all) and every problem found on the way.
    """
    refused = _refused_events(text, file)
    if refused:
        return None, refused
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
    try:
        node = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        place = error.problem_mark or error.context_mark
        line, column = (place.line + 1, place.column + 1) if place else (0, 0)
        return None, [Problem(file, line, column, f"not YAML: {error.problem or error.context}")]
    except yaml.YAMLError as error:  # of the reader, which knows no lines
        return None, [Problem(file, 0, 0, f"not YAML: {' '.join(str(error).split())}")]
    finally:
        loader.dispose()
    if node is None:
        return None, [Problem(file, 0, 0, "the file is empty")]
    reader = _Reader(file)
    data = reader.read(node, ())
    return Document(data, reader.values, reader.keys), reader.problems


def _refused_events(text: str, file: str) -> list[Problem]:
    """Aliases and tags are refused on the event stream, before any graph (or bomb) is built."""
    problems: list[Problem] = []
    depth = 0
    try:
        for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            assert event.start_mark is not None  # events of a text always have one
            line, column = event.start_mark.line + 1, event.start_mark.column + 1
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
            if depth > MAX_DEPTH:
                message = f"nested deeper than {MAX_DEPTH} levels"
                return [*problems, Problem(file, line, column, message)]
            if isinstance(event, yaml.AliasEvent):
                message = f"aliases are not allowed here; write the value of '*{event.anchor}' out"
                problems.append(Problem(file, line, column, message))
            elif (tag := getattr(event, "tag", None)) not in (None, "!"):
                message = f"tags are not allowed here; remove '{tag}'"
                problems.append(Problem(file, line, column, message))
    except yaml.YAMLError:
        return problems  # reported with its own message by the composer
    return problems
