"""`surveykit export`: every table and view as files."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("folder", metavar="DIR", type=Path, help="folder to write to; created if missing")
    parser.add_argument(
        "--format", choices=("csv", "json", "parquet", "duckdb", "hf"), required=True,
        help="file format; hf: Parquet files and a data card, a folder for the Hugging Face hub",
    )  # fmt: skip


def run(arguments: Namespace) -> int:
    from surveykit.api.making import export

    written = export(arguments.folder, format=arguments.format, catalog=arguments.catalog)
    print(f"wrote {len(written)} file{'s' if len(written) != 1 else ''} to {arguments.folder}")
    return 0
