"""What a user says of changes, read: names, layers, numbers, each as a text with commas or as values of Python.

Every reader raises SurveyError for what it cannot mean, with what it must be.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, get_args

from pydantic import JsonValue

from surveykit.errors import SurveyError, nearest
from surveykit.recipes import Role

ALL_LINEAR = "all-linear"
"""As a target: every linear layer but the output layer."""


def settings(set: Any, further: Mapping[str, JsonValue]) -> Mapping[str, JsonValue]:
    """Hyper-parameters by name, of a mapping and of keyword arguments."""
    if not isinstance(set, Mapping):
        raise SurveyError(f"set is {set!r}; it must be hyper-parameters by name, such as {{'rank': 32}}")
    if twice := sorted({*set} & {*further}):
        raise SurveyError(f"{', '.join(twice)} is set twice: remove one")
    for name, value in {**set, **further}.items():
        try:
            json.dumps(value)
        except (TypeError, ValueError):
            allowed = "a number, a text, true, false, none, or a list of these"
            raise SurveyError(f"{name} is {value!r}; it must be {allowed}") from None
    return {**set, **further}


def names(option: str, value: str | Sequence[str]) -> tuple[str, ...]:
    """Names, each once."""
    words = value.split(",") if isinstance(value, str) else value
    if not isinstance(words, Sequence) or not all(isinstance(word, str) for word in words):
        raise SurveyError(f"{option} is {value!r}; it must be {_EXAMPLES[option]}")
    found = tuple(dict.fromkeys(word.strip() for word in words if word.strip()))
    if not found:
        raise SurveyError(f"{option} names nothing; it must be {_EXAMPLES[option]}")
    return found


_EXAMPLES = {
    "targets": "names of linear layers such as q_proj,v_proj, a regular expression on their whole paths, or all-linear",
    "roles": "roles such as query,value",
    "also_train": "names of modules such as lm_head,embed_tokens",
}
"""Of what can be given, by option."""


def target_modules(value: str | Sequence[str]) -> tuple[str, ...] | str:
    """Names or ends of paths of linear layers, a regular expression, or `all-linear`."""
    if not isinstance(value, str):
        return names("targets", value)
    text = value.strip()
    if text.lower() == ALL_LINEAR:
        return ALL_LINEAR
    if not re.search(r"[\\^$*+?()\[\]{}|]", text):
        return names("targets", text)
    try:
        re.compile(text)
    except re.error as error:
        raise SurveyError(f"targets: '{text}' is not a regular expression: {error}") from None
    return text


def role_names(value: str | Sequence[str]) -> tuple[str, ...]:
    """Roles that there are."""
    found, known = names("roles", value), get_args(Role)
    for role in found:
        if role not in known:
            raise SurveyError(f"there is no role '{role}'{nearest(role, known)}; there are {', '.join(known)}")
    return found


def layer_numbers(value: str | int | Iterable[int]) -> tuple[int, ...]:
    """Layers from 0, or from -1 backwards, each once."""
    if not isinstance(value, str):
        numbers = tuple(value) if isinstance(value, Iterable) else (value,)
        if not numbers or not all(isinstance(n, int) and not isinstance(n, bool) for n in numbers):
            raise SurveyError(f"layers is {value!r}; it must be whole numbers, such as 0-11 or 0,3,-1")
        return tuple(dict.fromkeys(numbers))
    found: list[int] = []
    for word in value.split(","):
        match = re.fullmatch(r"\s*(-?\d{1,4})(?:-(-?\d{1,4}))?\s*", word)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, -1)
        if match is None or last < first or (first < 0) != (last < 0):
            raise SurveyError(f"'{word.strip()}' is not a layer or a range of layers; write 0-11, or 0,3,-1")
        found += range(first, last + 1)
    return tuple(dict.fromkeys(found))


def at_least(least: int, option: str, meaning: str) -> Callable[[Any], int]:
    """A reader of whole numbers from `least`; in words, what the option's number means."""

    def read(value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise SurveyError(f"{option} is {value!r}; it must be a whole number of at least {least}: {meaning}")
        return value

    return read
