"""`surveykit count`: what methods train on any model, without weights."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace

from surveykit import output

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import _ActionsContainer
    from collections.abc import Sequence
    from fractions import Fraction
    from typing import Any

    from surveykit.engine import Instance

_EXAMPLES = """\
examples:
  surveykit count lora ia3 --model path/to/config.json
  surveykit count lora/all-linear-r8 --model meta-llama/Llama-3.2-1B
  surveykit count all --model t5-large --format csv
  surveykit count lora adapters --model path/to/model --trainable-budget 0.5%"""
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "b": 10**9}


def add_arguments(parser: ArgumentParser) -> None:
    parser.epilog = f"{_EXAMPLES}\n\n{parser.epilog}"
    parser.add_argument("method", nargs="+", metavar="METHOD", help="a method, method/configuration, or `all`")
    add_model(parser, required=True)
    parser.add_argument("--config", metavar="NAME", help="this configuration of the methods instead of the default")
    budget = "set rank, bottleneck, length… to what trains nearest to 0.5%% of the model, or to 2M parameters, in the last stage"
    parser.add_argument("--trainable-budget", metavar="0.5%|2M", type=budget_of, help=budget)
    parser.add_argument("--format", choices=output.FORMATS, default="table", help="how to print (default: table)")


def add_model(parser: _ActionsContainer, *, required: bool = False) -> None:
    """The option that names a model, for every command that takes one."""
    where = "a folder with a config.json, such a file, a backbone's id in the catalog, or a name on the hub"
    parser.add_argument("--model", metavar="DIR|HUB_ID|CONFIG.json", required=required, help=where)


def positive(text: str) -> int:
    """A whole number from 1, for options."""
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise ArgumentTypeError(f"'{text}' is no whole number from 1")
    return number


def run(arguments: Namespace) -> int:
    from dataclasses import astuple, fields

    from surveykit.catalog.locate import locate
    from surveykit.catalog.selection import selected_recipes

    root = locate(arguments.catalog).root
    selected_recipes(root, arguments.method, arguments.config)  # a wrong name is said before a model is built
    from surveykit.engine.on_model import OnModel, count_on, model_named

    instance = model_named(arguments.model, root).build()
    recipes = selected_recipes(root, arguments.method, arguments.config, biases=instance.has_biases)
    budget = _amount(arguments.trainable_budget, instance.parameters)
    found = [astuple(row) for row in count_on(instance, recipes, budget)]
    show(
        [field.name for field in fields(OnModel)],
        found,
        [described(instance), *instance.blueprint.notes],
        arguments.format,
    )
    return 0 if any(row[1] is not None for row in found) else 1


def show(columns: Sequence[str], rows: Sequence[tuple[Any, ...]], heading: Sequence[str], format: str) -> None:
    """Rows under a few lines about the model; for reading, without columns that say nothing."""
    from surveykit.commands.arguments import terminal_width

    shown = list(range(len(columns)))
    if format in ("table", "markdown"):
        shown = [i for i in shown if any(row[i] is not None for row in rows)]
    print("\n".join(heading), file=sys.stdout if format in ("table", "markdown") else sys.stderr)
    cells = [[row[i] for i in shown] for row in rows]
    print(output.render([columns[i] for i in shown], cells, format, terminal_width()))


def described(instance: Instance) -> str:
    """The model in one line: what was built, and the denominator of percentages."""
    built = f"{type(instance.model).__name__} of {instance.parameters:,} parameters"
    return (
        f"{instance.name}: {built}, each counted once; percentages are of them; "
        "trainable is of the stage that trains most, stored_bytes are at 4 bytes a number"
    )


def budget_of(text: str) -> tuple[Fraction, bool]:
    """A budget, and whether it is a share of the model: `0.5%`, `2M`, `300k`, `1000000`."""
    from fractions import Fraction

    word = text.strip().replace(",", "").replace("_", "").lower()
    share, unit = word.endswith("%"), word[-1:] if word[-1:] in _UNITS else ""
    try:
        number = Fraction(word.removesuffix("%").removesuffix(unit) if unit else word.removesuffix("%"))
    except (ValueError, ZeroDivisionError):
        raise ArgumentTypeError(f"'{text}' is no budget; write 0.5%, 2M or 300000") from None
    if number <= 0 or (share and number > 100) or (not share and number * _UNITS[unit] < 1):
        raise ArgumentTypeError(f"'{text}' is no budget: a share is over 0% up to 100%, a number at least 1")
    return (number / 100, True) if share else (number * _UNITS[unit], False)


def _amount(budget: tuple[Fraction, bool] | None, parameters: int) -> Fraction | None:
    if budget is None:
        return None
    amount, share = budget
    return amount * parameters if share else amount
