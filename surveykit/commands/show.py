"""`surveykit show`: one method, claim beside measurement."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

from surveykit import output


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("method", metavar="METHOD", help="its id")
    parser.add_argument("--format", choices=output.FORMATS, default="table", help="how to print (default: table)")


def run(arguments: Namespace) -> int:
    from dataclasses import astuple, fields
    from textwrap import fill

    from surveykit.api.asking import show
    from surveykit.catalog.hyper_parameters import as_typed
    from surveykit.commands.arguments import terminal_width
    from surveykit.database.methods import Fact

    width = terminal_width()
    found = show(arguments.method, catalog=arguments.catalog)
    if arguments.format == "table":
        for paragraph in found.paragraphs:
            print(fill(paragraph, width=min(width or 100, 100)), end="\n\n")
    elif arguments.format == "markdown":
        print("\n\n".join(found.paragraphs), end="\n\n")
    else:
        print(found.paragraphs[0], file=sys.stderr)
    if found.hyper_parameters and arguments.format in ("table", "markdown"):
        rows = [[f"{h.name}={' or '.join(map(as_typed, h.values))}", h.allowed] for h in found.hyper_parameters]
        print(output.render(["--set (as it is)", "can be"], rows, arguments.format, width), end="\n\n")
    columns = [field.name for field in fields(Fact)]
    print(output.render(columns, [astuple(fact) for fact in found.facts], arguments.format, width))
    return 0
