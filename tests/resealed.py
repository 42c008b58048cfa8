"""Files of catalog/measured as a forger would leave them: changed, with digests that fit."""

from __future__ import annotations

import csv
import typing
from collections.abc import Callable
from pathlib import Path

from surveykit.catalog.measurements import Recorded, Run
from surveykit.catalog.shelves import SHELVES

Row = dict[str, str]
RECORDS: dict[str, type[Recorded]] = {shelf.folder: shelf.record for shelf in SHELVES}


def record_of(path: Path) -> type[Recorded]:
    """What the rows of a file are."""
    return Run if path.name == "runs.csv" else RECORDS[path.parent.name]


def read(path: Path) -> list[Row]:
    """Rows as they stand there."""
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


def write(path: Path, rows: list[Row]) -> None:
    """Rows as they are given."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(record_of(path).model_fields), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def sealed(row: Row, record: type[Recorded]) -> Row:
    """The row with the digest of its values, whatever they are."""

    def value(name: str) -> object:
        kind, text = record.model_fields[name].annotation, row[name]
        whole = kind is int or int in typing.get_args(kind)
        return None if text == "" else int(text) if whole and text.isdecimal() else text

    return row | {"digest": record.digest_of({name: value(name) for name in record.values_of()})}


def change(path: Path, edit: Callable[[Row], object], *, where: Callable[[Row], bool] = lambda row: True) -> int:
    """Edit the rows of a file that are meant, in place, and seal them; how many they were."""
    rows = read(path)
    meant = [row for row in rows if where(row)]
    for row in meant:
        edit(row)
        row |= sealed(row, record_of(path))
    write(path, rows)
    return len(meant)
