"""Where output goes and where it cannot: closed, full, ASCII, narrow, or with characters that a terminal obeys."""

from __future__ import annotations

import io
import json
import os
import shlex
import struct
import subprocess
import sys
from pathlib import Path

import needs
import pytest
import small_catalog

from surveykit import output
from surveykit.cli import main
from surveykit.database import cache
from surveykit.errors import SurveyError
from surveykit.streams import Messages, Output, on_one_line, visible

HOSTILE = "a\x1b[2Jb\x07c\x9bd\u202ee\x7ff"
SHOWN = "a\\x1b[2Jb\\x07c\\x9bd\\u202ee\\x7ff"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(small_catalog.write(tmp_path_factory.mktemp("streamed") / "catalog"))


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory, root: str) -> None:
    monkeypatch.setenv(cache.ENVIRONMENT, str(tmp_path_factory.getbasetemp() / "cache-of-streams"))
    cache.current_file(root)


def run(
    root: str, words: str, redirected: str = "", before: str = "", into: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a command line by the shell that every POSIX system has, with its own exit code also where it is piped `into`
    another program."""
    command = f'{before} "{sys.executable}" -m surveykit --catalog "{root}" {words} {redirected}'
    if into:  # that shell keeps the last program's code only
        command = f'code=$( {{ {{ {command}; echo $? >&3; }} | {into} >&4; }} 3>&1 ) 4>&1; exit "$code"'
    return subprocess.run(
        ["/bin/sh", "-c", command], capture_output=True, text=True, timeout=60, encoding="utf-8",
        env={**os.environ, **environment},
    )  # fmt: skip


@pytest.mark.skipif(not Path("/dev/full").exists(), reason=needs.LINUX)
@pytest.mark.parametrize(
    ("words", "redirected", "code", "message"),
    [
        ("where", ">&-", 2, "surveykit: standard output is closed, so the answer has nowhere to go\n"),
        ("query", ">&-", 2, "surveykit: standard output is closed, so the answer has nowhere to go\n"),
        ("show lora", ">/dev/full", 2, "surveykit: standard output cannot be written: No space left on device\n"),
        ("query --format json", ">/dev/full", 2, "surveykit: standard output cannot be written: No space left on device\n"),
        ("--help", ">/dev/full", 2, "surveykit: standard output cannot be written: No space left on device\n"),
        ("query nothing", "2>&-", 2, ""),
        ("query nothing", "2>/dev/full", 2, ""),
        ("query nothing", ">&- 2>&- <&-", 2, ""),
        ("query --select id --format csv", "<&- 2>&-", 0, ""),
    ],
)  # fmt: skip
def test_streams_that_cannot_be_used(root: str, words: str, redirected: str, code: int, message: str) -> None:
    done = run(root, words, redirected)
    assert (done.returncode, done.stderr) == (code, message)


def test_a_reader_who_has_seen_enough(root: str) -> None:
    done = run(root, "query --sql 'SELECT range, range, range FROM range(9000)'", into="head -1")
    assert (done.returncode, done.stderr, len(done.stdout.splitlines())) == (0, "", 1)


def test_messages_do_not_end_up_in_the_answer(root: str) -> None:
    """Python prints to standard output what it is told to print to a closed standard error."""
    done = run(root, "query false --select id --format csv", "2>&-")
    assert (done.returncode, done.stdout) == (0, "id\n")


@pytest.mark.parametrize("format", output.FORMATS)
def test_ascii_terminals(root: str, format: str) -> None:
    sql = """SELECT 'LoRA – 2 × ✓ ³ 😀' AS "é", NULL AS nothing"""
    done = run(
        root, f'query --format {format} --sql "{sql.replace(chr(34), chr(92) + chr(34))}"', PYTHONIOENCODING="ascii"
    )
    if format == "csv":
        assert done.returncode == 2
        assert "set PYTHONIOENCODING=utf-8" in done.stderr
        assert len(done.stderr.splitlines()) == 1
    else:
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.isascii()
    if format == "json":
        assert json.loads(done.stdout) == [{"é": "LoRA – 2 × ✓ ³ 😀", "nothing": None}]
    elif format != "csv":
        shown = r"LoRA -- 2 $\times$ yes $^3$" if format == "latex" else "LoRA - 2 x yes"
        assert shown in done.stdout


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason=needs.NO_ROOT)
def test_cache_that_cannot_be_written(root: str, tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    done = run(root, "query", **{cache.ENVIRONMENT: str(tmp_path)})
    assert done.returncode == 2
    assert "cannot be written" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.skipif(sys.platform == "win32", reason=needs.POSIX)
@pytest.mark.sampled("words", "blocks")
@pytest.mark.parametrize("blocks", [2, 128, 800])
@pytest.mark.parametrize(
    "words",
    ["query", "build --output x.duckdb", "export csv --format csv", "export one --format duckdb",
     "export pq --format parquet", "schema --output schema"],
)  # fmt: skip
def test_a_full_disk(root: str, words: str, blocks: int, tmp_path: Path) -> None:
    """As far as one can be had without one: no file may be larger than so many blocks of 512 bytes."""
    own = {} if words.startswith("export") else {cache.ENVIRONMENT: str(tmp_path / "cache")}
    (out := tmp_path / "out").mkdir()
    done = run(root, words, before=f"cd '{out}'; ulimit -f {blocks};", into="cat", **own)
    if done.returncode == 0:  # all its files are smaller
        assert blocks > 2
        assert words.startswith(("export", "schema"))
        return
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("surveykit: ")
    assert "File too large" in done.stderr
    assert not [path for path in tmp_path.rglob("*") if path.name.startswith(".")]
    assert words.startswith("schema") or not list(out.glob("*/*")) + list(out.glob("*.duckdb"))


@pytest.mark.parametrize("format", output.FORMATS)
def test_what_a_terminal_obeys_is_shown(format: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", written := io.StringIO())
    text = output.render(["name"], [[HOSTILE]], format)
    print(text, file=Output(written, format))
    if format == "csv":
        assert HOSTILE in written.getvalue()
        return
    assert not set(written.getvalue()) & set("\x1b\x07\x9b\u202e\x7f")
    if format == "json":
        assert json.loads(written.getvalue()) == [{"name": HOSTILE}]
    else:
        escaped = {"markdown": "\\\\", "latex": "\\textbackslash{}"}.get(format, "\\")
        assert SHOWN.replace("\\", escaped) in written.getvalue()


def test_what_a_terminal_obeys_in_messages(root: str, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["show", HOSTILE], ["fields", HOSTILE], ["query", f"'{HOSTILE}"], ["query", f'"{HOSTILE}\n" = 1']):
        assert main(["--catalog", root, *words]) == 2
        error = capsys.readouterr().err
        assert not set(error) & set("\x1b\x07\x9b\u202e\x7f")
        assert error.count("\n") == 1, error
    assert visible(HOSTILE) == SHOWN
    assert on_one_line("a\nb\tc") == "a\\nb\tc"


def test_a_progress_bar_still_moves() -> None:
    written = io.StringIO()
    print("\r 50 % \x1b[A", end="", file=Messages(written))
    assert written.getvalue() == "\r 50 % \\x1b[A"


def test_a_full_disk_while_printing() -> None:
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(28, "No space left on device")

    with pytest.raises(SurveyError, match="standard output cannot be written: No space left on device"):
        print("x", file=Output(Full()))
    print("x", file=Messages(Full()))  # nobody can be told


COMMANDS = [
    "show lora", "compare lora full-tuning prefix-tuning", "fields", "fields methods", "query", "query --evidence",
    "audit", "query --sql 'FROM configuration'", "query --sql 'FROM method'",
]  # fmt: skip


@pytest.mark.parametrize("words", COMMANDS)
@pytest.mark.parametrize("width", [40, 80])
def test_nothing_is_wider_than_the_terminal(
    root: str, words: str, width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """But single words, which stay whole to be copied."""
    monkeypatch.setenv("COLUMNS", str(width))
    main(["--catalog", root, *shlex.split(words)])
    assert too_wide(capsys.readouterr().out, width) == []


def test_a_heading_above_a_table_is_no_wider(root: str) -> None:
    assert too_wide(run(root, "verify --table table5 --sample 1", COLUMNS="40").stdout, 40) == []


def too_wide(text: str, width: int) -> list[str]:
    assert text
    return [line for line in text.splitlines() if len(line) > width and " " in line.strip()]


@pytest.mark.skipif(sys.platform == "win32", reason=needs.POSIX)
def test_a_real_terminal_and_a_pipe(root: str) -> None:
    import fcntl
    import pty
    import termios

    ours, theirs = pty.openpty()
    os.set_inheritable(theirs, True)
    command = [sys.executable, "-m", "surveykit", "--catalog", root, "show", "lora"]
    environment = {k: v for k, v in os.environ.items() if k != "COLUMNS"}
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 60, 0, 0))
    with subprocess.Popen(command, stdout=theirs, env=environment) as process:
        os.close(theirs)
        read = b""
        try:
            while part := os.read(ours, 65536):
                read += part
        except OSError:
            pass  # how a terminal ends
    os.close(ours)
    assert process.returncode == 0
    assert max(map(len, read.decode().splitlines())) <= 60
    piped = subprocess.run(command, capture_output=True, text=True, env=environment, check=True).stdout
    assert max(map(len, piped.splitlines())) > 100
