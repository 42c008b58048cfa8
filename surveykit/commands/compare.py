"""`surveykit compare`: methods side by side, claims and measurements."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from surveykit import output


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("method", nargs="+", metavar="METHOD", help="ids of two or more methods")
    parser.add_argument(
        "--backbone", metavar="ID", default="t5-large", help="of the measurements (default: %(default)s)"
    )
    parser.add_argument("--format", choices=output.FORMATS, default="table", help="how to print (default: table)")


def run(arguments: Namespace) -> int:
    from surveykit.catalog.locate import locate
    from surveykit.commands.arguments import terminal_width
    from surveykit.database import cache
    from surveykit.database.methods import side_by_side
    from surveykit.database.reading import reading

    with reading(cache.current(locate(arguments.catalog).root)) as reader:
        columns, rows = side_by_side(reader, arguments.method, arguments.backbone)
    print(output.render(columns, rows, arguments.format, terminal_width()))
    return 0
