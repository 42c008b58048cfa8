"""The parser of the command line, what a module of this package has, and what several of them share."""

from __future__ import annotations

import argparse
import os
import sys

import surveykit
from surveykit.errors import nearest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, NoReturn, Protocol

    from surveykit.engine.device_runs import DeviceRun
    from surveykit.engine.on_model import CostsOnModel, CountOnModel

    class Command(Protocol):
        """What every module of surveykit.commands has."""

        def add_arguments(self, parser: argparse.ArgumentParser) -> None: ...

        def run(self, arguments: argparse.Namespace) -> int: ...


EXIT_CODES = (
    "exit codes: 0 success, 1 findings, 2 wrong usage, invalid catalog\n"
    "or a problem of the environment, 70 a bug in surveykit, 130 interrupted"
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
        description="Query, measure and verify a catalog of parameter-efficient fine-tuning methods.",
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


def add_model(parser: argparse._ActionsContainer, *, required: bool = False, several: bool = False) -> None:
    """The option that names a model, or several."""
    where = "a config.json, a folder with one, a model's id in the catalog, or a name on the hub"
    help = f"{where}; several give one table" if several else where
    kind: dict[str, Any] = {"nargs": "+"} if several else {}
    parser.add_argument("--model", metavar="DIR|HUB_ID|CONFIG.json", required=required, help=help, **kind)


def add_peft(parser: argparse._ActionsContainer) -> None:
    """The option that names configurations of PEFT."""
    parser.add_argument(
        "--peft", action="append", metavar="FILE|DIR|HUB_ID",
        help="a PEFT configuration: an adapter_config.json, a folder with one, or an adapter on the hub; may be repeated; "
        "without --model, the model that it was trained on is used",
    )  # fmt: skip


CHANGES = ("set", "targets", "roles", "layers", "top_layers", "also_train", "head")
"""Arguments that say what is changed in configurations; the functions of surveykit.api take them by these names."""


def add_changes(parser: argparse.ArgumentParser) -> None:
    """Options that change hyper-parameters of configurations, and where their edits go."""
    group = parser.add_argument_group(
        "changes to the configurations, shown in their printed names (`surveykit show METHOD` lists hyper-parameters)"
    )
    group.add_argument(
        "--set", action="append", metavar="NAME=VALUE", type=_assignment,
        help="set a hyper-parameter, such as rank=32 or alpha=64, in the methods that have it; may be repeated",
    )  # fmt: skip
    group.add_argument(
        "--targets", metavar="NAMES|REGEX|all-linear",
        help="linear layers to edit, named as in PEFT: q_proj,v_proj (ends of their paths), a regular expression on the "
        "whole path, or all-linear",
    )  # fmt: skip
    group.add_argument("--roles", metavar="ROLES", help="roles to edit, whatever the model's names: query,value")
    group.add_argument(
        "--layers",
        metavar="LAYERS",
        help="layers of each stack: 0-11, or 0,3,-1 (write --layers=-2,-1 for the last two)",
    )
    group.add_argument("--top-layers", type=positive, metavar="N", help="the last N layers of each stack")
    group.add_argument(
        "--also-train", metavar="NAMES",
        help="pretrained modules to train and store as well, like PEFT's modules_to_save: lm_head,embed_tokens",
    )  # fmt: skip
    group.add_argument(
        "--head", type=positive, metavar="LABELS", help="give the model a classification head with this many labels"
    )


def changes(arguments: argparse.Namespace) -> dict[str, Any]:
    """What was typed of `add_changes`, as keyword arguments.

    Raises:
        SurveyError: a hyper-parameter is set twice.
    """
    from surveykit.errors import SurveyError

    set_: dict[str, Any] = {}
    for name, value in arguments.set or ():
        if name in set_:
            raise SurveyError(f"--set {name} is given twice")
        set_[name] = value
    return {name: getattr(arguments, name) for name in CHANGES} | {"set": set_}


def _assignment(text: str) -> tuple[str, Any]:
    from surveykit.catalog.variations import typed

    name, equals, value = text.partition("=")
    if not equals or not name.strip() or not value.strip():
        raise argparse.ArgumentTypeError(f"'{text}' is not a setting; write a name and a value, like rank=32")
    return name.strip(), typed(value)


def notes(rows: Sequence[CountOnModel] | Sequence[CostsOnModel] | Sequence[DeviceRun]) -> list[str]:
    """What has to be said of rows, each once: of one of several, behind its name."""
    every = [row.model.notes for row in rows]
    common = [note for note in every[0] if all(note in others for others in every)]
    apart = [f"{row.configuration}: {note}" for row in rows for note in row.model.notes if note not in common]
    return [*common, *apart]


def add_budget(parser: argparse._ActionsContainer) -> None:
    """The option that sizes methods."""
    budget = "choose rank, bottleneck, length… so that the last stage trains about 0.5%% of the model, or 2M parameters"
    parser.add_argument("--trainable-budget", metavar="0.5%|2M", type=_budget, help=budget)


def _budget(text: str) -> str:
    from surveykit.errors import SurveyError
    from surveykit.fit.sizes import parse_budget

    try:
        parse_budget(text)
    except SurveyError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def add_sample(parser: argparse.ArgumentParser) -> None:
    """Options that say which recorded costs, predictions, files and trials are measured again."""
    from surveykit.verify.again import SAMPLE

    parser.add_argument(
        "--sample", type=_sample_size, default=SAMPLE, metavar="N|all",
        help="how many recorded costs, predictions, files and trials to measure again (default: %(default)s, some 20 seconds)",
    )  # fmt: skip
    parser.add_argument("--seed", metavar="TEXT", help="seed of that sample (default: the commit)")


def _sample_size(text: str) -> int | None:
    if text == "all":
        return None
    if not text.isascii() or not text.isdecimal() or len(text) > 9:
        raise argparse.ArgumentTypeError(f"a whole number or all, not '{text}'")
    return int(text)


def positive(text: str) -> int:
    """A whole number from 1, for options."""
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number of at least 1")
    return number


class Progress:
    """A progress bar on standard error, to be given as `watch`; hidden where nobody looks."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._bar: Any = None

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *details: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def __call__(self, done: int, total: int) -> None:
        """Show how many are done.

        Raises:
            MissingExtra: the package for it is not installed.
        """
        if done == 0:
            self.__exit__()
            self._bar = self._new(total)
        self._bar.update(done - self._bar.n)

    def _new(self, total: int) -> Any:
        from surveykit.errors import MissingExtra

        try:
            from tqdm import tqdm

            class Bar(tqdm):  # type: ignore[type-arg]  # generic in the stubs only
                monitor_interval = 0  # no thread that looks after bars, and outlives them
        except ImportError as error:
            raise MissingExtra("tqdm", "measure") from error
        hidden = self._quiet or not sys.stderr.isatty()
        return Bar(total=total, unit="cell", disable=hidden, leave=False, file=sys.stderr)


def terminal_width() -> int | None:
    """Characters in a line: `COLUMNS` where it is set, else those of the terminal; None when the output goes elsewhere."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns):
        return int(columns)
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or None
    except (OSError, ValueError, AttributeError):
        return None
