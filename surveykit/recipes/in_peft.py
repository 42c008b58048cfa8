"""How PEFT says a kind of edit, both ways."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class InPeft:
    """How PEFT says a kind of edit: both ways between its configurations and ours follow from it."""

    type: str
    """`VERA`, as in the peft_type of a file."""
    config: str
    """The class of its configuration, `VeraConfig`."""
    entry: str
    """The configuration of the catalog that one of PEFT's is named after: `vera/qv-r256`."""
    arguments: Mapping[str, tuple[str, Any]]
    """By field of the kind: PEFT's argument, and what PEFT takes where a file does not say. An argument of a configuration
    inside the configuration has the names of both: `kasa_config.beta`."""
    means: Mapping[str, Any] = field(default_factory=dict)
    """Arguments that a file must have for it to be this kind, none of them PEFT's default."""
    needs: tuple[str, ...] = ()
    """Arguments that a file must have, whatever they say: a configuration inside the configuration, for instance."""
    listed: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """By field of the kind: its value on the modules that an argument lists, by that argument."""
    idle: frozenset[str] = frozenset()
    """Arguments that PEFT writes into a file of this kind and that have no effect on it."""
    targeted: bool = True
    """Whether it goes on the linear layers that `target_modules` names; else on places of its own."""

    @property
    def keys(self) -> frozenset[str]:
        """Every argument that it reads."""
        lists = (argument for by in self.listed.values() for argument in by)
        return frozenset(
            {*(argument for argument, _ in self.arguments.values()), *self.means, *self.needs, *lists, *self.idle}
        )

    def is_meant(self, content: Mapping[str, Any]) -> bool:
        """Whether a file's content means this kind."""
        means = all(content.get(key) == value for key, value in self.means.items())
        return means and all(content.get(key) is not None for key in self.needs)

    def read(self, content: Mapping[str, Any]) -> dict[str, Any]:
        """The kind's fields, from a file's content."""
        said = {name: (_inside(content, argument), default) for name, (argument, default) in self.arguments.items()}
        return {name: default if value is None else _alike(value, default) for name, (value, default) in said.items()}

    def read_at(self, content: Mapping[str, Any], module: str) -> dict[str, Any]:
        """The fields that lists of names decide, for a module: PEFT takes a name for meant anywhere in a module's path."""
        return {
            name: value
            for name, by in self.listed.items() for argument, value in by.items()
            if any(listed in module for listed in _inside(content, argument) or ())
        }  # fmt: skip

    def says(self, values: Mapping[str, Any], lists: Mapping[str, Sequence[str]]) -> dict[str, Any]:
        """The arguments that give fields these values, and lists of names by their argument."""
        said: dict[str, Any] = {**self.means}
        named = {self.arguments[name][0]: value for name, value in values.items()}
        for argument, value in {**named, **lists}.items():
            outer, _, inner = argument.partition(".")
            plain = [*value] if isinstance(value, tuple | list) else value
            plain = int(plain) if isinstance(plain, float) and plain == int(plain) else plain
            if inner:
                said.setdefault(outer, {})[inner] = plain
            else:
                said[outer] = plain
        return said


def _inside(content: Mapping[str, Any], argument: str) -> Any:
    """What a file's content says of an argument; None where it does not."""
    outer, _, inner = argument.partition(".")
    value = content.get(outer)
    if not inner:
        return value
    return value.get(inner) if isinstance(value, dict) else None


def _alike(value: Any, default: Any) -> Any:
    """A value of JSON, where a kind has a fraction or a tuple."""
    if isinstance(value, list):
        return tuple(value)
    return float(value) if isinstance(default, float) and isinstance(value, int) else value
