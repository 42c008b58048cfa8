"""`surveykit build`: the database as a file of one's own."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--output",
        metavar="FILE",
        type=Path,
        default=Path("surveykit.duckdb"),
        help="file to write (default: %(default)s)",
    )


def run(arguments: Namespace) -> int:
    from surveykit.api.making import build

    print(f"wrote {build(arguments.output, catalog=arguments.catalog)}")
    return 0
