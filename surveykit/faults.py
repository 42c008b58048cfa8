"""What is said of an exception that nobody expected."""

from __future__ import annotations

import errno
import os
import platform
import shlex
import traceback

import surveykit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

EXIT_CODE = 70
"""A bug in surveykit; `EX_SOFTWARE` of sysexits.h."""
ENVIRONMENT = "SURVEYKIT_TRACEBACK"
# What the system refuses whatever the program does: its message, with the file's name, is the reason.
_REFUSALS = {
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EFBIG, errno.EIO, errno.EMFILE, errno.ENFILE,
    errno.ENOMEM, errno.ENAMETOOLONG, errno.ENODEV, errno.ENXIO, errno.ELOOP, errno.EDQUOT,
}  # fmt: skip
_PACKAGE = os.path.dirname(os.path.abspath(__file__))


def environment_reason(error: BaseException) -> str | None:
    """Why the environment cannot do it, in one line; None when the exception says nothing of the kind."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryException":  # DuckDB's
        return "not enough memory"
    if isinstance(error, OSError) and error.errno in _REFUSALS and error.strerror:
        files = [str(name) for name in (error.filename, error.filename2) if name is not None]
        return ": ".join([*files, error.strerror])
    if isinstance(error, ModuleNotFoundError) and error.name and not error.name.startswith("surveykit"):
        return f"the package {error.name} is not installed; install surveykit with its dependencies again"
    return None


def report(error: BaseException, words: Sequence[str]) -> str:
    """Everything that a report of a fault needs, on a few lines; with `SURVEYKIT_TRACEBACK=1` every frame as well."""
    frames = traceback.extract_tb(error.__traceback__)
    last = [frame for frame in frames[:-1] if frame.filename.startswith(_PACKAGE)][-3:] + frames[-1:]
    places = ", called from ".join(f"{_short(f.filename)}:{f.lineno} in {f.name}" for f in reversed(last))
    said = " ".join(str(error).split())[:500]
    lines = [
        "this is a bug in surveykit, not a finding or a mistake of yours",
        f"  {type(error).__name__}: {said}" if said else f"  {type(error).__name__}",
        f"  at {places}",
        f"  in: surveykit {shlex.join(words)}",
        f"  surveykit {surveykit.__version__}, Python {platform.python_version()}, {platform.system()} {platform.machine()}",
    ]
    if os.environ.get(ENVIRONMENT):
        return "\n".join([*lines, "".join(traceback.format_exception(error)).rstrip()])
    return "\n".join(
        [*lines, f"Report these lines to the maintainers; {ENVIRONMENT}=1 before the command adds every frame."]
    )


def _short(path: str) -> str:
    """A path from the package on, as maintainers have it."""
    return os.path.relpath(path, os.path.dirname(_PACKAGE)) if path.startswith(_PACKAGE) else os.path.basename(path)
