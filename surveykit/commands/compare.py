"""`surveykit compare`: methods side by side, claims and measurements."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

from surveykit import output
from surveykit.commands.arguments import add_budget, add_changes, changes

_EXAMPLES = """\
examples:
  surveykit compare lora ia3 adapters
  surveykit compare lora dora --backbone llama-3.2-3b --set rank=32 --targets all-linear
  surveykit compare lora adapters --trainable-budget 0.5%"""


def add_arguments(parser: ArgumentParser) -> None:
    parser.epilog = f"{_EXAMPLES}\n\n{parser.epilog}"
    parser.add_argument("method", nargs="+", metavar="METHOD", help="ids of two or more methods")
    parser.add_argument(
        "--backbone", metavar="ID", default="t5-large", help="model of the measurements (default: %(default)s)"
    )
    add_budget(parser)
    add_changes(parser)
    parser.add_argument("--format", choices=output.FORMATS, default="table", help="how to print (default: table)")


def run(arguments: Namespace) -> int:
    from surveykit.api.comparing import compare
    from surveykit.commands.arguments import terminal_width

    found = compare(
        arguments.method, backbone=arguments.backbone, trainable_budget=arguments.trainable_budget,
        catalog=arguments.catalog, **changes(arguments),
    )  # fmt: skip
    for note in found.notes:
        print(note, file=sys.stderr)
    rows = [[name, *values] for name, values in found.properties.items()]
    caption = f"Measured and predicted figures are for {found.backbone}; costs are in the survey's setting."
    print(output.render(["property", *found.methods], rows, arguments.format, terminal_width(), caption))
    return 0
