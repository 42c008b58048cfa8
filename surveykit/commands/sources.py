"""`surveykit sources`: what makes claims, and how its claims ended."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from surveykit import output


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--format", choices=output.FORMATS, default="table", help="how to print (default: table)")


def run(arguments: Namespace) -> int:
    from surveykit.catalog.locate import locate
    from surveykit.commands.arguments import terminal_width
    from surveykit.database import cache
    from surveykit.database.reading import reading

    with reading(cache.current(locate(arguments.catalog).root)) as reader:
        columns, rows = reader.listing("SELECT * FROM sources ORDER BY date DESC, source")
    print(output.render(columns, rows, arguments.format, terminal_width()))
    return 0
