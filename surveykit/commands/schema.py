"""`surveykit schema`: JSON Schemas of the catalog's files, for editors."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--output", metavar="DIR", type=Path, help="folder to write to (default: the catalog's folder schema)"
    )
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if a file is out of date")


def run(arguments: Namespace) -> int:
    from surveykit.api.making import schema

    outdated = schema(output=arguments.output, check=arguments.check, catalog=arguments.catalog)
    for path in outdated:
        if arguments.check:
            print(f"surveykit: {path} is out of date; run surveykit schema", file=sys.stderr)
        else:
            print(f"wrote {path}")
    return 1 if outdated and arguments.check else 0
