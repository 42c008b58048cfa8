"""`surveykit reproduce`: everything in one go, from the files of the catalog to the site."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from surveykit.commands.arguments import Progress, add_sample

TYPE_CHECKING = False
if TYPE_CHECKING:
    from surveykit.api.verifying import Verification


def add_arguments(parser: ArgumentParser) -> None:
    parser.description = (
        "Measure again all counts and a sample of the recorded costs, predictions, files and trials, and judge every claim. If all "
        "checks pass, write the site and build/surveykit.duckdb from one catalog: --catalog, SURVEYKIT_CATALOG, or the one "
        "that --config names. If a check fails, write nothing."
    )
    parser.epilog = (
        "exit codes: 0 written; 1 findings, listed on standard error, nothing written; 2 wrong usage or invalid catalog"
    )
    parser.add_argument("--config", metavar="FILE", type=Path, default=Path("mkdocs.yml"), help="default: %(default)s")
    add_sample(parser)
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def run(arguments: Namespace) -> int:
    from surveykit.api.making import DATABASE, reproduce
    from surveykit.site.build import catalog_named_by

    location = catalog_named_by(arguments.config, arguments.catalog)
    print(f"catalog: {location.folder} ({location.chosen_by})", flush=True)
    with Progress(quiet=arguments.quiet) as watch:
        found = reproduce(
            config=arguments.config, sample=arguments.sample, seed=arguments.seed, catalog=location.folder,
            watch=watch, verified=_show,
        )  # fmt: skip
    if not found.passed:
        print(f"nothing was written: no site and no {DATABASE}", file=sys.stderr)
        return 1
    print(f"wrote {found.site} and {found.database}")
    return 0


def _show(verification: Verification) -> None:
    for line in (verification.sample.sentence(), *verification.findings):
        print(line, file=sys.stderr)
    for sentence in verification.sentences():
        print(sentence)
    if verification.findings:
        print(f"{len(verification.findings)} findings", file=sys.stderr)
