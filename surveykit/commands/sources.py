"""`surveykit sources`: what makes claims, and how its claims ended."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from surveykit import output


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--format", choices=output.FORMATS, default="table", help="how to print (default: table)")


def run(arguments: Namespace) -> int:
    from dataclasses import astuple, fields

    from surveykit.api.asking import sources
    from surveykit.commands.arguments import terminal_width
    from surveykit.database.sources import CountedSource

    rows = [astuple(source) for source in sources(catalog=arguments.catalog)]
    print(output.render([field.name for field in fields(CountedSource)], rows, arguments.format, terminal_width()))
    return 0
