"""`surveykit count`: what methods train on any model, without weights."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace

from surveykit import output
from surveykit.commands.arguments import add_model, terminal_width

_EXAMPLES = """\
examples:
  surveykit count lora ia3 --model path/to/config.json
  surveykit count lora/all-linear-r8 --model meta-llama/Llama-3.2-1B
  surveykit count all --model t5-large --format csv
  surveykit count lora adapters --model path/to/model --trainable-budget 0.5%"""
COLUMNS = ("configuration", "trainable", "percent", "trainable_last_stage", "added", "changed", "stored_bytes",
           "update_rank", "size", "reason")  # fmt: skip


def add_arguments(parser: ArgumentParser) -> None:
    parser.epilog = f"{_EXAMPLES}\n\n{parser.epilog}"
    parser.add_argument("method", nargs="+", metavar="METHOD", help="a method, method/configuration, or `all`")
    add_model(parser, required=True)
    parser.add_argument("--config", metavar="NAME", help="this configuration of the methods instead of the default")
    budget = "set rank, bottleneck, length… to what trains nearest to 0.5%% of the model, or to 2M parameters, in the last stage"
    parser.add_argument("--trainable-budget", metavar="0.5%|2M", type=_budget, help=budget)
    parser.add_argument("--format", choices=output.FORMATS, default="table", help="how to print (default: table)")


def _budget(text: str) -> str:
    from surveykit.errors import SurveyError
    from surveykit.fit.sizes import parse_budget

    try:
        parse_budget(text)
    except SurveyError as error:
        raise ArgumentTypeError(str(error)) from None
    return text


def run(arguments: Namespace) -> int:
    from surveykit.api.measuring import count

    found = count(
        arguments.method, model=arguments.model, config=arguments.config,
        trainable_budget=arguments.trainable_budget, catalog=arguments.catalog,
    )  # fmt: skip
    model = found[0].model
    described = (
        f"{model.name}: {model.architecture} of {model.parameters:,} parameters, each counted once; percentages are of "
        "them; trainable is of the stage that trains most, stored_bytes are at 4 bytes a number"
    )
    readable = arguments.format in ("table", "markdown")
    print("\n".join([described, *model.notes]), file=sys.stdout if readable else sys.stderr)
    rows = [[getattr(row, column) for column in COLUMNS] for row in found]
    columns, rows = output.without_empty(COLUMNS, rows) if readable else (COLUMNS, rows)
    print(output.render(columns, rows, arguments.format, terminal_width()))
    return 0 if any(row.trainable is not None for row in found) else 1
