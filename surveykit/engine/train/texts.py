"""Labelled texts: read from a table with a column of texts and one of labels, or the bundled ones."""

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
"""96 review sentences, positive and negative, written for this project."""
COLUMNS = ("text", "label")
_MOST_CHARACTERS = 1 << 20
"""Characters of a cell, or of the header, that are read at most."""
MOST_BYTES = 1 << 28
"""Bytes that are read at most, after unpacking: a small packed file may unpack to any size."""
_UNPACKERS: Mapping[str, Callable[[BinaryIO], BufferedIOBase]] = {
    ".bz2": bz2.BZ2File,
    ".gz": lambda file: gzip.GzipFile(fileobj=file),
}


@dataclass(frozen=True)
class Example:
    text: str
    label: str


def read(path: Path, columns: tuple[str, str] = COLUMNS, labels: Sequence[str] = ()) -> tuple[Example, ...]:
    """Read a TSV or CSV file with a header, also one packed by gzip or bzip2. Rows without text are left out.

    Args:
        path: the table; its suffix says how it is packed.
        columns: the names of the columns of texts and of labels.
        labels: the labels to keep; empty keeps all.

    Raises:
        SurveyError: there is no such file or column, a row has no label, or fewer than two labels are left.
    """
    try:
        with open_table(path) as file:
            examples = tuple(_rows(path, file, columns))
    except FileNotFoundError:
        raise SurveyError(f"there is no file {path}") from None
    except (OSError, EOFError, UnicodeDecodeError, csv.Error, zlib.error) as error:
        raise SurveyError(f"{path} is not a table of texts: {error}") from error
    if not examples:
        raise SurveyError(f"{path} has a header but no row with a text")
    present = {example.label for example in examples}
    for label in labels:
        if label not in present:
            raise SurveyError(f"{path} has no row with the label '{label}'{nearest(label, present)}")
    wanted = set(labels) or present
    if len(wanted) < 2:
        raise SurveyError(f"{path} has only one label, '{wanted.pop()}'; a task needs two or more")
    return tuple(example for example in examples if example.label in wanted)


def open_table(path: Path) -> TextIO:
    """A text file, also one packed by gzip or bzip2, of which no more than `MOST_BYTES` are read. Raises as `open_regular`."""
    file = open_regular(path)
    unpacked = _UNPACKERS[path.suffix](file) if path.suffix in _UNPACKERS else file
    return TextIOWrapper(BufferedReader(_Bounded(unpacked, file)), encoding="utf-8-sig", newline="")


class _Bounded(RawIOBase):
    """The bytes of an unpacked file, and an error once there are more than `MOST_BYTES`."""

    def __init__(self, unpacked: BufferedIOBase | BinaryIO, file: BinaryIO) -> None:
        self._unpacked, self._file, self._bytes_left = unpacked, file, MOST_BYTES

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        content = self._unpacked.read(memoryview(buffer).nbytes)
        self._bytes_left -= len(content)
        if self._bytes_left < 0:
            raise OSError(f"it is larger than {MOST_BYTES:,} bytes")
        memoryview(buffer)[: len(content)] = content
        return len(content)

    def close(self) -> None:
        self._unpacked.close()
        self._file.close()
        super().close()


def _rows(path: Path, file: TextIO, columns: tuple[str, str]) -> Iterator[Example]:
    header_line = file.readline(_MOST_CHARACTERS)
    if not header_line.strip():
        raise SurveyError(f"{path} is empty; it needs a header with the columns {' and '.join(columns)}")
    separator = "\t" if "\t" in header_line else ","
    header = next(csv.reader([header_line], delimiter=separator))
    for column in columns:
        if column not in header:
            present = f"it has {', '.join(header)}{nearest(column, header)}"
            raise SurveyError(f"{path} has no column '{column}' ({present}); name them with --columns TEXT,LABEL")
    csv.field_size_limit(_MOST_CHARACTERS)
    text_at, label_at = map(header.index, columns)
    rows = csv.reader(file, delimiter=separator)
    for row in rows:
        text = row[text_at].strip() if len(row) > text_at else ""
        if not text:
            continue
        label = row[label_at].strip() if len(row) > label_at else ""
        if not label:
            raise SurveyError(f"{path}:{rows.line_num + 1}: this row has a text but no {columns[1]}")
        yield Example(text, label)


def split_held_out(examples: Sequence[Example], held_out: int, training: int) -> tuple[list[Example], list[Example]]:
    """Shuffle with a fixed seed, and split off examples that are held out from those to train on.

    Args:
        examples: all of them.
        held_out: number of examples to hold out.
        training: number of examples to train on, at most.

    Returns:
        the held-out examples, and those to train on.

    Raises:
        SurveyError: there are fewer than twice as many as are held out.
    """
    if len(examples) < 2 * held_out:
        raise SurveyError(
            f"{len(examples)} texts are too few to train on one batch and hold out another; {2 * held_out} are needed"
        )
    shuffled = list(examples)
    Random(0).shuffle(shuffled)
    return shuffled[:held_out], shuffled[held_out : held_out + training]
