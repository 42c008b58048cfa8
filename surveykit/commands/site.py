"""`surveykit site`: the static site from the catalog."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--config", metavar="FILE", type=Path, default=Path("mkdocs.yml"), help="default: %(default)s")
    parser.add_argument(
        "--offline", action="store_true", help="pages that can be opened as files, without a web server"
    )


def run(arguments: Namespace) -> int:
    import os

    from surveykit.catalog.locate import ENVIRONMENT
    from surveykit.site.build import build

    if arguments.catalog:  # the MkDocs plugin looks for the catalog as every command does
        os.environ[ENVIRONMENT] = str(Path(arguments.catalog).resolve())
    print(f"wrote {build(arguments.config, strict=True, offline=arguments.offline)}")
    return 0
