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
    from surveykit.catalog.locate import locate
    from surveykit.site.build import build, catalog_named_by

    location = locate(arguments.catalog) if arguments.catalog else catalog_named_by(arguments.config)
    site = build(arguments.config, catalog=location.root, strict=True, offline=arguments.offline)
    print(f"wrote {site} from {location.folder} ({location.chosen_by})")
    return 0
