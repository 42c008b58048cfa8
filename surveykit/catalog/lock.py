"""One process at a time writes into a folder."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from surveykit.errors import SurveyError

LOCK = ".lock"


@contextmanager
def alone_in(folder: Path, name: str = LOCK, *, wait: bool = True) -> Iterator[bool]:
    """Wait until no other process is alone in a folder, and be alone in it.

    The lock is the operating system's, on a file that is there meanwhile: however its holder ends, it holds no longer,
    and a file that is left over locks nobody out.

    Args:
        name: of that file: others lock out nobody who asks for this one.
        wait: otherwise it gives False at once where another process is alone there.

    Raises:
        SurveyError: the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = _locked(folder / name, wait)
    except OSError as error:
        raise SurveyError(f"{folder} cannot be written: {error.strerror or error}") from None
    if handle is None:
        yield False
        return
    try:
        yield True
    finally:
        with suppress(OSError):  # where an open file cannot be removed it stays, and does no harm
            (folder / name).unlink()
        os.close(handle)


def _locked(path: Path, wait: bool) -> int | None:
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            if not _lock(handle, wait):
                os.close(handle)
                return None
            if _is_still(path, handle):
                return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)  # who held it before has removed it: the next one would lock another file


def _is_still(path: Path, handle: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(handle))
    except FileNotFoundError:
        return False


if sys.platform == "win32":
    import msvcrt

    def _lock(handle: int, wait: bool) -> bool:
        while True:
            with suppress(OSError):  # it gives up after ten seconds
                msvcrt.locking(handle, msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
                return True
            if not wait:
                return False
else:
    import fcntl

    def _lock(handle: int, wait: bool) -> bool:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
