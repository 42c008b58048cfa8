"""The hyper-parameters of a recipe: where each stands, its value, and which values it can have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import JsonValue

from surveykit.recipes import Recipe, Where
from surveykit.record import Record

WHERE = ("roles", "sublayers", "layers", "span")
"""What of the places of an edit, or of trained parameters, can be set by name."""
_NOT_SET = ("kind", "where")


@dataclass(frozen=True)
class Holder:
    """A part of a recipe that has hyper-parameters, beside the mapping that it is dumped to."""

    record: Record
    data: dict[str, Any]
    number: int | None
    """Which edit of the recipe it is, from 1; behind the edits of a stage count its trained parameters. None: no edit."""
    roles: frozenset[str] = frozenset()
    """Of places: the roles that the edit can go on; empty where all can be named."""

    @property
    def names(self) -> tuple[str, ...]:
        """Its hyper-parameters."""
        if isinstance(self.record, Where):
            return WHERE
        return tuple(name for name in type(self.record).model_fields if name not in _NOT_SET)

    def value(self, name: str) -> JsonValue:
        """What a hyper-parameter is; some are not dumped while they have their default."""
        found: JsonValue = self.data[name] if name in self.data else getattr(self.record, name)
        return found

    def allowed(self, name: str) -> str:
        """In words, the values that a hyper-parameter can have."""
        if name == "roles" and self.roles:
            return f"a list of {', '.join(sorted(self.roles))}"
        schema = type(self.record).model_json_schema()
        return _words(schema["properties"][name], schema.get("$defs", {}))


@dataclass(frozen=True)
class HyperParameter:
    """What can be set of a recipe."""

    name: str
    values: tuple[JsonValue, ...]
    """The value that it has, or the values in different edits."""
    allowed: str
    """In words, the values that it can have."""


def holders(recipe: Recipe, data: dict[str, Any]) -> list[Holder]:
    """Every part of a recipe that has hyper-parameters, edits and their places first.

    Args:
        data: what the recipe is dumped to.
    """
    found: list[Holder] = []
    others: list[Holder] = []
    number = 0
    for stage, dumped in zip(recipe.stages, data["stages"], strict=True):
        for edit, own in zip(stage.edits, dumped["edits"], strict=True):
            number += 1
            found += [Holder(edit, own, number), Holder(edit.where, own["where"], number, edit.allowed_roles)]
        for where, own in zip(stage.train, dumped["train"], strict=True):
            number += 1
            found.append(Holder(where, own, number))
        parts = {"mask": stage.mask, "optimizer": stage.optimizer, "base": stage.base}
        others += [Holder(part, dumped[name], None) for name, part in parts.items() if part is not None]
    return found + others


def hyper_parameters(recipe: Recipe) -> list[HyperParameter]:
    """All that can be set of a recipe, each name once, in the order of its parts."""
    found: dict[str, list[tuple[JsonValue, str]]] = {}
    for holder in holders(recipe, recipe.model_dump(mode="json")):
        for name in holder.names:
            found.setdefault(name, []).append((holder.value(name), holder.allowed(name)))
    return [
        HyperParameter(name, tuple(_once(value for value, _ in seen)), "; or ".join(_once(words for _, words in seen)))
        for name, seen in found.items()
    ]


def as_typed(value: JsonValue) -> str:
    """A value as one types it: lists with commas, none, true, false."""
    if isinstance(value, list):
        return ",".join(map(as_typed, value))
    return str("none" if value is None else value).lower() if value is None or isinstance(value, bool) else str(value)


def _once(values: Iterator[Any]) -> list[Any]:
    found: list[Any] = []
    for value in values:
        if value not in found:
            found.append(value)
    return found


def _words(schema: dict[str, Any], definitions: dict[str, Any]) -> str:
    """What a JSON schema allows, in plain words."""
    if "$ref" in schema:
        return _words(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    if "anyOf" in schema:
        return " or ".join(_words(one, definitions) for one in schema["anyOf"])
    if "const" in schema or "enum" in schema:
        return _either([as_typed(value) for value in schema.get("enum", [schema.get("const")])])
    match schema.get("type"):
        case "integer" | "number" as kind:
            return f"a {'whole ' if kind == 'integer' else ''}number{_range(schema)}"
        case "boolean":
            return "true or false"
        case "null":
            return "none"
        case "array":
            inner = schema.get("items") or {}
            if "prefixItems" in schema:
                return f"{len(schema['prefixItems'])} whole numbers"
            return f"a list of {_words(inner, definitions).removeprefix('a ').replace('number', 'numbers', 1)}"
    return "a record" if schema.get("type") == "object" else "text"


def _range(schema: dict[str, Any]) -> str:
    limits = {"minimum": "from", "exclusiveMinimum": "above", "maximum": "to", "exclusiveMaximum": "below"}
    return "".join(f" {word} {schema[name]:,}" for name, word in limits.items() if name in schema)


def _either(words: Sequence[str]) -> str:
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
