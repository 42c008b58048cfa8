"""`surveykit cite`: BibTeX of methods, or of papers by key."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("name", nargs="+", metavar="METHOD", help="id of a method, or key of a paper")


def run(arguments: Namespace) -> int:
    from surveykit.catalog.locate import locate
    from surveykit.database import cache
    from surveykit.database.methods import citations
    from surveykit.database.reading import reading

    with reading(cache.current(locate(arguments.catalog).root)) as reader:
        print("\n\n".join(citations(reader, arguments.name)))
    return 0
