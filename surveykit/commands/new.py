"""`surveykit new`: a commented source, method, model or plan to fill in."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path


def add_arguments(parser: ArgumentParser) -> None:
    from surveykit.scaffold import KINDS

    parser.add_argument("kind", choices=KINDS, help="what to write")
    parser.add_argument("name", metavar="NAME", help="its id, such as my-paper")
    parser.add_argument(
        "--config", type=Path, metavar="config.json", help="for a model: its configuration file, copied unchanged"
    )
    parser.epilog = (
        "Files are written below ./catalog, or the folder of --catalog; such a folder extends the bundled catalog.\n\n"
        f"{parser.epilog}"
    )


def run(arguments: Namespace) -> int:
    from surveykit.api.making import new

    for path in new(arguments.kind, arguments.name, config=arguments.config, catalog=arguments.catalog):
        print(path)
    then = f"surveykit bench {arguments.name} --dry-run" if arguments.kind == "plan" else "surveykit validate"
    print(f"next: fill it in, then {then}")
    return 0
