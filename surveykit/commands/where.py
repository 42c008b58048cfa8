"""`surveykit where`: which catalog and database are used, and why."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace


def add_arguments(parser: ArgumentParser) -> None:
    """No arguments of its own."""


def run(arguments: Namespace) -> int:
    from surveykit.api.making import where
    from surveykit.database import cache

    found = where(catalog=arguments.catalog)
    print(f"catalog   {found.catalog} ({found.chosen_by})")
    print(f"cache     {found.cache} ({cache.ENVIRONMENT} or the platform's cache folder)")
    print(f"database  {found.database}")
    return 0
