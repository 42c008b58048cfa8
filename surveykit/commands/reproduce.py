"""`surveykit reproduce`: everything in one go, from the files of the catalog to the site."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from surveykit.commands.verify import add_sample

DATABASE = Path("build/surveykit.duckdb")


def add_arguments(parser: ArgumentParser) -> None:
    parser.description = (
        "Measure all counts and a sample of the recorded costs and trials again, and judge Tables 1, 2 and 5. Where nothing is "
        "found, write the site and build/surveykit.duckdb, both from one catalog: --catalog, SURVEYKIT_CATALOG, or the one that "
        "--config names. Where something is found, write nothing."
    )
    parser.epilog = "exit codes: 0 written; 1 findings, listed on standard error, and nothing written; 2 wrong usage or invalid catalog"
    parser.add_argument("--config", metavar="FILE", type=Path, default=Path("mkdocs.yml"), help="default: %(default)s")
    add_sample(parser)
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def run(arguments: Namespace) -> int:
    from surveykit.catalog.load import load
    from surveykit.commands import verify
    from surveykit.database.build import build as build_database
    from surveykit.errors import SurveyError
    from surveykit.site.build import build as build_site
    from surveykit.site.build import catalog_named_by
    from surveykit.verify.again import digest_of

    location = catalog_named_by(arguments.config, arguments.catalog)  # first: without MkDocs no minute is spent
    print(f"catalog: {location.folder} ({location.chosen_by})", flush=True)
    content = digest_of(location.root)
    catalog = load(location.root)
    report, checked = verify.check(catalog, arguments)
    verify.show(report, Namespace(table=None, verdict=None, format="table", summary=True))
    if not report.passed:
        print(f"nothing was written: no site, and no {DATABASE}", file=sys.stderr)
        return 1
    if digest_of(location.root) != content:
        raise SurveyError(f"{location.folder} changed while it was verified, so nothing was written; run this again")
    site = build_site(arguments.config, catalog=location.root, strict=True, checked=checked)
    build_database(catalog, DATABASE)
    print(f"wrote {site} and {DATABASE}")
    return 0
