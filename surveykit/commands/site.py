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
    from surveykit.api.making import site

    written = site(config=arguments.config, offline=arguments.offline, catalog=arguments.catalog or None)
    print(f"wrote {written.folder} from {written.catalog} ({written.chosen_by})")
    return 0
