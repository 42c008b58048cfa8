"""Flags that say how a training step runs: a named setting, and each field of it."""

from __future__ import annotations

import argparse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def add_training(parser: argparse.ArgumentParser, default: str, *, several: bool = False) -> None:
    """A flag for a named setting, and one for each field of `Training`, of the same name.

    Args:
        default: the setting where none is named, for the help.
        several: whether more than one setting may be named.
    """
    from surveykit.catalog.training import CHOICES, Training
    from surveykit.commands.arguments import positive
    from surveykit.descriptions import descriptions

    group = parser.add_argument_group("how a training step runs (catalog/settings.yaml has the named settings)")
    table = "several give one table; " if several else ""
    group.add_argument(
        "--setting", nargs="+" if several else None, metavar="NAME",
        help="a named setting, such as survey, trainer, trl, qlora, peft-benchmark, litgpt or fms; "
        f"{table}each flag below overrides one of its fields (default: {default})",
    )  # fmt: skip
    for name, field in Training.model_fields.items():
        kind: dict[str, Any]
        if name in CHOICES:
            kind = {"choices": CHOICES[name], "type": type(CHOICES[name][0])}
        elif field.annotation is bool:
            kind = {"action": argparse.BooleanOptionalAction}
        else:
            kind = {"type": positive, "metavar": "N"}
        words = " ".join(descriptions(Training).get(name, "").replace("`", "").split()).rstrip(".")
        group.add_argument(f"--{name.replace('_', '-')}", help=words, default=None, **kind)


def training(arguments: argparse.Namespace) -> dict[str, Any]:
    """What was typed of `add_training`, as keyword arguments; None where nothing was."""
    from surveykit.catalog.training import Training

    return {name: getattr(arguments, name) for name in ("setting", *Training.model_fields)}
