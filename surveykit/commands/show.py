"""`surveykit show`: one method, claim beside measurement."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

from surveykit import output
from surveykit.commands.arguments import add_budget, add_changes, add_model, changes, terminal_width

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from surveykit.catalog.peft_arguments import PeftArguments
    from surveykit.database.methods import Portrait

_EXAMPLES = """\
examples:
  surveykit show lora
  surveykit show lora --model llama-3.2-3b --set rank=32 --targets all-linear --as peft
  surveykit show ia3 --model path/to/config.json --as peft --format json > adapter_config.json"""


def add_arguments(parser: ArgumentParser) -> None:
    parser.epilog = f"{_EXAMPLES}\n\n{parser.epilog}"
    parser.add_argument("method", metavar="METHOD", help="id of a method; with --as, also method/configuration")
    parser.add_argument(
        "--as", dest="as_", choices=("peft",), help="print the equivalent PEFT configuration for --model"
    )
    add_model(parser)
    add_budget(parser)
    add_changes(parser)
    parser.add_argument("--format", choices=output.FORMATS, default="table", help="how to print (default: table)")


def run(arguments: Namespace) -> int:
    from surveykit.api.showing import show
    from surveykit.errors import SurveyError

    if arguments.as_ and arguments.format not in ("table", "markdown", "json"):
        raise SurveyError(f"a PEFT configuration is printed as Python or json, not as --format {arguments.format}")
    found: Any = show(
        arguments.method, as_=arguments.as_, model=arguments.model, trainable_budget=arguments.trainable_budget,
        catalog=arguments.catalog, **changes(arguments),
    )  # fmt: skip
    _print_arguments(found, arguments.format) if arguments.as_ else _print_portrait(found, arguments.format)
    return 0


def _print_arguments(found: PeftArguments, format: str) -> None:
    for note in found.notes:
        print(note, file=sys.stderr)
    code = found.json() if format == "json" else found.python()
    print(f"```python\n{code}\n```" if format == "markdown" else code)


def _print_portrait(found: Portrait, format: str) -> None:
    from dataclasses import astuple, fields
    from textwrap import fill

    from surveykit.catalog.hyper_parameters import as_typed
    from surveykit.database.methods import Fact

    width = terminal_width()
    if format == "table":
        for paragraph in found.paragraphs:
            print(fill(paragraph, width=min(width or 100, 100)), end="\n\n")
    elif format == "markdown":
        print("\n\n".join(found.paragraphs), end="\n\n")
    else:
        print(found.paragraphs[0], file=sys.stderr)
    if found.hyper_parameters and format in ("table", "markdown"):
        rows = [[f"{h.name}={' or '.join(map(as_typed, h.values))}", h.allowed] for h in found.hyper_parameters]
        print(output.render(["--set (as it is)", "can be"], rows, format, width), end="\n\n")
    columns = [field.name for field in fields(Fact)]
    print(output.render(columns, [astuple(fact) for fact in found.facts], format, width))
