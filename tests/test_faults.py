"""A fault of ours is said to be one: in every command, wherever it happens, never with the exit code of anything else."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
import small_catalog
import torch  # noqa: F401 (some commands import it, and it leaves a variable in the environment of the process)

from surveykit import cli
from surveykit.catalog import load_once
from surveykit.cli import COMMANDS, main
from surveykit.commands.arguments import module
from surveykit.database import cache, child, query
from surveykit.errors import CatalogError, Problem

# What each command needs to be told, at least.
WORDS = {
    "bench": ["none"],
    "count": ["lora", "--model", "none"],
    "fit": ["--model", "none", "--gpu-memory", "1GB", "--batch", "1", "--length", "8"],
    "trial": ["lora", "--model", "none"],
    "check": ["none.csv", "--model", "none"],
    "new": ["source", "none"],
    "show": ["lora"],
    "compare": ["lora", "ia3"],
    "cite": ["lora"],
    "export": ["none", "--format", "csv"],
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(small_catalog.write(tmp_path_factory.mktemp("faulty") / "catalog"))


@pytest.fixture(autouse=True)
def own_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(cache.ENVIRONMENT, str(tmp_path / "cache"))
    monkeypatch.setattr(load_once, "_KEPT", {})  # what a test before this one has loaded
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    "fault",
    [ZeroDivisionError("division by zero"), KeyError("x\x1b[31m"), RecursionError(), OSError(), GeneratorExit(), SystemExit(1),
     FileNotFoundError(errno.ENOENT, "No such file", "ours.sql"), UnicodeDecodeError("utf-8", b"", 0, 0, "bad")],
    ids=repr,
)  # fmt: skip
def test_a_fault_in_a_command(
    command: str, fault: BaseException, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(arguments: object) -> int:
        raise fault

    monkeypatch.setattr(module(command), "run", broken)
    assert main([command, *WORDS.get(command, [])]) == 70
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = captured.err.splitlines()
    assert lines[0] == "surveykit: this is a bug in surveykit, not a finding or a mistake of yours"
    assert type(fault).__name__ in lines[1]
    assert "test_faults.py" in captured.err
    assert f"in: surveykit {command}" in captured.err
    assert "Python 3." in captured.err
    assert "Traceback" not in captured.err
    assert "\x1b" not in captured.err


READING = ["query", "fields", "where", "sources", "audit", "show", "compare", "cite", "export"]
LOADING = ["validate", "build", "check", "verify", "verify-params", "verify-backbones"]
# Where a fault is put, and the commands that get there.
PLACES = {
    "surveykit.catalog.locate.locate": [*READING, *LOADING, "measure", "schema"],
    "surveykit.catalog.load_once.load": [*READING, *LOADING],
    "surveykit.catalog.load.load": ["measure"],
    "surveykit.database.cache._state": READING,
}


@pytest.mark.parametrize(("place", "command"), [(place, name) for place, names in PLACES.items() for name in names])
def test_a_fault_below_a_command(command: str, place: str, root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: object, **named: object) -> object:
        raise ZeroDivisionError

    monkeypatch.setattr(place, broken)
    assert main(["--catalog", root, command, *WORDS.get(command, [])]) == 70


def test_a_fault_in_the_query_process(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no want of memory."""
    query.ask(root, sql="SELECT 1")
    code = query._CODE.replace("main()", "child.answer = lambda job: 1 / 0; child.main()").replace(
        "from surveykit.database.child import main", "from surveykit.database import child"
    )
    monkeypatch.setattr(query, "_COMMAND", [*query._COMMAND[:3], code, *query._COMMAND[4:]])
    with pytest.raises(RuntimeError, match=r"in the query process: Traceback[\s\S]*ZeroDivisionError"):
        query.ask(root, sql="SELECT 1")


def test_a_fault_while_fetching_is_no_mistake_in_the_query(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: object) -> object:
        raise TypeError

    monkeypatch.setattr(child, "_fetch", broken)
    job = {"database": cache.current_file(root), "duckdb": None, "sql": "SELECT 1"}
    with pytest.raises(TypeError):
        child.answer(job)


def test_all_frames_are_shown_when_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(arguments: object) -> int:
        raise ZeroDivisionError

    monkeypatch.setenv("SURVEYKIT_TRACEBACK", "1")
    monkeypatch.setattr(module("validate"), "run", broken)
    assert main(["validate"]) == 70
    assert "Traceback (most recent call last):" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (MemoryError(), "surveykit: not enough memory\n"),
        (OSError(errno.ENOSPC, "No space left on device", "x.csv"), "surveykit: x.csv: No space left on device\n"),
        (PermissionError(errno.EACCES, "Permission denied", "a\nb"), "surveykit: a\\nb: Permission denied\n"),
        (OSError(errno.EMFILE, "Too many open files"), "surveykit: Too many open files\n"),
        (ModuleNotFoundError("No module named 'yaml'", name="yaml"), "surveykit: the package yaml is not installed; "),
    ],
)
def test_what_the_environment_cannot_do_is_no_fault(
    error: Exception, message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(arguments: object) -> int:
        raise error

    monkeypatch.setattr(module("validate"), "run", refused)
    assert main(["validate"]) == 2
    assert capsys.readouterr().err.startswith(message)


def test_names_cannot_pass_for_messages(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Control characters and ends of lines of a name are shown; problems of a catalog still have a line each."""

    def refused(arguments: object) -> int:
        raise CatalogError([Problem("a\nsurveykit: valid", 1, 2, "\x1b[2J"), Problem("b", 0, 0, "c")])

    monkeypatch.setattr(module("validate"), "run", refused)
    assert main(["validate"]) == 2
    assert capsys.readouterr().err == (
        "surveykit: the catalog has 2 problems:\na\\nsurveykit: valid:1:2: \\x1b[2J\nb: c\n"
    )


def test_help_documents_the_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    assert "70 a bug in surveykit, 130 interrupted" in capsys.readouterr().out
    assert "70 a bug" in (cli.__doc__ or "")
