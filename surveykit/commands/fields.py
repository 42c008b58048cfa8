"""`surveykit fields`: what queries can name."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from surveykit import output


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("table", nargs="?", metavar="TABLE", help="one table or view; without it, the list of all")
    parser.add_argument("--format", choices=output.FORMATS, default="table", help="how to print (default: table)")


def run(arguments: Namespace) -> int:
    from surveykit.catalog.locate import locate
    from surveykit.commands.arguments import terminal_width
    from surveykit.database import cache, fields

    database = cache.current_file(locate(arguments.catalog).folder)
    if arguments.table is None:
        columns, rows = fields.tables(database)
    else:
        columns, rows = fields.columns(database, arguments.table)
    print(output.render(columns, rows, arguments.format, terminal_width()))
    return 0
