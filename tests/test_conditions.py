"""How tests are run: what is skipped says how to get what is missing, and what a test leaves behind fails it."""

from __future__ import annotations

import ast
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import needs
from conftest import ROOT

TESTS = ROOT / "tests"
SKIPS = {"skip", "skipif", "importorskip"}


def reasons(path: Path) -> list[str]:
    """What each call that skips gives as its reason, as it is written."""
    found = []
    for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr in SKIPS:
            given = [word.value for word in call.keywords if word.arg == "reason"] or call.args[:1]
            found.append(ast.unparse(given[0]))
    return found


def test_every_skip_says_how_to_get_what_is_missing() -> None:
    found = {path: reasons(path) for path in TESTS.rglob("*.py")}
    written = {reason for all_of_one in found.values() for reason in all_of_one}
    assert {"needs.CHROMIUM", "needs.NODE"} < written <= {f"needs.{name}" for name in vars(needs) if name.isupper()}
    for reason in (words for name, words in vars(needs).items() if name.isupper() and isinstance(words, str)):
        assert reason.startswith("need "), "the line reads: skipped: 12 need …"
        assert reason in needs.OF_THE_MACHINE or re.search("install|npm ci", reason), "else it can be had"


def run(tmp_path: Path, *words: str, path: str | None = None) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment = kept | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(TESTS)]), "PATH": path or kept["PATH"]}
    command = [sys.executable, "-m", "pytest", "-n0", "-o", f"cache_dir={tmp_path / 'cache'}", *words]
    return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True)


def test_the_last_lines_name_what_was_skipped_and_it_can_be_run_alone(tmp_path: Path) -> None:
    browser = "tests/browser/test_accessible.py::test_the_first_key_skips_to_the_content"
    files = [browser, "tests/test_formula.py"]
    done = run(tmp_path, *files, path=str(tmp_path))
    assert done.returncode == 0, done.stdout
    *_, named, totals = done.stdout.splitlines()
    assert named == f"skipped: 1 {needs.CHROMIUM}"
    assert " passed, 1 skipped" in totals
    again = run(tmp_path, "--skipped-before", "--collect-only", "-q", *files)
    assert [line for line in again.stdout.splitlines() if "::" in line] == [browser]


LEFT = {
    "SURVEYKIT_CATALOG": "os.environ['SURVEYKIT_CATALOG'] = 'x'",
    "HOME": "os.environ.pop('HOME')",
    "$PWD": "os.chdir('/')",
    "sys.path": "sys.path.append('x')",
    "umask": "os.umask(0o77)",
    "torch": "torch.set_grad_enabled(False)",
}
"""What a test can leave behind in the process, and how."""


def test_a_test_that_leaves_something_behind_fails_and_none_after_it_does(tmp_path: Path) -> None:
    tests = [f"def test_{i}() -> None:\n    {left}\n" for i, left in enumerate(LEFT.values())]
    tests += ["def test_after() -> None:\n    pass\n"]
    (tmp_path / "test_it.py").write_text("\n\n".join(["import os, sys, torch\n", *tests]))
    done = run(tmp_path, "-p", "conftest", "-c", os.devnull, "--rootdir", str(tmp_path), str(tmp_path / "test_it.py"))
    assert done.returncode == 1, done.stdout + done.stderr
    said = re.findall(r"^E +AssertionError: left behind in the process: ([^\s:]+): (.*)$", done.stdout, re.MULTILINE)
    assert [name for name, _ in said] == list(LEFT)
    assert all(values.count(" → ") == 1 for _, values in said), "each is told what it left itself"
    assert f"{len(tests)} passed, {len(LEFT)} errors" in done.stdout


def test_what_tests_start_can_be_interrupted_although_they_run_in_the_background(tmp_path: Path) -> None:
    """A shell ignores Ctrl-C for its background jobs, and what ignores it hands that on to what it starts."""
    program = "import signal; print(signal.getsignal(signal.SIGINT) is signal.SIG_IGN)"
    text = f"import subprocess, sys\n\ndef test_it():\n    print(subprocess.check_output([sys.executable, '-c', {program!r}]))\n"
    (tmp_path / "test_it.py").write_text(text)
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        done = run(
            tmp_path, "-s", "-p", "conftest", "-c", os.devnull, "--rootdir", str(tmp_path), str(tmp_path / "test_it.py")
        )
    finally:
        signal.signal(signal.SIGINT, before)
    assert "b'False" in done.stdout, done.stdout + done.stderr
