"""`surveykit where`: which catalog and database are used, and why."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace


def add_arguments(parser: ArgumentParser) -> None:
    """No arguments of its own."""


def run(arguments: Namespace) -> int:
    from surveykit.catalog.locate import locate
    from surveykit.database import cache

    location = locate(arguments.catalog)
    print(f"catalog   {location.folder} ({location.chosen_by})")
    print(f"cache     {cache.folder_of(location.folder)} ({cache.ENVIRONMENT} or the platform's cache folder)")
    print(f"database  {cache.current_file(location.folder)}")
    return 0
