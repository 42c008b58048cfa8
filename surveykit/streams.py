"""Standard output and standard error as every command writes to them, whatever they are connected to.

Names come from files, and files from strangers: a name may hold characters that a terminal obeys. They are shown, never
sent, in whatever is for reading. JSON and CSV keep every character; JSON escapes those that a terminal would obey.
"""

from __future__ import annotations

import os
import re
import sys

from surveykit.errors import SurveyError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

# Control characters but tabs and ends of lines, and those that turn the direction of writing or end a line unseen.
_OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
# What stands for the characters that we write ourselves where the encoding lacks them.
_SPELLED = str.maketrans(
    {"–": "-", "—": "-", "×": "x", "✓": "yes", "✗": "no", "…": "...", "≤": "<=", "≥": ">=", "’": "'"}
)
_FOR_READING = (None, "table", "markdown", "latex")


def visible(text: str) -> str:
    """A text with the characters that a terminal obeys written as escapes; tabs and ends of lines stay."""
    return _OBEYED.sub(lambda found: _escaped(found[0]), text)


def on_one_line(text: str) -> str:
    """As `visible`, with ends of lines escaped as well: what a name holds cannot pass for a message of ours."""
    return visible(text).replace("\n", "\\n")


def _escaped(text: str) -> str:
    return text.encode("unicode_escape").decode("ascii")


def _json_escaped(text: str) -> str:
    units = text.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[i : i + 4]}" for i in range(0, len(units), 4))


def _spelled(text: str, encoding: str) -> str:
    return text.translate(_SPELLED).encode(encoding, "backslashreplace").decode(encoding)


class ReaderGone(BaseException):
    """Who read standard output has closed it, as `head` does."""


class Output:
    """Standard output of one command.

    Args:
        stream: where to write.
        format: what is written: `table`, `markdown`, `latex` and None are for reading, all others for programs.
        width: characters in a line of the terminal, None where lines may have any length.
    """

    def __init__(self, stream: Any, format: str | None = None, width: int | None = None) -> None:
        self._stream = stream
        self._format = format
        self._width = width

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write a text.

        Raises:
            SurveyError: the disk is full, or the encoding lacks a character and the format has nothing for it.
            ReaderGone: nobody reads any more.
        """
        if self._format in _FOR_READING:
            text = visible(text)
            if self._width:
                text = _narrowed(text, self._width)
        elif self._format == "json":
            text = _OBEYED.sub(lambda found: _json_escaped(found[0]), text)
        try:
            self._stream.write(text)
        except UnicodeEncodeError as error:
            self._stream.write(self._in(error.encoding, text))
        except OSError as error:
            self._give_up(error)
        return len(text)

    def flush(self) -> None:
        """As `write`."""
        try:
            self._stream.flush()
        except OSError as error:
            self._give_up(error)

    def _in(self, encoding: str, text: str) -> str:
        """A text in an encoding that lacks some of its characters."""
        if self._format in _FOR_READING:
            return _spelled(text, encoding)
        if self._format == "json":
            return re.sub(r"[^\x00-\x7f]", lambda found: _json_escaped(found[0]), text)
        raise SurveyError(
            f"standard output is in {encoding}, which lacks characters of this; set PYTHONIOENCODING=utf-8"
        )

    def _give_up(self, error: OSError) -> None:
        _point_nowhere(self._stream)
        if isinstance(error, BrokenPipeError):
            raise ReaderGone from None
        raise SurveyError(f"standard output cannot be written: {error.strerror or error}") from None


class Messages:
    """Standard error. A message that cannot be written is lost; the answer and the exit code stand."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        start = "\r" if text.startswith("\r") else ""  # a progress bar goes back to the start of its line
        text = start + visible(text.removeprefix(start))
        try:
            self._stream.write(text)
        except UnicodeEncodeError as error:
            self._stream.write(_spelled(text, error.encoding))
        except OSError:
            _point_nowhere(self._stream)
        return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError:
            _point_nowhere(self._stream)


def _narrowed(text: str, width: int) -> str:
    """Lines of prose that are wider than the terminal, broken between words; a word that is longer stays whole."""
    lines = text.split("\n")
    if all(len(line) <= width for line in lines):
        return text
    from textwrap import fill

    return "\n".join(
        line if len(line) <= width else fill(line, width, break_long_words=False, break_on_hyphens=False)
        for line in lines
    )


def _point_nowhere(stream: Any) -> None:
    """Send what a stream still holds to nothing, or Python complains once more when it ends."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
    except (OSError, ValueError, AttributeError):
        return  # not a file


class Standard:
    """Both streams for one command, inside a `with`; those that were there come back after it."""

    def __enter__(self) -> Standard:
        _open_closed_ones()
        self._out, self._err = sys.stdout, sys.stderr
        # Without a stream, `print` would write messages to standard output.
        self._nowhere = open(os.devnull, "w", encoding="utf-8") if self._err is None else None
        sys.stderr = Messages(self._nowhere or self._err)
        if self._out is not None:
            sys.stdout = Output(self._out)
        return self

    def __exit__(self, *details: object) -> None:
        sys.stdout, sys.stderr = self._out, self._err
        if self._nowhere is not None:
            self._nowhere.close()

    def expect(self, format: str | None, width: Callable[[], int | None]) -> None:
        """Say what the command writes to standard output.

        Raises:
            SurveyError: standard output is closed.
        """
        if self._out is None:
            raise SurveyError("standard output is closed, so the answer has nowhere to go")
        sys.stdout = Output(self._out, format, width() if format == "table" else None)


def _open_closed_ones() -> None:
    """Open closed standard streams on nothing: the next file, a database for instance, would get their number, and what
    a library prints would be written into it."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        continue
    os.close(descriptor)
