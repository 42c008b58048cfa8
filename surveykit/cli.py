"""The command line: `surveykit COMMAND …`.

Exit codes: 0 fine; 1 findings (a figure that drifted, a file that is out of date); 2 wrong usage or invalid catalog.
"""

from __future__ import annotations

import argparse
import os
import sys

import surveykit
from surveykit.errors import SurveyError, nearest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

# Each is a module of surveykit.commands, named like the command with _ for -.
COMMANDS = {
    "query": "find methods by a condition, or run one SELECT",
    "fields": "list the tables, views and columns that queries can use",
    "validate": "check every file of the catalog",
    "where": "say which catalog and which database are used, and why",
    "schema": "write the JSON Schemas of the catalog's files",
    "measure": "instantiate configurations and count their parameters",
    "verify-params": "measure again; fail on drift or an unexplained difference",
    "build": "write the database to a file",
    "site": "write the static site",
    "reproduce": "measure, verify, and write database and site",
}
EXIT_CODES = "exit codes: 0 fine, 1 findings, 2 wrong usage or invalid catalog"


class Parser(argparse.ArgumentParser):
    """An argument parser whose complaints say what to type next."""

    def error(self, message: str) -> NoReturn:
        wrong = message.partition("invalid choice: '")[2].partition("'")[0]
        if wrong and "COMMAND" in message:
            message = f"there is no command '{wrong}'{nearest(wrong, COMMANDS)}"
        self.exit(2, f"{self.prog}: {message}\nTry '{self.prog} --help'.\n")


def parser(words: Sequence[str]) -> Parser:
    """The parser, complete for the commands that occur among the words; the others only have their line of help."""
    main = Parser(
        prog="surveykit",
        description="A catalog of parameter-efficient fine-tuning methods: queried, measured, verified.",
        epilog=EXIT_CODES,
    )
    main.add_argument("--version", action="version", version=f"surveykit {surveykit.__version__}")
    main.add_argument("--catalog", metavar="DIR", help="the catalog to use (default: SURVEYKIT_CATALOG, ./catalog, bundled)")
    commands = main.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=Parser)
    for name, line in COMMANDS.items():
        below = commands.add_parser(name, help=line, description=f"{line[0].upper()}{line[1:]}.", epilog=EXIT_CODES)
        if name in words:
            below.add_argument("--catalog", metavar="DIR", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
            _module(name).add_arguments(below)
    return main


def _module(name: str) -> Command:
    from importlib import import_module

    return import_module(f"surveykit.commands.{name.replace('-', '_')}")  # type: ignore[return-value]


if TYPE_CHECKING:
    from typing import Protocol

    class Command(Protocol):
        """What a module of surveykit.commands has."""

        def add_arguments(self, parser: argparse.ArgumentParser) -> None: ...

        def run(self, arguments: argparse.Namespace) -> int: ...


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    words = sys.argv[1:] if argv is None else list(argv)
    try:
        arguments = parser(words).parse_args(words)
        code = _module(arguments.command).run(arguments)
        sys.stdout.flush()
        return code
    except SystemExit as stop:  # argparse: 0 after --help, 2 after a mistake
        return stop.code if isinstance(stop.code, int) else 2
    except SurveyError as error:
        print(f"surveykit: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader has seen enough. Point stdout elsewhere, or Python complains once more when it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
