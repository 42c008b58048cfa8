"""`surveykit cite`: BibTeX of methods, or of papers by key."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("name", nargs="+", metavar="METHOD", help="id of a method, or key of a paper")


def run(arguments: Namespace) -> int:
    from surveykit.api.asking import cite

    print("\n\n".join(cite(arguments.name, catalog=arguments.catalog)))
    return 0
