"""From files to records: one place where a fault in data becomes a message with a place and a suggestion."""

from __future__ import annotations

import csv
import inspect
import io
import json
import re
import typing
from functools import cache
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from surveykit.catalog.yaml12 import MAX_DIGITS, Document, Mark, Path, parse
from surveykit.errors import Problem, nearest
from surveykit.record import Record

R = TypeVar("R", bound=Record)

MOST_PROBLEMS = 50
"""Problems of one file that are told; the rest is counted."""
_INT = re.compile(rf"[0-9]{{1,{MAX_DIGITS}}}")
_YAML11_BOOLEANS = frozenset({"yes", "no", "on", "off", "y", "n"})


def read_yaml(text: str, file: str, record: type[R]) -> tuple[R | None, Document | None, list[Problem]]:
    """Parse and validate one YAML file."""
    document, problems = parse(text, file)
    if document is None or problems:
        return None, document, problems
    try:
        return record.model_validate_json(json.dumps(document.data)), document, []
    except ValidationError as error:
        causes = _first_causes(error)
        problems = [_problem(details, document, file, record) for details in causes[:MOST_PROBLEMS]]
        return None, document, problems + _untold(len(causes), file)


def _untold(problems: int, file: str) -> list[Problem]:
    more = problems - MOST_PROBLEMS
    return [Problem(file, 0, 0, f"and {more:,} more problems in this file")] if more > 0 else []


def _first_causes(error: ValidationError) -> list[ErrorDetails]:
    """Leave out "too short" of a list whose items were faulty: it only repeats their faults."""
    found = error.errors()
    above = {details["loc"][:depth] for details in found for depth in range(len(details["loc"]))}
    return [details for details in found if details["type"] != "too_short" or details["loc"] not in above]


def read_csv(text: str, file: str, record: type[R]) -> tuple[list[R], list[int], list[Problem]]:
    """Parse and validate a CSV file, one record per line; an empty cell is null.

    Returns:
        The records, the line on which each ends, and the problems.
    """
    rows: list[R] = []
    lines: list[int] = []
    problems: list[Problem] = []
    first: dict[tuple[Any, ...], int] = {}
    expected = list(record.model_fields)
    reader = csv.DictReader(io.StringIO(text), strict=True)
    try:
        if list(reader.fieldnames or ()) != expected:
            return [], [], [Problem(file, 1, 1, f"the columns must be {','.join(expected)}")]
        for raw in reader:
            line = reader.line_num
            row, faults = _row(raw, record, file, line)
            problems += faults
            if row is None:
                continue
            identity = tuple(getattr(row, name) for name in record.identity)
            if identity and first.setdefault(identity, line) != line:
                message = f"{' / '.join(map(str, identity))} appears twice (first on line {first[identity]})"
                problems.append(Problem(file, line, 1, message))
                continue
            rows.append(row)
            lines.append(line)
    except csv.Error as error:
        problems.append(Problem(file, max(reader.line_num, 1), 1, f"not CSV: {error}"))
    return rows, lines, problems[:MOST_PROBLEMS] + _untold(len(problems), file)


def _row(raw: dict[str, Any], record: type[R], file: str, line: int) -> tuple[R | None, list[Problem]]:
    cells, faults = _typed(raw, record, file, line)
    if faults:
        return None, faults
    try:
        return record.model_validate_json(json.dumps(cells)), []
    except ValidationError as error:
        columns = list(record.model_fields)
        return None, [
            Problem(
                file,
                line,
                columns.index(str(details["loc"][0])) + 1 if details["loc"] else 1,
                _message(details, (), record),
            )
            for details in error.errors()
        ]


@cache
def _columns(record: type[Record]) -> list[tuple[str, bool]]:
    """The fields of a record, and whether a whole number is meant there."""
    annotations = {name: field.annotation for name, field in record.model_fields.items()}
    return [(name, one is int or int in typing.get_args(one)) for name, one in annotations.items()]


def _typed(raw: dict[str, Any], record: type[Record], file: str, line: int) -> tuple[dict[str, Any], list[Problem]]:
    cells: dict[str, Any] = {}
    problems = []
    if None in raw or None in raw.values():
        return {}, [Problem(file, line, 1, f"this line does not have {len(record.model_fields)} cells")]
    for position, (name, whole) in enumerate(_columns(record), start=1):
        text = raw[name]
        if text == "":
            cells[name] = None
        elif not whole:
            cells[name] = text
        elif _INT.fullmatch(text):
            cells[name] = int(text)
        else:
            message = f"{name}: {_brief(text)} is not a whole number of at most {MAX_DIGITS} digits"
            problems.append(Problem(file, line, position, message))
    return cells, problems


def _problem(details: ErrorDetails, document: Document, file: str, record: type[Record]) -> Problem:
    path = _path_in(document, details["loc"])
    mark = document.keys.get(path) if details["type"] == "extra_forbidden" else document.values.get(path)
    while mark is None and path:
        path = path[:-1]
        mark = document.values.get(path)
    mark = mark or Mark(1, 1)
    return Problem(file, mark.line, mark.column, _message(details, path, record))


def _path_in(document: Document, location: tuple[int | str, ...]) -> Path:
    """Drop the parts of a Pydantic location that are union tags and not keys of the file."""
    path: Path = ()
    for part in location:
        if (*path, part) in document.values:
            path = (*path, part)
    return path


def _message(details: ErrorDetails, path: Path, record: type[Record]) -> str:
    location = ".".join(str(part) for part in details["loc"])[:120]
    found = details["input"]
    context = details.get("ctx", {})
    match details["type"]:
        case "extra_forbidden":
            key = str(details["loc"][-1])
            allowed = sorted(_fields_at(record, details["loc"][:-1]))
            return f"{location}: unknown key {_brief(key)}{nearest(key, allowed)}; allowed are {', '.join(allowed)}"
        case "missing":
            return f"{location}: this key is missing"
        case "literal_error":
            allowed = [part.strip("'") for part in str(context["expected"]).replace(" or ", ", ").split(", ")]
            hint = nearest(str(found), allowed)
            return f"{location}: {_brief(found)} is not allowed{hint}; allowed are {', '.join(allowed)}"
        case "union_tag_invalid":
            allowed = [part.strip("'") for part in str(context["expected_tags"]).split(", ")]
            tag = str(context["tag"])
            return f"{location}: unknown kind {_brief(tag)}{nearest(tag, allowed)}; kinds are {', '.join(allowed)}"
        case "bool_type" if isinstance(found, str) and found.lower() in _YAML11_BOOLEANS:
            return f"{location}: '{found}' is text in YAML 1.2; write true or false"
        case "string_type" if not isinstance(found, dict | list):
            return f"{location}: {_brief(found)} must be text; put it in quotes"
        case "value_error":
            return f"{location}: {context['error']}" if location else str(context["error"])
    return f"{location}: {details['msg'][0].lower()}{details['msg'][1:]}, not {_brief(found)}"


def _brief(value: Any) -> str:
    """A value as the file has it, cut where it is long."""
    text = f"'{value}'" if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _fields_at(record: type[BaseModel], location: tuple[int | str, ...]) -> set[str]:
    """Field names of the record at a Pydantic location; those of all candidates where it is a union."""
    candidates: list[type[BaseModel]] = [record]
    for part in location:
        if isinstance(part, int):
            continue
        inside = [m for c in candidates if part in c.model_fields for m in _records_in(c.model_fields[part].annotation)]
        tagged = [c for c in candidates if "kind" in c.model_fields and part in _literals(c)]
        candidates = inside or tagged or candidates
    return {name for candidate in candidates for name in candidate.model_fields}


def _literals(record: type[BaseModel]) -> tuple[Any, ...]:
    return typing.get_args(record.model_fields["kind"].annotation)


def _records_in(annotation: Any) -> list[type[BaseModel]]:
    if inspect.isclass(annotation) and not typing.get_args(annotation):
        return [annotation] if issubclass(annotation, BaseModel) else []
    return [found for inner in typing.get_args(annotation) for found in _records_in(inner)]
