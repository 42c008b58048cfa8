"""Which modules of a model a configuration of PEFT means, by PEFT's rules, and the same said as places of a recipe."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from surveykit.catalog.peft_file import PeftFile
from surveykit.errors import MissingExtra, SurveyError
from surveykit.recipes import Place, Role, Where

ALL_LINEAR = "all-linear"
MOST_MODULES = 5_000
"""Whole names that a recipe may hold."""
MOST_LETTERS = 1_000
"""Letters of a regular expression that a recipe may hold."""

Targets = tuple[str, ...] | str
"""Ends of names, or one regular expression over whole names (or `all-linear`)."""


class NotOurs(Exception):  # noqa: N818 (no error: PEFT's own modules take over)
    """Our recipes cannot say what the file says; the text is the reason."""


@dataclass(frozen=True)
class ModelParts:
    """What of a model a configuration of PEFT speaks of: names, and the places that recipes know by those names."""

    model_type: str
    task: str
    """What PEFT calls the task of the model's class."""
    modules: tuple[str, ...]
    """The path of every module, in the model's order."""
    linear: tuple[str, ...]
    """… of those that PEFT takes for `all-linear`: every linear layer, of a task's head too, but the output layer."""
    places: tuple[Place, ...]
    """Those of recipes, with their names."""
    holders: frozenset[str]
    """Paths of the modules that hold a parameter themselves."""
    biases: frozenset[str]
    """Paths of the parameters whose names have the word bias in them, as PEFT finds them."""
    defaults: Mapping[str, Targets] | None
    """The targets that PEFT takes where a file names none, by its key; None where PEFT is not there to tell."""

    def named(self, *roles: Role) -> dict[str, Place]:
        """Places of these roles by name."""
        return {place.name: place for place in self.places if place.role in roles}

    @property
    def both_stacks(self) -> bool:
        return len({place.sublayer.partition(".")[0] for place in self.places if place.role == "input"}) == 2


def targets_of(file: PeftFile, parts: ModelParts, key: str = "target_modules") -> Targets:
    """The targets that a file names, or else those that PEFT takes for this type of model.

    Raises:
        SurveyError: it names none, and PEFT knows none.
        MissingExtra: it names none, and PEFT is not there to tell.
    """
    said = file.names(key)
    if said is not None:
        return said
    if parts.defaults is None:
        told = f"PEFT's own default for models of type '{parts.model_type}' is meant"
        raise MissingExtra("peft", "peft", f"{file.name} names no {key}: {told}, and reading it")
    default = parts.defaults.get(key)
    if default is None:
        raise SurveyError(
            f"{file.name} names no {key}, and PEFT has no default for models of type '{parts.model_type}'; add them"
        )
    return default


def selected(file: PeftFile, parts: ModelParts, targets: Targets) -> list[str]:
    """Names of the modules that PEFT adapts, in the model's order.

    Raises:
        SurveyError: there are none, or an expression is none.
    """
    if isinstance(targets, str) and targets.lower() == ALL_LINEAR:
        names: Sequence[str] = parts.linear
    elif isinstance(targets, str):
        pattern = compiled(file, targets)
        names = [name for name in parts.modules if name and pattern.fullmatch(name)]
    else:
        layers = _layers(file)
        whole = {*targets}
        names = [
            name
            for name in parts.modules
            if name in whole or (ends_with(name, targets) and (layers is None or _layer(file, name) in layers))
        ]
    left_out, saved = file.names("exclude_modules") or (), file.names("modules_to_save") or ()
    found = [name for name in names if not _left_out(file, name, left_out) and not _inside(name, saved)]
    if not found:
        given = targets if isinstance(targets, str) else ", ".join(targets)
        ends = dict.fromkeys(name.rpartition(".")[2] for name in parts.named("linear", "norm"))
        raise SurveyError(f"{file.name}: the model has no module {given[:200]}; it has {', '.join(ends)}")
    return found


def as_where(
    file: PeftFile, parts: ModelParts, names: Collection[str], targets: Targets, role: Role = "linear"
) -> Where:
    """The places of these names, as shortly as the file says it, else by their whole names.

    Raises:
        NotOurs: a recipe of this kind does not go on one of them.
    """
    known = parts.named(role)
    for name in names:
        if name not in known:
            kind = {"linear": "linear layer", "norm": "norm", "embedding": "table"}[role]
            raise NotOurs(f"the recipe does not go on {name}, which is no {kind} in front of the output layer")
    short = _short(file, targets, role)
    if {name for name, place in known.items() if short.matches(place)} == {*names}:
        return short
    if len(names) > MOST_MODULES:
        raise NotOurs(f"more than {MOST_MODULES:,} modules would have to be named")
    return Where(roles=(role,), modules=tuple(names))


def ends_with(name: str, ends: Iterable[str]) -> bool:
    """Whether a path is one of these names, or ends with one, part by part."""
    return any(name == end or name.endswith(f".{end}") for end in ends)


def compiled(file: PeftFile, pattern: str) -> re.Pattern[str]:
    """A regular expression of a file.

    Raises:
        SurveyError: it is none.
    """
    try:
        return re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise SurveyError(f"{file.name}: '{pattern[:100]}' is no regular expression: {error}") from None


def by_pattern(file: PeftFile, key: str, names: Iterable[str]) -> dict[str, float | None]:
    """For each name, the number that a pattern of a file gives it, as `rank_pattern` does; None where none does."""
    patterns = {compiled(file, rf"(.*\.)?({text})$"): value for text, value in file.numbers_by_name(key).items()}
    return {name: next((v for pattern, v in patterns.items() if pattern.match(name)), None) for name in names}


def _short(file: PeftFile, targets: Targets, role: Role) -> Where:
    """What a file says, as a recipe would: mostly, though not always, these are the places that PEFT takes."""
    if isinstance(targets, tuple):
        layers = _layers(file)
        return Where(roles=(role,), modules=targets or None, layers=None if layers is None else tuple(sorted(layers)))
    every = targets.lower() == ALL_LINEAR or len(targets) > MOST_LETTERS
    return Where(roles=(role,), pattern=None if every else targets)


def _layers(file: PeftFile) -> set[int] | None:
    """The layers that a file chooses; None for all."""
    value: JsonValue = file.content.get("layers_to_transform")
    if value is None or value == []:
        return None
    numbers = value if isinstance(value, list) else [value]
    found = {n for n in numbers if isinstance(n, int) and not isinstance(n, bool) and n >= 0}
    if len(found) != len(numbers):
        raise SurveyError(f"{file.name}: layers_to_transform must be whole numbers from 0, each once")
    return found


def _layer(file: PeftFile, name: str) -> int | None:
    """The layer of a module as PEFT reads it: the first number in its path, or that behind `layers_pattern`."""
    asked = file.names("layers_pattern") or ()
    patterns = [compiled(file, rf"(?:^|.*?\.){p}\.(\d+)\.") for p in ((asked,) if isinstance(asked, str) else asked)]
    found = (match for p in patterns or [_FIRST] if (match := p.match(name)))
    match = next(found, None)
    return None if match is None else int(match[1])


_FIRST = re.compile(r".*?\.[^.]*\.(\d+)\.")


def _left_out(file: PeftFile, name: str, left_out: Targets) -> bool:
    if isinstance(left_out, str):
        return bool(left_out) and compiled(file, left_out).fullmatch(name) is not None
    return ends_with(name, left_out)


def _inside(name: str, saved: Targets) -> bool:
    """Whether a module is one that is trained as it is, or inside one."""
    return any(
        re.match(rf"(^|.*\.){re.escape(m)}($|\..*)", name) for m in ((saved,) if isinstance(saved, str) else saved)
    )
