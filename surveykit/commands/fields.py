"""`surveykit fields`: what queries can name."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from surveykit import output


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("table", nargs="?", metavar="TABLE", help="show one table or view; default: list all")
    parser.add_argument("--format", choices=output.FORMATS, default="table", help="how to print (default: table)")


def run(arguments: Namespace) -> int:
    from surveykit.api.asking import fields
    from surveykit.commands.arguments import terminal_width

    columns = ("name", "kind", "comment") if arguments.table is None else ("column", "type", "comment")
    rows = [(field.name, field.kind, field.comment) for field in fields(arguments.table, catalog=arguments.catalog)]
    print(output.render(columns, rows, arguments.format, terminal_width()))
    return 0
