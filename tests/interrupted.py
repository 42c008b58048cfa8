"""Commands that are started, sent a signal at some moment, and looked at afterwards: used by tests and by the fuzzer."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import duckdb

SECONDS = 10
"""No command may go on for longer than this after a signal."""
_OURS = 1 << (signal.SIGTERM - 1)


class Ended(NamedTuple):
    """What a command was like after a signal."""

    code: int
    error: str
    seconds: float
    """From the signal to the end."""
    left: list[str]
    """Command lines of processes of its session that still run a moment later."""


def send(words: Sequence[str], number: int, moment: float, environment: Mapping[str, str], folder: Path) -> Ended:
    """Start a command in a session of its own, and send it a signal.

    Args:
        moment: seconds to wait once the command minds signals; before that Python itself has not started.
        folder: working directory.
    """
    with subprocess.Popen(
        [sys.executable, "-m", "surveykit", *words], cwd=folder, env=dict(environment), start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        session = process.pid
        while process.poll() is None and not _minds_signals(process.pid):
            time.sleep(0.005)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(moment)
        process.send_signal(number)
        sent = time.monotonic()
        try:
            _, error = process.communicate(timeout=3 * SECONDS)
        finally:
            process.kill()
    seconds = time.monotonic() - sent
    deadline = time.monotonic() + 2
    while (left := _of_session(session)) and time.monotonic() < deadline:
        time.sleep(0.02)
    for process_id in left:
        os.kill(process_id, signal.SIGKILL)
    return Ended(process.returncode, error, seconds, [str(process_id) for process_id in left])


def faults(ended: Ended, number: int) -> list[str]:
    """What is wrong with how a command ended."""
    found = []
    interrupted = {signal.SIGINT: (130, "interrupted"), signal.SIGTERM: (143, "terminated")}.get(number)
    if interrupted is None:
        if ended.code not in (-number, 0, 1, 2):
            found.append(f"exit code {ended.code}")
    elif ended.code == interrupted[0]:
        if not ended.error.endswith(f"surveykit: {interrupted[1]}\n") or ended.error.count("\n") > 1:
            found.append("says more or less than one line")
    elif ended.code == -number and not ended.error:
        pass  # the command had ended, and Python was about to
    elif ended.code not in (0, 1, 2):  # it had ended before
        found.append(f"exit code {ended.code}")
    if "Traceback" in ended.error:
        found.append("traceback")
    if ended.seconds > SECONDS:
        found.append(f"went on for {ended.seconds:.0f} s")
    if ended.left:
        found.append(f"{len(ended.left)} processes left")
    return [f"{fault}: {ended.error[-2000:]}" for fault in found]


def half_written(folder: Path) -> list[str]:
    """Files of an output folder that are no whole file of their kind; what is hidden is no output."""
    found = []
    for path in sorted(folder.rglob("*")):
        if any(part.startswith(".") for part in path.relative_to(folder).parts) or path.is_dir():
            continue
        if path.suffix == ".duckdb":
            try:
                with duckdb.connect(str(path), read_only=True) as connection:
                    if not connection.execute("SELECT count(*) FROM duckdb_views() WHERE NOT internal").fetchall()[0][
                        0
                    ]:
                        found.append(str(path))
            except duckdb.Error:
                found.append(str(path))
        elif path.stat().st_size == 0 or not path.read_bytes().endswith((b"\n", b"PAR1")):
            found.append(str(path))
    return found


def _minds_signals(process: int) -> bool:
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return True
    line = next(line for line in status.splitlines() if line.startswith("SigCgt"))
    return bool(int(line.split()[1], 16) & _OURS)


def _of_session(session: int) -> list[int]:
    """Processes of a session that have not ended."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found.append(int(entry.parent.name))
    return found
