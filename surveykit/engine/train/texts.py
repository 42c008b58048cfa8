"""Labelled texts: a table with a column of texts and one of labels, and the few that come along."""

from __future__ import annotations

import bz2
import csv
import gzip
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BufferedIOBase, BufferedReader, RawIOBase, TextIOWrapper
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, BinaryIO, TextIO

from surveykit.errors import SurveyError, nearest
from surveykit.files import open_regular

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

BUNDLED = Path(__file__).parent / "reviews.tsv"
"""Sentences of praise and complaint, written for this project."""
COLUMNS = ("text", "label")
_LONGEST_FIELD = 1 << 20
MOST_BYTES = 1 << 28
"""Bytes of text that are read at most, unpacked: a small packed file may unpack to any size."""
_UNPACKERS: Mapping[str, Callable[[BinaryIO], BufferedIOBase]] = {
    ".bz2": bz2.BZ2File,
    ".gz": lambda file: gzip.GzipFile(fileobj=file),
}


@dataclass(frozen=True)
class Example:
    text: str
    label: str


def read(path: Path, columns: tuple[str, str] = COLUMNS, only: Sequence[str] = ()) -> tuple[Example, ...]:
    """Read a TSV or CSV file with a header, also one packed by gzip or bzip2. Rows without text are left out.

    Args:
        columns: the names of the columns of texts and of labels.
        only: the labels to keep; all without any.

    Raises:
        SurveyError: no such file, a column is missing, a row has no label, or fewer than two labels are there.
    """
    try:
        with _open(path) as file:
            found = tuple(_rows(path, file, columns))
    except FileNotFoundError:
        raise SurveyError(f"there is no file {path}") from None
    except (OSError, EOFError, UnicodeDecodeError, csv.Error, zlib.error) as error:
        raise SurveyError(f"{path} is no table of texts: {error}") from error
    absent = [label for label in only if label not in {example.label for example in found}]
    if absent:
        raise SurveyError(
            f"{path} has no row with the label '{absent[0]}'{nearest(absent[0], {e.label for e in found})}"
        )
    kept = tuple(example for example in found if not only or example.label in only)
    if not kept:
        raise SurveyError(f"{path} has a header but no row with a text")
    labels = {example.label for example in kept}
    if len(labels) < 2:
        raise SurveyError(f"{path} has one label only, '{labels.pop()}'; a task needs two or more")
    return kept


def _open(path: Path) -> TextIO:
    file = open_regular(path)
    unpacked = _UNPACKERS[path.suffix](file) if path.suffix in _UNPACKERS else file
    return TextIOWrapper(BufferedReader(_Bounded(unpacked, file)), encoding="utf-8-sig", newline="")


class _Bounded(RawIOBase):
    """So many bytes of a file, and an error where there are more."""

    def __init__(self, unpacked: BufferedIOBase | BinaryIO, file: BinaryIO) -> None:
        self._file, self._below, self._left = unpacked, file, MOST_BYTES

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        found = self._file.read(memoryview(buffer).nbytes)
        self._left -= len(found)
        if self._left < 0:
            raise OSError(f"it has more than the {MOST_BYTES:,} bytes that are read")
        memoryview(buffer)[: len(found)] = found
        return len(found)

    def close(self) -> None:
        self._file.close()
        self._below.close()
        super().close()


def _rows(path: Path, file: TextIO, columns: tuple[str, str]) -> Iterator[Example]:
    first = file.readline(_LONGEST_FIELD)
    if not first.strip():
        raise SurveyError(f"{path} is empty; it needs a header with the columns {' and '.join(columns)}")
    separator = "\t" if "\t" in first else ","
    header = next(csv.reader([first], delimiter=separator))
    for column in columns:
        if column not in header:
            named = f"it has {', '.join(header)}{nearest(column, header)}"
            raise SurveyError(f"{path} has no column '{column}' ({named}); name them with --columns TEXT,LABEL")
    csv.field_size_limit(_LONGEST_FIELD)
    text_at, label_at = map(header.index, columns)
    rows = csv.reader(file, delimiter=separator)
    for row in rows:
        text = row[text_at].strip() if len(row) > text_at else ""
        if not text:
            continue
        label = row[label_at].strip() if len(row) > label_at else ""
        if not label:
            raise SurveyError(f"{path}:{rows.line_num + 1}: this row has a text and no {columns[1]}")
        yield Example(text, label)


def divided(examples: Sequence[Example], held_out: int, training: int) -> tuple[list[Example], list[Example]]:
    """Shuffle, always alike, and take so many examples to hold out, and up to so many others to train on.

    Raises:
        SurveyError: there are not enough for both.
    """
    if len(examples) < 2 * held_out:
        raise SurveyError(
            f"{len(examples)} texts are too few to train on a batch and hold another out; {2 * held_out} are needed"
        )
    shuffled = list(examples)
    Random(0).shuffle(shuffled)
    return shuffled[:held_out], shuffled[held_out : held_out + training]
