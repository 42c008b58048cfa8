"""`surveykit schema`: JSON Schemas of the catalog's files, for editors."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--output", metavar="DIR", type=Path, help="where to (default: the folder schema of the catalog)"
    )
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if a file is out of date")


def schemas() -> dict[str, str]:
    """File name → JSON Schema, from the records that the loader uses."""
    import json

    from surveykit.catalog.models import ModelFile
    from surveykit.catalog.quantities import Quantities
    from surveykit.catalog.records import Method
    from surveykit.catalog.tables import DataChecks, Statements
    from surveykit.record import Record

    records: dict[str, type[Record]] = {
        "model": ModelFile,
        "data_checks": DataChecks,
        "method": Method,
        "quantities": Quantities,
        "statements": Statements,
    }
    return {
        f"{name}.schema.json": json.dumps(record.model_json_schema(), ensure_ascii=False, indent=2) + "\n"
        for name, record in records.items()
    }


def run(arguments: Namespace) -> int:
    from surveykit.catalog.locate import locate
    from surveykit.errors import SurveyError

    folder: Path = arguments.output or locate(arguments.catalog).root / "schema"
    outdated = 0
    for name, text in schemas().items():
        path = folder / name
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        outdated += 1
        if arguments.check:
            print(f"surveykit: {path} is out of date; run surveykit schema", file=sys.stderr)
            continue
        try:
            folder.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise SurveyError(f"{path} cannot be written: {error.strerror}") from None
        print(f"wrote {path}")
    return 1 if arguments.check and outdated else 0
