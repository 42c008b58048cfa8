"""`surveykit count`: what methods train on any model, without weights."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace

from surveykit import output

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fractions import Fraction

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
    add_model(parser)
    parser.add_argument("--config", metavar="NAME", help="this configuration of the methods instead of the default")
    budget = "set rank, bottleneck, length… to what comes nearest to 0.5%% of the model, or to 2M parameters"
    parser.add_argument("--trainable-budget", metavar="0.5%|2M", type=budget_of, help=budget)
    parser.add_argument("--format", choices=output.FORMATS, default="table", help="how to print (default: table)")


def add_model(parser: ArgumentParser, *, required: bool = True) -> None:
    """The option that names a model, for every command that takes one."""
    where = "a folder with a config.json, such a file, a backbone's id in the catalog, or a name on the hub"
    parser.add_argument("--model", metavar="DIR|HUB_ID|CONFIG.json", required=required, help=where)


def run(arguments: Namespace) -> int:
    from dataclasses import astuple, fields

    from surveykit.catalog.chosen import chosen_recipes
    from surveykit.catalog.locate import locate
    from surveykit.commands.arguments import terminal_width

    root = locate(arguments.catalog).root
    recipes = chosen_recipes(root, arguments.method, arguments.config)
    from surveykit.engine.on_model import OnModel, count_on, model_named

    instance = model_named(arguments.model, root).build()
    rows = list(count_on(instance, recipes, _amount(arguments.trainable_budget, instance.parameters)))
    columns = [field.name for field in fields(OnModel)]
    unused = {
        i for i, name in enumerate(columns) if name in ("size", "reason") and not any(astuple(r)[i] for r in rows)
    }
    if arguments.format in ("table", "markdown"):
        print(described(instance))
        shown = [i for i in range(len(columns)) if i not in unused]
    else:
        shown = list(range(len(columns)))
        print(described(instance), file=sys.stderr)
    cells = [[astuple(row)[i] for i in shown] for row in rows]
    print(output.render([columns[i] for i in shown], cells, arguments.format, terminal_width()))
    return 0 if any(row.trainable is not None for row in rows) else 1


def described(instance: object) -> str:
    """The model in one line: what was built, and the denominator of percentages."""
    from surveykit.engine.models import Instance

    assert isinstance(instance, Instance)
    built = f"{type(instance.model).__name__} of {instance.parameters:,} parameters"
    return f"{instance.name}: {built}, each counted once; percentages are of them"


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
