"""The parser of the command line, and what a module of this package has."""

from __future__ import annotations

import argparse
import os
import sys

import surveykit
from surveykit.errors import nearest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import NoReturn, Protocol

    class Command(Protocol):
        """What every module of surveykit.commands has."""

        def add_arguments(self, parser: argparse.ArgumentParser) -> None: ...

        def run(self, arguments: argparse.Namespace) -> int: ...


EXIT_CODES = (
    "exit codes: 0 fine, 1 findings, 2 wrong usage or invalid catalog,\n"
    "or the environment cannot do it; 70 a fault of surveykit itself, 130 interrupted"
)


class _Help(argparse.RawDescriptionHelpFormatter):
    """Help as wide as the terminal. argparse asks shutil for the width, whose import every command would pay for."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=min(terminal_width() or 80, 120) - 2)


class _Parser(argparse.ArgumentParser):
    """An argument parser whose complaints say what to type next."""

    def error(self, message: str) -> NoReturn:
        words = message.split("'")
        if "COMMAND: invalid choice" in message and len(words) > 2:
            allowed = [word for word in words[3:] if word.strip(", )")]
            message = f"there is no command '{words[1]}'{nearest(words[1], allowed)}"
        self.exit(2, f"{self.prog}: {message}\nTry '{self.prog} --help'.\n")


def parser(commands: Mapping[str, str], words: Sequence[str]) -> argparse.ArgumentParser:
    """The parser, complete for the commands that occur among the words; the others only have their line of help.

    Args:
        commands: name and line of help of every command.
        words: the command line.
    """
    main = _Parser(
        prog="surveykit",
        description="A catalog of parameter-efficient fine-tuning methods: queried, measured, verified.",
        epilog=EXIT_CODES,
        formatter_class=_Help,
    )
    main.add_argument("--version", action="version", version=f"surveykit {surveykit.__version__}")
    rule = "the catalog to use (default: SURVEYKIT_CATALOG, ./catalog, or the bundled one)"
    main.add_argument("--catalog", metavar="DIR", help=rule)
    below = main.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=_Parser)
    for name, line in commands.items():
        described = f"{line[0].upper()}{line[1:]}."
        command = below.add_parser(name, help=line, description=described, epilog=EXIT_CODES, formatter_class=_Help)
        if name in words:
            command.add_argument("--catalog", metavar="DIR", default=argparse.SUPPRESS, help=rule)
            module(name).add_arguments(command)
    return main


def module(name: str) -> Command:
    """The module of a command."""
    from importlib import import_module

    return import_module(f"surveykit.commands.{name.replace('-', '_')}")


def terminal_width() -> int | None:
    """Characters in a line: `COLUMNS` where it is set, else those of the terminal; None when the output goes elsewhere."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns):
        return int(columns)
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or None
    except (OSError, ValueError, AttributeError):
        return None
