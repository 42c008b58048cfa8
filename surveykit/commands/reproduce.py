"""`surveykit reproduce`: everything in one go, from the files of the catalog to the site."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path


def add_arguments(parser: ArgumentParser) -> None:
    parser.description = "Measure and verify every configuration, then write build/surveykit.duckdb and build/site."
    parser.add_argument("--config", metavar="FILE", type=Path, default=Path("mkdocs.yml"), help="default: %(default)s")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def run(arguments: Namespace) -> int:
    from surveykit.commands import build, site, verify

    database = Path("build/surveykit.duckdb")
    database.parent.mkdir(exist_ok=True)
    build.run(Namespace(catalog=arguments.catalog, output=database))
    site.run(Namespace(**vars(arguments), offline=False))
    everything = {"table": None, "verdict": None, "format": "table", "summary": True}
    return verify.run(Namespace(**vars(arguments), **everything))
