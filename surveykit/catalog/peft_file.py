"""PEFT's adapter_config.json, read as a file that anybody may have written."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from surveykit.catalog.files import read_text
from surveykit.errors import SurveyError

FILE = "adapter_config.json"
MOST = 10_000_000
"""What a whole number of an amount (a rank, a number of tokens) may be at most."""
_NO_AMOUNTS = ("seed", "step", "indices", "tokens_", "_at")
"""Words in the names of whole numbers that are no amounts: nothing of that size is made."""


@dataclass(frozen=True)
class PeftFile:
    """A configuration of PEFT: what its file says, checked for what would take memory or time without end."""

    name: str
    """In messages: the file, its folder, or the name on the hub."""
    peft_type: str
    """Upper case, as PEFT writes it: LORA, IA3, PREFIX_TUNING…"""
    content: Mapping[str, JsonValue] = field(hash=False)
    """All other keys."""

    @property
    def base_model(self) -> str | None:
        """The model that it says it was trained on."""
        named = self.content.get("base_model_name_or_path")
        return named if isinstance(named, str) and named.strip() else None

    def without(self, keys: Iterable[str]) -> PeftFile:
        """The same without some keys."""
        left = {*keys}
        return replace(self, content={key: value for key, value in self.content.items() if key not in left})

    def including(self, **values: JsonValue) -> PeftFile:
        """The same with other values."""
        return replace(self, content={**self.content, **values})

    def whole(self, key: str, default: int) -> int:
        """A whole number from 1.

        Raises:
            SurveyError: it is something else.
        """
        value = self.content.get(key)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise SurveyError(f"{self.name}: {key} is {_shown(value)}; it must be a whole number from 1")
        return value

    def number(self, key: str, default: float) -> float:
        """A number above 0. Raises as `whole`."""
        value = self.content.get(key)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
            raise SurveyError(f"{self.name}: {key} is {_shown(value)}; it must be a number above 0")
        return float(value)

    def flag(self, key: str) -> bool:
        """True or false; false where the file does not say. Raises as `whole`."""
        value = self.content.get(key)
        if value is not None and not isinstance(value, bool):
            raise SurveyError(f"{self.name}: {key} is {_shown(value)}; it must be true or false")
        return bool(value)

    def names(self, key: str) -> tuple[str, ...] | str | None:
        """Names of modules: a list, or one regular expression over whole paths. Raises as `whole`."""
        value = self.content.get(key)
        if value is None or isinstance(value, str):
            return value
        if isinstance(value, list) and all(isinstance(name, str) for name in value):
            return tuple(sorted(str(name) for name in value))
        raise SurveyError(
            f"{self.name}: {key} is {_shown(value)}; it must be a list of names, or one regular expression"
        )

    def numbers_by_name(self, key: str) -> dict[str, float]:
        """Numbers above 0 by patterns of names. Raises as `whole`."""
        value = self.content.get(key) or {}
        if not isinstance(value, dict) or not all(
            isinstance(number, int | float) and not isinstance(number, bool) and number > 0 for number in value.values()
        ):
            raise SurveyError(f"{self.name}: {key} is {_shown(value)}; it must give a number above 0 for each name")
        return {name: float(number) for name, number in value.items() if isinstance(number, int | float)}


def read_peft(path: Path, name: str) -> PeftFile:
    """Read a file.

    Args:
        name: what it is called in messages.

    Raises:
        SurveyError: it cannot be read, is too large, no JSON, no configuration of PEFT, or asks for too much.
    """
    text, problem = read_text(path, name)
    if text is None:
        raise SurveyError(str(problem))
    try:
        content = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:  # no JSON, numbers or nesting beyond all use
        raise SurveyError(f"{name} is not valid JSON: {' '.join(str(error).split())[:200]}") from None
    if not isinstance(content, dict):
        raise SurveyError(f"{name} is no object with a peft_type")
    return peft_file(content, name)


def peft_file(content: Mapping[str, Any], name: str) -> PeftFile:
    """What was read, checked. Raises as `read_peft`."""
    kind = content.get("peft_type")
    if kind is None and ("model_type" in content or "architectures" in content):
        raise SurveyError(f"{name} is the configuration of a model, not of PEFT; give it as the model")
    if not isinstance(kind, str) or not kind.isidentifier() or len(kind) > 60:
        said = "has no peft_type" if kind is None else f"has the peft_type {_shown(kind)}, which is no name"
        raise SurveyError(
            f"{name} {said}: it is no {FILE} of PEFT, which says LORA, IA3, PREFIX_TUNING or the like there"
        )
    _refuse_too_much(content, name)
    rest = {key: value for key, value in content.items() if key != "peft_type"}
    return PeftFile(name, kind.upper(), rest)


def _refuse_too_much(content: Mapping[str, Any], name: str) -> None:
    left: list[tuple[str, Any]] = list(content.items())
    while left:
        match left.pop():
            case _, dict() as inner:
                left += inner.items()
            case key, list() as inner:
                left += [(key, value) for value in inner]
            case str() as key, int() | float() as value if value > MOST and not any(w in key for w in _NO_AMOUNTS):
                raise SurveyError(f"{name}: {key[:60]} may be {MOST:,} at most, not {_shown(value)}")


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")


def _shown(value: object) -> str:
    """A value for a message of one line."""
    text = json.dumps(value, default=str)
    return text if len(text) <= 60 else f"{text[:57]}…"
