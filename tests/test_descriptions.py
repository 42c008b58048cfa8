"""What fields mean: docstrings below them, read where they are shown."""

from __future__ import annotations

import subprocess
import sys

from conftest import ROOT

from surveykit.catalog.training import Training
from surveykit.descriptions import descriptions
from surveykit.record import Record


class Base(Record):
    """A record."""

    first: int
    """What the
    first is."""
    second: int = 2
    third: int
    """Inherited."""


class Below(Base):
    second: int = 3
    """Said at last."""
    third: int
    fourth: int
    "In plain quotes."

    class Inside(Record):
        alone: int
        """In a class within a class."""


def of_fields(record: type[Record]) -> dict[str, str]:
    return {name: says for name, says in descriptions(record).items() if name in record.model_fields}


def test_docstrings_of_fields_are_found_with_those_of_bases() -> None:
    assert of_fields(Base) == {"first": "What the\nfirst is.", "third": "Inherited."}
    assert of_fields(Below) == of_fields(Base) | {"second": "Said at last.", "fourth": "In plain quotes."}
    assert of_fields(Below.Inside) == {"alone": "In a class within a class."}


def test_a_class_within_a_function_has_them_too() -> None:
    class Local(Record):
        here: int
        """Here."""

    assert of_fields(Local) == {"here": "Here."}


def test_a_schema_says_what_fields_mean() -> None:
    fields = Below.model_json_schema()["properties"]
    assert {name: field.get("description") for name, field in fields.items()} == of_fields(Below)
    assert all("description" in field for field in Training.model_json_schema()["properties"].values())


def test_a_command_reads_no_source_to_start() -> None:
    quick = "import sys, surveykit.catalog.load; assert 'surveykit.descriptions' not in sys.modules"
    subprocess.run([sys.executable, "-c", quick], check=True, cwd=ROOT)
