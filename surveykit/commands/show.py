"""`surveykit show`: one method, claim beside measurement."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

from surveykit import output


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("method", metavar="METHOD", help="its id")
    parser.add_argument("--format", choices=output.FORMATS, default="table", help="how to print (default: table)")


def run(arguments: Namespace) -> int:
    from textwrap import fill

    from surveykit.catalog.locate import locate
    from surveykit.commands.arguments import terminal_width
    from surveykit.database import cache
    from surveykit.database.methods import facts, portrait
    from surveykit.database.reading import reading

    width = terminal_width()
    with reading(cache.current(locate(arguments.catalog).root)) as reader:
        words = portrait(reader, arguments.method)
        columns, rows = facts(reader, arguments.method)
    if arguments.format == "table":
        for paragraph in words:
            print(fill(paragraph, width=min(width or 100, 100)), end="\n\n")
    elif arguments.format == "markdown":
        print("\n\n".join(words), end="\n\n")
    else:
        print(words[0], file=sys.stderr)
    print(output.render(columns, rows, arguments.format, width))
    return 0
