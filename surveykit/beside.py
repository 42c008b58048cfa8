"""What is written replaces what was there only when it is complete: it is made in a folder beside, and renamed.

A process that is killed leaves that folder. Its name says whose it is, and whoever next writes in the same place removes
it once that process is gone.
"""

from __future__ import annotations

import os
import platform
import re
import secrets
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from surveykit.errors import SurveyError

_OURS = re.compile(r"\..*\.surveykit-(\d+)-([\w-]*)\.\w+\.partial", re.ASCII)
_DAY = 86_400
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Where to write a file, which replaces the one at `path` when the block ends without an error.

    Raises:
        SurveyError: what is at `path` is no file: a device, a named pipe, a folder.
        OSError: nothing can be written there.
    """
    target = Path(os.path.realpath(path))
    refuse_unless(stat.S_IFREG, target)
    with beside(target) as folder:
        yield folder / target.name
        os.replace(folder / target.name, target)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """An empty folder to write in, which replaces the one at `path` when the block ends without an error.

    Entries whose names start with a dot stay, as MkDocs too leaves them. Two renames are needed; what is killed between
    them is put back by `sweep`.

    Raises:
        SurveyError: what is at `path` is no folder.
        OSError: nothing can be written there.
    """
    target = Path(os.path.realpath(path))
    refuse_unless(stat.S_IFDIR, target)
    with beside(target) as folder:
        new, old = folder / "new", folder / "old" / target.name
        new.mkdir()
        yield new
        old.parent.mkdir()
        if target.exists():
            for hidden in target.glob(".*"):
                os.rename(hidden, new / hidden.name)
            os.rename(target, old)
        try:
            os.rename(new, target)
        except BaseException:
            _put_back(folder)
            raise


@contextmanager
def beside(path: Path) -> Iterator[Path]:
    """An empty folder beside a path, which is removed in the end.

    Raises:
        SurveyError: where it would be is no folder.
        OSError: it cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise SurveyError(f"{path} cannot be written: {path.parent} is no folder") from None
    sweep(path.parent)
    whose = f"surveykit-{os.getpid()}-{_host()}"
    folder = path.parent / f".{path.name[:60]}.{whose}.{secrets.token_hex(8)}.partial"
    try:
        folder.mkdir(mode=0o700)
        yield folder
    finally:
        try:
            shutil.rmtree(folder, ignore_errors=True)
        except BaseException:  # a signal, in the middle of it; a second one ends the process at once
            shutil.rmtree(folder, ignore_errors=True)
            raise


def temporary(name: str) -> AbstractContextManager[Path]:
    """An empty folder among the platform's temporary ones, which the next one is rid of where this process is killed."""
    return beside(Path(tempfile.gettempdir()) / name)


def sweep(parent: Path) -> None:
    """Remove what processes that are gone have left in a folder; what they had half replaced is put back first."""
    for entry in os.scandir(parent):
        match = _OURS.fullmatch(entry.name)
        if match is None or not entry.is_dir(follow_symlinks=False):
            continue
        try:
            status = entry.stat(follow_symlinks=False)
            gone = match[2] == _host() and not _runs(int(match[1]))
            mine = status.st_uid == os.getuid() if hasattr(os, "getuid") else True
            if mine and (gone or time.time() - status.st_mtime > _DAY):
                _put_back(Path(entry.path))
                shutil.rmtree(entry.path, ignore_errors=True)
        except FileNotFoundError:
            continue  # its own process, or another that sweeps, has removed it meanwhile


def refuse_unless(kind: int, path: Path) -> None:
    """Refuse what is there and of another kind (`stat.S_IFREG`, `stat.S_IFDIR`): it would be lost, not written to.

    Raises:
        SurveyError: in one line.
    """
    try:
        found = stat.S_IFMT(os.stat(path).st_mode)
    except OSError:
        return  # nothing is there, or nothing that can be seen: writing will tell
    if found != kind:
        what, wanted = _KINDS.get(found, "a file"), "folder" if kind == stat.S_IFDIR else "file"
        raise SurveyError(f"{path} is {what} and is not replaced; name a {wanted}, or a path where nothing is")


def _put_back(folder: Path) -> None:
    """Undo the first of two renames of which the second was not reached."""
    old = folder / "old"
    for entry in old.iterdir() if old.is_dir() else ():
        if not (folder.parent / entry.name).exists():
            os.rename(entry, folder.parent / entry.name)


def _host() -> str:
    """Numbers of processes mean nothing on another machine that writes to the same folder."""
    return re.sub(r"[^\w-]", "-", platform.node(), flags=re.ASCII)[:40]


def _runs(process: int) -> bool:
    if sys.platform == "win32":  # where asking would end it
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True
